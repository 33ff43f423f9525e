"""The history policies by name, and how each words an observation. Pure functions of what a seat read and did."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import NamedTuple

HISTORIES = ("news", "full", "last(3)", "first_last", "board", "diff", "summary")
"""One spelling of every policy; `last` takes any number of turns from 1."""

_LAST = re.compile(r"last\s*\(\s*(\d{1,6})\s*\)")
_LONGEST_SUMMARY = 4000  # characters


class History(NamedTuple):
    """A policy: `name` is one of `HISTORIES` without its brackets."""

    name: str
    turns: int = 0
    """Of `last`: how many turns are shown, the current one counted."""


class Turn(NamedTuple):
    """One turn of one seat."""

    read: str
    """Its observation, as the game gave it."""
    played: str
    """Its action, written as a reply, for example `[bet]`."""


def history_policy(spec: object) -> History:
    """The policy that a text such as `last(3)` names. Raises ValueError."""
    if isinstance(spec, History):
        return spec
    if isinstance(spec, str):
        name = spec.strip()
        found = _LAST.fullmatch(name)
        if found and int(found[1]) >= 1:
            return History("last", int(found[1]))
        if name in HISTORIES and not found:
            return History(name)
    raise ValueError(f"no history policy is called {spec!r}; {_hint(spec)}")


def _hint(spec: object) -> str:
    stems = {known.partition("(")[0]: known for known in HISTORIES}
    near = difflib.get_close_matches(str(spec)[:40].partition("(")[0].strip().lower(), stems, n=1)
    return f"did you mean {stems[near[0]]!r}?" if near else f"known: {', '.join(HISTORIES)}"


def transcript(earlier: Sequence[Turn], now: str) -> str:
    """Every turn as `what was read` and `You answered: what was played`, then what is read now."""
    return "\n".join([*(f"{turn.read}\nYou answered: {turn.played}" for turn in earlier), now])


def first_and_last(earlier: Sequence[Turn], now: str) -> str:
    """The first observation, an empty line, and the newest one; the newest alone on the first turn."""
    return f"{earlier[0].read}\n\n{now}" if earlier else now


def summary_request(summary: str, turn: Turn) -> str:
    """What the summarizer is asked: the summary so far and the turn that it lacks."""
    return (
        "You keep notes for a player of a text game. Write a short summary of everything that the player still needs "
        "to know: the rules, how to answer, private information, and what has happened. Write the summary only.\n\n"
        f"Summary so far:\n{summary or 'nothing yet'}\n\n"
        f"New since then, as the player read it:\n{turn.read}\nThe player answered: {turn.played}"
    )


def with_summary(summary: str, now: str) -> str:
    """The summary of all earlier turns, then what is read now."""
    return f"Summary of the game so far: {summary[:_LONGEST_SUMMARY].strip()}\n\n{now}"
