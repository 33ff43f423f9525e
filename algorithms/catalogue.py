"""`turnwise list`: what there is to choose from."""

from __future__ import annotations

from importlib.resources import files

from turnwise.algorithms.build import nearest
from turnwise.algorithms.compose import options

KINDS = ("envs", "agents", "algorithms", "models", "experiments")


def catalogue(what: str) -> str:
    """A line per name. Raises ValueError on an unknown kind."""
    if what not in KINDS:
        raise ValueError(f"there is no list of {what!r}; {nearest(what, KINDS)}")
    if what == "envs":
        return "\n".join(_environments())
    group = what.removesuffix("s")
    lines = [f"{name:22} {_headline(group, name)}" for name in options(group)]
    if what == "agents":
        from turnwise.agents.scripted import SCRIPTED

        lines.append(f"{'opponents':22} agent.opponent={'|'.join(sorted(SCRIPTED))}|mcts(N)|FOLDER")
    return "\n".join(lines)


def _environments() -> list[str]:
    from turnwise.envs.registry import GAMES

    return [f"{spec.id:22} {spec.summary}" for spec in GAMES.values()]


def _headline(group: str, name: str) -> str:
    """The first comment of an option that says something."""
    text = (files("turnwise.configs") / group / f"{name}.yaml").read_text()
    comments = (line[2:] for line in text.splitlines() if line.startswith("# ") and "@package" not in line)
    return next(comments, "")
