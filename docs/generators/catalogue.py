"""The catalogue of environments: what each declares, its prompts, and a game of it, played by scripted agents."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.scripted import SCRIPTED, Choice, ScriptedAgent, scripted_agent
from turnwise.algorithms.compose import option_text, options
from turnwise.envs.core import TextGame, Unsupported
from turnwise.envs.describe import Capabilities, describe
from turnwise.envs.registry import GAMES, make_game
from turnwise.records import Episode, Turn

NOT_PLAYED = ("by_id", "alfworld_simple")
"""Options that are no environment of their own."""
SEED = 0
FEWEST, LATE = 2, 2
"""Turns that an expert's game has to have to be shown; random replies before one that would win at once takes over."""
FIRST, MOST_LINES, WIDEST = 6, 40, 110
"""Turns of a game that are printed before its last one; lines of one text; characters of a line."""
TITLES = {
    "openspiel": "OpenSpiel",
    "minigrid": "MiniGrid",
    "textworld": "TextWorld",
    "alfworld": "ALFWorld",
    "python": "Python",
    "tools": "Tools and MCP",
}
ABOUT = """\
# Catalogue

Every environment that has settings of its own (`env=NAME`), with what it declares, its prompts, and a game that
scripted agents play from seed 0. The other ids ({others} of {ids}) take `env=ID`; `turnwise list envs` names them, and
[environments.md](environments.md) tells their arguments.

| family | environments |
|---|---|
{rows}

This page and those it leads to are written by `python docs/generate.py`.
"""


@dataclass(frozen=True)
class Entry:
    """One environment with the settings of its option."""

    option: str
    env_id: str
    kwargs: Mapping[str, Any]
    invalid: str
    max_turns: int | None

    @property
    def family(self) -> str:
        return GAMES[self.env_id].family


@functools.cache
def entries() -> tuple[Entry, ...]:
    """Every option of the group `env` that is an environment of its own."""
    return tuple(_entry(name) for name in options("env") if name not in NOT_PLAYED)


def _entry(option: str) -> Entry:
    env = yaml.safe_load(option_text("env", option))["env"]
    kwargs = {name: value for name, value in env["kwargs"].items() if name != "prompt"}
    return Entry(option, env["id"], kwargs, str(env["invalid"]), env["max_turns"])


def pages() -> dict[str, str]:
    """Path below docs/ -> text."""
    return {"catalogue.md": index(), **{f"catalogue/{family}.md": page(family) for family in families()}}


def families() -> dict[str, list[Entry]]:
    """Family -> its environments."""
    found: dict[str, list[Entry]] = {}
    for entry in entries():
        found.setdefault(entry.family, []).append(entry)
    return found


def index() -> str:
    """The page that leads to the families'."""
    listed = sum(len(found) for found in families().values())
    rows = "\n".join(_row(family, found) for family, found in families().items())
    return ABOUT.format(others=len(GAMES) - listed, ids=len(GAMES), rows=rows)


def page(family: str) -> str:
    """The page of a family."""
    head = f"# {_title(family)}\n\nWritten by `python docs/generate.py`; [all families](../catalogue.md).\n"
    return "\n".join([head, *(_section(entry) for entry in families()[family])])


def _title(family: str) -> str:
    return TITLES.get(family, family.capitalize())


def _row(family: str, found: list[Entry]) -> str:
    links = ", ".join(f"[{entry.env_id}](catalogue/{family}.md#{_anchor(entry.env_id)})" for entry in found)
    return f"| [{_title(family)}](catalogue/{family}.md) | {links} |"


def _anchor(heading: str) -> str:
    """As GitHub and the site name a heading."""
    return "".join(mark for mark in heading.lower() if mark.isalnum() or mark in "-_")


def _section(entry: Entry) -> str:
    episode, told = play(entry), describe(entry.env_id)
    players = ", ".join(f"{seat}: {agent}" for seat, agent in episode.seats.items())
    returns = ", ".join(f"{seat} {value:g}" for seat, value in episode.returns.items())
    return f"""\
## {entry.env_id}

{told.summary} `turnwise train env={entry.option}`

{_declared(told)}

A game, as an agent reads it (seed {SEED}; {players}):

{indented(transcript(episode))}

Returns: {returns}. With `prompt="compact"`, which the tiny model reads, it begins:

{indented(compact(entry))}
"""


