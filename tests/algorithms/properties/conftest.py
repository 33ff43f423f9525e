"""Games that nobody picked: ragged, forked, crashed, with silent turns and several seats; and tables of numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import strategies as st

from turnwise.algorithms.credit import TurnCredit
from turnwise.algorithms.credit.episodes import is_finished, learner_seats
from turnwise.records import Episode, Turn

SEATS = ("0", "1", "2")
CALL = '{"name": "search", "arguments": {"query": "cat"}}'


SEEDS = st.integers(0, 249)
"""Of a game: who speaks, how it ends, and every number follow from it."""


class Plays(NamedTuple):
    """Strategies of games, and what spoils them."""

    annotated: Callable[[Episode], Episode]
    seats: tuple[str, ...] = SEATS

    def batch(self, *, least: int = 3, size: float = 1.0, forks: bool = True) -> Any:
        """Lists of `least` games or more, some of them forked from earlier ones; rewards come in steps of `size`."""
        return _batch(self.annotated, least, size, forks)

    def single(self, group: str) -> Any:
        """One finished game that the learner took part in."""
        return _single(self.annotated, group)

    def poisoned(self, game: Episode) -> Episode:
        """NaN, or another number where there must be one, wherever it is not the learner's; all over after a crash."""
        mine = set(learner_seats(game, "policy"))
        lost = {seat: math.nan for seat in game.seats if seat not in mine}
        parts = {part: {**amounts, **lost} for part, amounts in (game.reward_parts or {}).items()}
        return replace(
            game,
            turns=tuple(turn if turn.seat in mine else _poisoned(turn) for turn in game.turns),
            returns={seat: value if seat in mine else -7.0 * value - 3.0 for seat, value in game.returns.items()},
            end_values={**(game.end_values or {}), **lost},
            reward_parts=parts,
        )


@pytest.fixture(scope="session")
def plays(annotated: Callable[[Episode], Episode]) -> Plays:
    return Plays(annotated)


@cache
def _batch(annotated: Callable[[Episode], Episode], least: int, size: float, forks: bool) -> Any:
    return st.lists(SEEDS, min_size=least, max_size=8).map(lambda seeds: _played(seeds, annotated, size, forks))


@cache
def _single(annotated: Callable[[Episode], Episode], group: str) -> Any:
    return SEEDS.map(lambda seed: replace(annotated(_game(seed, 99, 1.0)), group=group, status="ok"))


def _played(seeds: Sequence[int], annotated: Callable[[Episode], Episode], size: float, forks: bool) -> list[Episode]:
    games: list[Episode] = []
    for place, seed in enumerate(seeds):
        game = annotated(_game(seed, place, size))
        above = [other for other in games if is_finished(other) and other.group == game.group]
        if forks and above and seed % 2:
            game = _forked(game, above[seed % len(above)], np.random.default_rng(seed))
        games.append(game)
    return games


