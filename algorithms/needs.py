"""What a recipe may need of its environment and its run, and the refusal before training where it cannot have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.recipes import AlgorithmSettings, Part
from turnwise.envs.core import TextGame
from turnwise.envs.history import WithHistory
from turnwise.envs.registry import GAMES, make_game
from turnwise.envs.requirements import MissingDependency
from turnwise.envs.tools.game import ToolGame

MOST_NAMED = 6
"""Environments that a refusal names."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a method may need."""

    text: str
    """What it is, fit to stand after "needs"."""
    of_game: Callable[[TextGame], bool] | None = None
    """Whether a game gives it; None where it does not depend on the game."""


def _has_tools(game: TextGame) -> bool:
    """Also where the tools come with each episode."""
    inner = game.game if isinstance(game, WithHistory) else game
    return bool(game.tools()) or (isinstance(inner, ToolGame) and inner.brings_tools)


NEEDS: dict[str, Need] = {
    "groups": Need("several episodes of one task and seed (group_size)"),
    "anchor": Need("a canonical key of the state before each turn", lambda game: game.has_anchor),
    "ground_truth": Need("the right answer of each episode", lambda game: game.has_ground_truth),
    "answer_logprob": Need("the log-prob of the right answer before each turn"),
    "dense_rewards": Need("rewards before the last turn", lambda game: game.dense_rewards),
    "several_seats": Need("a game of several seats", lambda game: len(game.seats) > 1),
    "solution": Need("a solution to show", lambda game: game.has_solution),
    "tool_calls": Need("tools to call", _has_tools),
    "reference_calls": Need("the tool calls of a solution", lambda game: _has_tools(game) and game.has_solution),
    "branches": Need("values of states by playing on from them"),
    "values": Need("a critic"),
    "token_values": Need("a critic"),
    "train_logprobs": Need("the trainer's log-probs before the update"),
    "reference_logprobs": Need("a reference policy's log-probs"),
    "reference_returns": Need("returns of a reference policy on the same seeds"),
    "token_entropy": Need("the entropy of every token"),
    "topk_entropy": Need("the entropy of a reply's first tokens"),
    "squared_probs": Need("the collision probability of every token"),
    "reward_parts": Need("rewards in several parts"),
}
"""Every name that a method's `needs` may hold."""


class Unfit(ValueError):
    """A recipe asks for what its environment or its run cannot give."""


def needs_of(algorithm: AlgorithmSettings) -> frozenset[str]:
    """All that the parts of a recipe need."""
    return frozenset(need for part in algorithm.parts() for need in part.needs)


def require_fit(algorithm: AlgorithmSettings, game: TextGame, env_id: str) -> None:
    """Raises Unfit, naming the part, the environment and others that can, unless the recipe fits game and run."""
    for part in algorithm.parts():
        for need in part.needs:
            require_given(need, game, env_id, f"recipe {algorithm.name}: {_called(part)}")
    _require_run(algorithm)


def require_given(need: str, game: TextGame, env_id: str, who: str) -> None:
    """Raises Unfit, with `who` needs it and which environments can, unless a game gives what is needed."""
    given = NEEDS[need].of_game
    if given is not None and not given(game):
        raise Unfit(
            f"{who} needs {NEEDS[need].text}, which {env_id} does not have; "
            f"environments that do: {', '.join(able(given, env_id)) or 'none that is installed'}"
        )


def _require_run(algorithm: AlgorithmSettings) -> None:
    """What the rest of the recipe has to bring."""
    for part in algorithm.parts():
        if {"values", "token_values"} & set(part.needs) and algorithm.critic.kind == "none":
            raise Unfit(f"{_called(part)} needs a critic: set algorithm.critic.kind to shared or own")
        if "groups" in part.needs and algorithm.group_size < 2:
            raise Unfit(
                f"{_called(part)} compares episodes of one group: set algorithm.group_size to 2 or more, "
                f"got {algorithm.group_size}"
            )
        if "branches" in part.needs and "branches" not in EXPLORERS[algorithm.explore].fills:
            filling = ", ".join(name for name, entry in EXPLORERS.items() if "branches" in entry.fills)
            raise Unfit(
                f"{_called(part)} needs {NEEDS['branches'].text}: set algorithm.explore to {filling}, "
                f"got {algorithm.explore}"
            )
    if algorithm.critic.kind != "none" and not {"values", "token_values"} & needs_of(algorithm):
        raise Unfit(
            f"algorithm.critic.kind is {algorithm.critic.kind}, but nothing in the recipe {algorithm.name} asks for "
            "values: set it to none, or choose credit gae or tppo"
        )


def _called(part: Part) -> str:
    return f"{part.stage} {part.name!r}"


def able(given: Callable[[TextGame], bool], but: str) -> list[str]:
    """The first few ids whose games pass a test, in the order of the list, one per family first."""
    found: list[str] = []
    for env_id in _by_family(spec.id for spec in GAMES.values() if not spec.slow and spec.id != but):
        try:
            if given(make_game(env_id)):
                found.append(env_id)
        except (MissingDependency, TypeError, ValueError):  # needs an argument or an extra: not one to recommend
            continue
        if len(found) == MOST_NAMED:
            break
    return found


def _by_family(ids: Iterable[str]) -> Iterator[str]:
    """First the first id of every family, then the second of each, and so on."""
    families: dict[str, list[str]] = {}
    for env_id in ids:
        families.setdefault(GAMES[env_id].family, []).append(env_id)
    for rank in range(max(map(len, families.values()), default=0)):
        yield from (members[rank] for members in families.values() if rank < len(members))