def _declared(told: Capabilities) -> str:
    if told.seats is None or told.utility_bounds is None:
        raise RuntimeError(f"the catalogue is written where every environment can be made: {told.id}: {told.problem}")
    low, high = told.utility_bounds
    rows = {
        "seats": ", ".join(told.seats),
        "return of a seat": f"{_bound(low, 'any')} to {_bound(high, 'any')}",
        "levels": ", ".join(told.levels or ()),
        "tools": ", ".join(f"`{tool}`" for tool in told.tools or ()),
        "declares": ", ".join(f"`{flag}`" for flag in told.flags or ()),
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items() if value)])


def _bound(value: float | None, unbounded: str) -> str:
    return unbounded if value is None else f"{value:g}"


def play(entry: Entry) -> Episode:
    """One game by the first agents that can. Raises RuntimeError where none plays it to its end."""
    seats = make_game(entry.env_id, **entry.kwargs, **_here(entry)).seats
    for agent in _agents(len(seats)):
        try:
            episode = _collect(entry, agent, seats)
        except Unsupported:
            continue
        told = len(episode.turns) >= FEWEST or agent.name != "expert"
        if told and episode.status in ("ok", "truncated"):
            return episode
    raise RuntimeError(f"{entry.env_id} cannot be played from seed {SEED}")


def _agents(seats: int) -> Iterator[ScriptedAgent]:
    """Who might play, the best first. An expert that ends a game at once shows little of it."""
    if seats > 1:
        yield scripted_agent("optimal")
    else:
        yield scripted_agent("expert")
        yield ScriptedAgent("random twice, then expert", _late_expert())
    yield scripted_agent("random")


def _late_expert() -> Choice:
    replies = itertools.count()

    def choose(game: TextGame, rng: np.random.Generator) -> str:
        return SCRIPTED["random" if next(replies) < LATE else "expert"](game, rng)

    return choose


def _collect(entry: Entry, agent: ScriptedAgent, seats: tuple[str, ...]) -> Episode:
    rollout = Rollout({agent.name: agent}, invalid=entry.invalid, max_turns=entry.max_turns)
    kwargs = {**entry.kwargs, **_here(entry), "prompt": "full"}
    plan = Plan(id="game", env_id=entry.env_id, seed=SEED, seats=dict.fromkeys(seats, agent.name), env_kwargs=kwargs)
    return rollout.collect([plan])[0]


def _here(entry: Entry) -> dict[str, Any]:
    """Slow games are played in this process."""
    return {"worker": False} if GAMES[entry.env_id].slow else {}


def compact(entry: Entry) -> str:
    """The first observation with the compact prompt."""
    game = make_game(entry.env_id, **entry.kwargs, **_here(entry), prompt="compact")
    game.start(np.random.default_rng(SEED))
    assert game.seat is not None
    return "\n".join(_lines(game.observe(game.seat)))


def transcript(episode: Episode) -> str:
    """The turns with what was read and replied; of a long game the first ones and the last."""
    turns, shown = episode.turns, []
    for index, turn in enumerate(turns):
        if index < FIRST or index == len(turns) - 1:
            shown.append("\n".join(_told(turn, several=len(episode.seats) > 1)))
        elif index == FIRST:
            shown.append(f"... {len(turns) - FIRST - 1} more turns ...")
    return "\n\n".join(shown)


def _told(turn: Turn, *, several: bool) -> Iterator[str]:
    for message in turn.observation:
        yield from _lines(message.content)
    yield ""
    said = _lines(turn.text)
    reward = f"   (reward {turn.reward:g})" if turn.reward else ""
    yield f"{turn.seat if several else '>>>'}{':' if several else ''} {next(said, '')}"
    yield from said
    if reward:
        yield reward


def _lines(text: str) -> Iterator[str]:
    """The text in lines that fit a page; what is too long is cut, and says so."""
    lines = text.strip("\n").splitlines()
    for line in lines[:MOST_LINES]:
        while len(line) > WIDEST:
            cut = line.rfind(" ", 0, WIDEST)
            cut = cut if cut > 0 else WIDEST
            yield line[:cut]
            line = line[cut:].lstrip()
        yield line
    if len(lines) > MOST_LINES:
        yield f"... {len(lines) - MOST_LINES} more lines ..."


def indented(text: str) -> str:
    """As a block that every renderer shows as it is."""
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())
