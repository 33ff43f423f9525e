"""`turnwise list`: what there is to choose from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from turnwise.algorithms.build import nearest
from turnwise.algorithms.compose import option_text, options
from turnwise.envs.spec import GameSpec

KINDS = ("envs", "agents", "algorithms", "models", "experiments")
BESIDE = {
    "agents": {
        "random": "any legal action, each as likely",
        "first_legal": "the first legal action of the list",
        "optimal": "an equilibrium strategy, where one is known",
        "expert": "the solution, where a game of one seat tells it",
        "mcts(N)": "tree search with N random rollouts a move, for games of perfect information",
        "FOLDER": "the weights of a run, a checkpoint or a model",
        "openai:MODEL": "a model behind an API that speaks OpenAI's protocol",
        "anthropic:MODEL": "a model behind Anthropic's API",
    },
    "models": {
        "FOLDER": "model=runs/x/checkpoints/...: weights on this disk",
        "ORG/NAME": "model=Qwen/Qwen3-0.6B: weights of the hub",
        "openai:MODEL": "behind an API: plays and is judged (eval, play, tournament), and does not learn",
        "anthropic:MODEL": "the same",
    },
}
"""Kind of list -> what may be given besides the options of the group, as agent.opponent=... or model=..."""


def catalogue(what: str, *, family: str | None = None, as_json: bool = False) -> str:
    """A line per name, of algorithms three; `as_json`: a list of objects, of environments with all that they can do.

    family: environments of that family only. Raises ValueError on an unknown kind or family.
    """
    if what not in KINDS:
        raise ValueError(f"there is no list of {what!r}; {nearest(what, KINDS)}")
    if what != "envs" and family is not None:
        raise ValueError(f"families are of environments: leave out --family with {what}")
    if what == "envs":
        specs = _of_family(family)
        return _described(specs) if as_json else "\n".join(_lines(specs))
    group = what.removesuffix("s")
    found = {name: _headline(group, name) for name in options(group)}
    if what == "algorithms":
        return _recipes(found, as_json=as_json)
    beside = BESIDE.get(what, {})
    if as_json:
        rows = [{"name": name, "summary": summary, "option": True} for name, summary in found.items()]
        rows += [{"name": name, "summary": summary, "option": False} for name, summary in beside.items()]
        return json.dumps(rows, indent=1)
    heads = {"agents": "\nwho may sit opposite:", "models": "\nbeside them:"}
    lines = [*_rows(found), *([heads[what], *_rows(beside)] if beside else [])]
    return "\n".join(lines)


def _rows(found: Mapping[str, str]) -> list[str]:
    return [f"{name:22} {summary}" for name, summary in found.items()]


def _of_family(family: str | None) -> list[GameSpec]:
    from turnwise.envs.registry import GAMES

    families = dict.fromkeys(spec.family for spec in GAMES.values())
    if family is not None and family not in families:
        raise ValueError(f"there is no family {family!r}; {nearest(family, families)}")
    return [spec for spec in GAMES.values() if family in (None, spec.family)]


def _lines(specs: Iterable[GameSpec]) -> list[str]:
    """A line per environment: id, family, summary."""
    listed = list(specs)
    widest = max(len(spec.id) for spec in listed)
    group = max(len(spec.family) for spec in listed)
    return [f"{spec.id:{widest}}  {spec.family:{group}}  {spec.summary}" for spec in listed]


def _described(specs: Iterable[GameSpec]) -> str:
    from turnwise.envs.describe import describe

    return json.dumps([describe(spec.id).to_dict() for spec in specs], indent=1, ensure_ascii=False)


def _recipes(summaries: Mapping[str, str], *, as_json: bool) -> str:
    """Every recipe with its paper, its parts and its needs; below them, what the needs are."""
    from turnwise.algorithms.recipe_list import legend, lines, read_recipe

    recipes = [read_recipe(name, summary) for name, summary in summaries.items()]
    if as_json:
        return json.dumps([recipe.to_dict() for recipe in recipes], indent=1)
    return "\n".join([*(line for recipe in recipes for line in lines(recipe)), "", *legend(recipes)])


def _headline(group: str, name: str) -> str:
    """The first comment of an option that says something."""
    lines = option_text(group, name).splitlines()
    return next((line[2:] for line in lines if line.startswith("# ") and "@package" not in line), "")