@cache
def _game(seed: int, place: int, size: float) -> Episode:
    """In group `g` the learner holds two seats, in `h` one."""
    rng = np.random.default_rng(seed)
    group, grows, most = "ggh"[rng.integers(3)], bool(rng.integers(2)), (6, 6, 6, 2, 0)[rng.integers(5)]
    fresh = itertools.count(1 + 1000 * place)  # no token comes twice in a batch
    heard: dict[str, tuple[int, ...]] = dict.fromkeys(SEATS, ())
    turns = []
    for seat in rng.choice(SEATS, rng.integers(most // 2, most + 1)).tolist():
        read, said = (tuple(itertools.islice(fresh, int(rng.integers(low, low + 3)))) for low in (1, 0))
        prompt = (heard[seat] if grows else ()) + read
        heard = {other: prompt + said if other == seat else words + said for other, words in heard.items()}
        turns.append(_turn(seat, prompt, said, rng, size))
    style = {seat: size * int(rng.integers(0, 3)) for seat in SEATS}
    outside = {seat: size * int(rng.integers(-2, 3)) for seat in SEATS}
    task = {seat: outside[seat] + sum(turn.reward for turn in turns if turn.seat == seat) for seat in SEATS}
    return Episode(
        id=f"game {place}",
        env_id="Game",
        seats={"0": "policy", "1": "random" if group == "h" else "policy", "2": "random"},
        turns=tuple(turns),
        returns={seat: task[seat] + style[seat] for seat in SEATS},
        reward_parts={"task": task, "style": style},
        status=("ok", "ok", "ok", "ok", "truncated", "timeout")[rng.integers(6)],
        group=group,
        metadata={"reference_returns": {seat: [0.0, size] for seat in SEATS}, "reference_calls": [CALL]},
    )


def _turn(seat: str, prompt: tuple[int, ...], said: tuple[int, ...], rng: np.random.Generator, size: float) -> Turn:
    p, q, entropy, values = rng.uniform(0.05, 0.95, (4, len(said)))
    logprobs = tuple(np.log(p).tolist())
    return Turn(
        seat=seat,
        observation=(),
        text="",
        status=("ok", "ok", "unparsable", "illegal")[rng.integers(4)],
        reward=size * int(rng.integers(-3, 4)),
        prompt_ids=prompt,
        completion_ids=said,
        logprobs=logprobs,
        train_logprobs=logprobs,
        reference_logprobs=tuple(np.log(q).tolist()),
        squared_probs=tuple((p**2 + (1.0 - p) ** 2 * 0.5).tolist()),
        token_entropy=tuple(entropy.tolist()),
        token_values=tuple(values.tolist()),
        value=float(rng.uniform()),
        answer_logprob=-float(rng.integers(1, 9)) / 4.0,
        anchor=(None, "room 1", "room 2", "roof")[rng.integers(4)],
        tool_calls=(CALL,) * int(rng.integers(0, 2)),
    )


def _forked(game: Episode, parent: Episode, rng: np.random.Generator) -> Episode:
    """The game going on from somewhere in its parent: between two turns, or inside of one."""
    turn = int(rng.integers(0, len(parent.turns) + 1))
    inside = turn < len(parent.turns) and bool(rng.integers(2))
    token = int(rng.integers(0, len(parent.turns[turn].completion_ids) + 1)) if inside else 0
    turns = parent.turns[: turn + inside] + game.turns[turn + inside :]
    metadata = {**game.metadata, "fork_token": token}
    return replace(game, turns=turns, parent=parent.id, fork_turn=turn, metadata=metadata)


TOKENS = ("train_logprobs", "reference_logprobs", "squared_probs", "token_entropy", "token_values")


def _poisoned(turn: Turn) -> Turn:
    tokens = len(turn.completion_ids)
    return replace(
        turn,
        reward=9.0 - turn.reward,
        status="illegal",
        anchor="nowhere",
        tool_calls=("{",),
        value=math.nan,
        answer_logprob=math.nan,
        logprobs=(-math.inf,) * tokens,
        **dict.fromkeys(TOKENS, (math.nan,) * tokens),
    )


# --- tables --------------------------------------------------------------------------------------------------------

Numbers = list[list[tuple[float, ...]]]
"""Of each turn of each game one number per token; none at all where it is not trained."""


class Tables(NamedTuple):
    """How tables of advantages are read and compared."""

    def spelled(self, table: TurnCredit, games: Sequence[Episode]) -> Numbers:
        return [
            [
                () if entry is None else entry if isinstance(entry, tuple) else (entry,) * len(turn.completion_ids)
                for entry, turn in zip(row, game.turns, strict=True)
            ]
            for row, game in zip(table, games, strict=True)
        ]

    def flat(self, numbers: Numbers) -> Iterator[float]:
        return (number for row in numbers for entry in row for number in entry)

    def shape(self, numbers: Numbers) -> list[list[int]]:
        return [[len(entry) for entry in row] for row in numbers]

    def same(self, found: TurnCredit, expected: TurnCredit, games: Sequence[Episode]) -> bool:
        """Whether the same is trained, with the same numbers up to rounding."""
        mine, theirs = self.spelled(found, games), self.spelled(expected, games)
        numbers = [list(self.flat(table)) for table in (mine, theirs)]
        return self.shape(mine) == self.shape(theirs) and np.allclose(*numbers, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="session")
def tables() -> Tables:
    return Tables()
