"""What every shaping and every reward term in the registries promises, on games that nobody picked."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.credit.episodes import learner_seats
from turnwise.algorithms.rewards import REWARDS
from turnwise.algorithms.shaping import SHAPINGS
from turnwise.records import Episode

pytestmark = pytest.mark.filterwarnings("ignore:.*groups have one reward")
quiet = settings(max_examples=10, suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow])

# --- shapings ------------------------------------------------------------------------------------------------------

SHAPED: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in sorted(SHAPINGS)),
    ("aspo_tool", {"correct": -9.0}),
    ("pav", {"alpha": 0.5, "best_of": 3, "bootstrap": True}),
]
"""Every shaping, and settings that change how it behaves."""
WHOLE_BATCH = {"entropy_aware": "mean and spread of the entropy are those of the batch"}
"""Shapings that other groups and seats have a part in: name -> why."""
ADDING = {"pav": "the prover's advantage counts where the outcome's is 0 as well"}
"""Shapings that make something of 0: name -> why."""
ADDED = {"pav": "progress is added, and a turn of a group of equal outcomes can make some"}
"""Shapings that say something of turns whose advantage is 0: name -> why."""
TABLES = {"grpo": {}, "gae": {"per": "token"}, "arpo": {"attribution": "hard"}}
"""Credit whose tables are shaped: numbers per turn, per token, and turns that are left out."""


def credited(name: str, games: list[Episode]) -> list[list[Any]]:
    return CREDITS[name].function(games, {}, CREDITS[name].settings(**TABLES[name])).advantages


@pytest.mark.parametrize(("name", "fields"), SHAPED)
@quiet
@given(data=st.data(), method=st.sampled_from(sorted(TABLES)), random=st.randoms(use_true_random=False))
def test_a_shaping_changes_trained_numbers_and_nothing_else(name, fields, data, method, random, plays, tables) -> None:
    games = data.draw(plays.batch())
    table = credited(method, games)
    before = [list(row) for row in table]
    chosen = SHAPINGS[name].settings(**fields)
    shaped, metrics = SHAPINGS[name].function(games, table, chosen)
    assert table == before, "the old table is left alone"
    numbers, old = tables.spelled(shaped, games), tables.spelled(table, games)
    assert tables.shape(numbers) == tables.shape(old)
    assert all(map(math.isfinite, [*tables.flat(numbers), *metrics.values()]))
    pairs = zip(tables.flat(numbers), tables.flat(old), strict=True)
    assert name in ADDED or not any(new for new, value in pairs if value == 0.0), "0 stays 0"

    assert tables.same(
        SHAPINGS[name].function([plays.poisoned(game) for game in games], table, chosen)[0], shaped, games
    )
    order = random.sample(range(len(games)), len(games))
    moved, _ = SHAPINGS[name].function([games[i] for i in order], [table[i] for i in order], chosen)
    assert tables.same([moved[order.index(index)] for index in range(len(games))], shaped, games)


@pytest.mark.parametrize(("name", "fields"), [case for case in SHAPED if case[0] not in WHOLE_BATCH])
@quiet
@given(data=st.data(), method=st.sampled_from(sorted(TABLES)))
def test_other_groups_and_the_learners_other_seat_change_nothing(name, fields, data, method, plays, tables) -> None:
    games, other = data.draw(plays.batch()), data.draw(plays.single("z"))
    table = credited(method, games)
    shaping, chosen = SHAPINGS[name].function, SHAPINGS[name].settings(**fields)
    shaped, _ = shaping(games, table, chosen)
    more, _ = shaping([*games, other], [*table, credited("grpo", [other])[0]], chosen)
    assert tables.same(more[: len(games)], shaped, games)

    handed = [replace(game, seats={**game.seats, "1": "random"}) for game in games]
    first = [
        [None if turn.seat == "1" else entry for turn, entry in zip(game.turns, row, strict=True)]
        for game, row in zip(games, table, strict=True)
    ]
    expected = [
        [None if turn.seat == "1" else entry for turn, entry in zip(game.turns, row, strict=True)]
        for game, row in zip(games, shaped, strict=True)
    ]
    assert tables.same(shaping(handed, first, chosen)[0], expected, games)


@pytest.mark.parametrize("name", sorted(SHAPINGS))
def test_nothing_to_shape(name) -> None:
    assert SHAPINGS[name].function([], [], SHAPINGS[name].settings())[0] == []


# --- rewards -------------------------------------------------------------------------------------------------------

TERMS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in sorted(REWARDS)),
    ("overlong", {"max_length": 4, "cache": 3, "measure": "episode"}),
    ("format", {"count": "share"}),
    ("kl", {"policy": "sampler", "estimator": "k3"}),
    ("length", {"max_length": 4, "curve": "linear", "measure": "episode"}),
    *(("normalise", {"mode": mode}) for mode in ("min_max", "clip", "tanh", "sigmoid")),
    *(("par", {"mode": mode}) for mode in ("tanh", "centred", "log_sigmoid")),
    ("pav", {"best_of": 3, "bootstrap": True}),
    ("toolrl", {"scale": "smooth", "matching": "strict", "length_bonus": "growing"}),
]


@pytest.mark.parametrize(("name", "chosen"), TERMS)
@quiet
@given(data=st.data())
def test_a_reward_term_keeps_the_books(name, chosen, data, plays) -> None:
    games = data.draw(plays.batch())
    written = [game.to_json() for game in games]
    function, record = REWARDS[name].function, REWARDS[name].settings(**chosen)
    after, state, metrics = function(games, {}, record)
    assert [game.to_json() for game in games] == written, "the old games are left alone"
    assert all(map(math.isfinite, metrics.values()))
    for old, new in zip(games, after, strict=True):
        seats = learner_seats(old, "policy")
        assert seats or new == old, "a crashed game stays as it is"
        assert untold(new) == untold(old), "only rewards change"
        for seat in plays.seats:
            check_seat(old, new, seat, seat in seats)

    kept = json.loads(json.dumps(state))
    assert kept == state, "the state must survive a checkpoint"
    assert function(games, kept, record) == function(games, state, record)
    fouled = function([plays.poisoned(game) for game in games], {}, record).episodes
    for game, other in zip(after, fouled, strict=True):
        assert all(other.returns[seat] == game.returns[seat] for seat in learner_seats(game, "policy"))


def check_seat(old: Episode, new: Episode, seat: str, learns: bool) -> None:
    """The return is what the turns earned and what came from outside, as before, and the sum of its parts."""
    before, now = ([turn.reward for turn in game.turns if turn.seat == seat] for game in (old, new))
    if not learns:
        assert (new.returns[seat], now) == (old.returns[seat], before), "another's seat stays as it is"
    elif now:
        assert new.returns[seat] - sum(now) == pytest.approx(old.returns[seat] - sum(before), abs=1e-6)
    parts = new.reward_parts or {}
    assert sum(amounts[seat] for amounts in parts.values()) == pytest.approx(new.returns[seat], abs=1e-6)


def untold(game: Episode) -> Episode:
    """The game without what it paid."""
    turns = tuple(replace(turn, reward=0.0) for turn in game.turns)
    return replace(game, turns=turns, returns=dict.fromkeys(game.seats, 0.0), reward_parts=None)
