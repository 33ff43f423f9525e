"""`WithHistory`: a game whose observations tell again what its seats have read and done."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Self

import numpy as np

from turnwise.envs.core import Step, TextGame
from turnwise.envs.history.diff import zero_context_diff
from turnwise.envs.history.policies import (
    Turn,
    first_and_last,
    history_policy,
    summary_request,
    transcript,
    with_summary,
)
from turnwise.envs.mirror import declarations, declare
from turnwise.envs.parsing import write_action
from turnwise.records import Message, Request

_SUMMARY_STREAM = 0x50AA  # keeps the seeds of summaries apart from the game's own chance
_UNCHANGED = "Nothing has changed."

Summarizer = Any
"""A callable text -> text, or an agent: anything with `act(requests) -> replies`."""


class Memory:
    """What one seat has read and done in this episode."""

    __slots__ = ("board", "now", "summarized", "summary", "turns")

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.now = ""
        """What it has read since its last action."""
        self.board: str | None = None
        """What the next diff is taken against; None before the first observation."""
        self.summary, self.summarized = "", 0
        """Of the first `summarized` turns."""

    def copy(self) -> Memory:
        """An independent one."""
        twin = copy.copy(self)
        twin.turns = self.turns.copy()
        return twin


class WithHistory(TextGame):
    """Another game, but for the observations of a seat while it plays.

    history, at a turn of the seat:
    - "news": what the game says itself;
    - "full": all that the seat has read, with its own actions in between;
    - "last(k)": the same of its k latest turns, the current one counted, so that "last(1)" is the news;
    - "first_last": its first observation (the rules) and the news;
    - "board": the game's `board` alone; only for games that have one;
    - "diff": at first the whole text, then the zero-context diff of the board, or of the observation where the game
      has no board, against the seat's last one;
    - "summary": a summary of the earlier turns by `summarizer`, then the news. It is made from the summary before and
      the turn since then, once a turn.
    The seat's actions stand as they were played, not as the whole replies they were read from, and invalid replies are
    not remembered: the referee's notice of one comes first, then the observation. At the end of the game "board",
    "diff" and "summary" give the news. Only a seat's own view is told again, so nothing leaks. A summarizer is called
    from a thread where the game lives in a worker process.
    Raises ValueError where the policy is unknown or does not fit the game.
    """

    def __init__(self, game: TextGame, history: object = "full", *, summarizer: Summarizer = None) -> None:
        self.game = game
        self.history = history_policy(history)
        name = self.history.name
        if name == "board" and not game.has_board:
            raise ValueError(
                f"history='board' needs a game that shows its board: {type(game).__name__} does not (has_board is "
                "False); use 'first_last' or 'last(k)'"
            )
        if (name == "summary") != (summarizer is not None):
            raise ValueError(
                "history='summary' and summarizer= come together (a callable text -> text, or an agent): "
                f"got history={name!r} and summarizer={summarizer!r}"
            )
        self.self_contained = name in ("full", "last", "first_last", "board", "summary")
        """Each observation tells all that there is to tell, so that a new one replaces the one before."""
        self._summarizer = summarizer
        self._seed = 0
        self._memories: dict[str, Memory] = {}
        self._mirror()

    def _mirror(self) -> None:
        declare(self, declarations(self.game))
        self.seat = self.game.seat

    # The episode

    def start(self, rng: np.random.Generator) -> None:
        if self._summarizer is not None:  # from a copy, so that the game's own chance is what it was
            self._seed = int(copy.deepcopy(rng).integers(2**63))
        self.seat = None
        self._memories = {seat: Memory() for seat in self.game.seats}
        self.game.start(rng)
        self._mirror()

    def observe(self, seat: str) -> str:
        news = self.game.observe(seat)
        if not news:
            return ""
        memory = self._memories[seat]
        memory.now = f"{memory.now}\n{news}" if memory.now else news
        return self._tell(seat, memory, news)

    def play(self, action: str) -> Step:
        seat, legal = self.game.seat, self.game.legal()
        step = self.game.play(action)
        memory = self._memories[seat or ""]
        memory.turns.append(Turn(memory.now, write_action(action, legal)))
        memory.now = ""
        self.seat = self.game.seat
        return step

    def _tell(self, seat: str, memory: Memory, news: str) -> str:
        over = self.game.seat is None
        match self.history.name:
            case "full":
                return transcript(memory.turns, memory.now)
            case "last":
                earlier = len(memory.turns) - self.history.turns + 1
                return transcript(memory.turns[max(earlier, 0) :], memory.now)
            case "first_last":
                return first_and_last(memory.turns, memory.now)
            case "board" if not over:
                return self.game.board(seat)
            case "diff" if not over:
                return self._diff(seat, memory, news)
            case "summary" if not over and memory.turns:
                return with_summary(self._summary(seat, memory), memory.now)
        return news

    def _diff(self, seat: str, memory: Memory, news: str) -> str:
        before, now = memory.board, self.game.board(seat) if self.game.has_board else news
        memory.board = now
        if before is None:
            return news if now in news else f"{news}\n{now}"
        return zero_context_diff(before, now) or _UNCHANGED

    def _summary(self, seat: str, memory: Memory) -> str:
        for at in range(memory.summarized, len(memory.turns)):
            request = summary_request(memory.summary, memory.turns[at])
            seed = np.random.default_rng((self._seed, _SUMMARY_STREAM, self.seats.index(seat), at)).integers(2**63)
            memory.summary, memory.summarized = summarize(self._summarizer, request, seat, int(seed)), at + 1
        return memory.summary

    # What is the game's alone

    def legal(self) -> Sequence[str] | None:
        return self.game.legal()

    def sample_action(self, rng: np.random.Generator) -> str:
        return self.game.sample_action(rng)

    def lead_in(self) -> str:
        return self.game.lead_in()

    def lead_ins(self) -> tuple[str, ...]:
        return self.game.lead_ins()

    def ground_truth(self) -> str:
        return self.game.ground_truth()

    def anchor(self) -> str:
        return self.game.anchor()

    def board(self, seat: str) -> str:
        return self.game.board(seat)

    def secrets(self, seat: str) -> tuple[str, ...]:
        return self.game.secrets(seat)

    def solution(self) -> tuple[str, ...]:
        return self.game.solution()

    def tools(self) -> tuple[Mapping[str, Any], ...]:
        return self.game.tools()

    def close(self) -> None:
        self.game.close()

    def clone(self) -> Self:
        twin = copy.copy(self)
        twin.game = self.game.clone()
        twin._memories = {seat: memory.copy() for seat, memory in self._memories.items()}
        return twin


def summarize(summarizer: Summarizer, text: str, seat: str, seed: int) -> str:
    """What a callable or an agent makes of the text. Raises TypeError where that is no text."""
    act: Callable[..., Any] | None = getattr(summarizer, "act", None)
    if act is None:
        summary = summarizer(text)
    else:
        (reply,) = act([Request(seat=seat, messages=(Message("user", text),), seed=seed)])
        summary = reply.text
    if not isinstance(summary, str):
        raise TypeError(f"a summarizer returns a text: got {type(summary).__name__}")
    return summary


def played_game(game: TextGame) -> TextGame:
    """The game itself, without what tells its history: for players that look at the game and not at its texts."""
    while _wraps(type(game)):
        game = game.game  # type: ignore[attr-defined]  # it is `WithHistory`
    return game


@lru_cache(maxsize=1_024)
def _wraps(kind: type[TextGame]) -> bool:
    """Asking the class once: an abstract one answers slowly."""
    return issubclass(kind, WithHistory)
