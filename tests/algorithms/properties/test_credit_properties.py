"""What every credit method in the registry promises, on games that nobody picked.

A method that enters the registry is held to all of it. One that claims less says so, and why, in `LESS`.
"""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.credit import CREDITS, CreditResult, TurnCredit
from turnwise.algorithms.credit.episodes import is_finished, is_trained
from turnwise.algorithms.rewards.amounts import add, at_last
from turnwise.records import Episode, Turn

pytestmark = pytest.mark.filterwarnings("ignore:.*groups have one reward")

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "rae as in the paper": ("rae", {"order": "update_then_read", "turn_discount": 0.5, "filter_zero": True}),
    "rae without memory": ("rae", {"decay": 1.0, "key": "role"}),
    "return discounted": ("return", {"discount": 0.5}),
    "grpo over the batch": ("grpo", {"centre": "batch", "scale": "batch"}),
    "grpo of mixed groups": ("grpo", {"scale": "none", "keep_equal": False}),
    "igpo joint": ("igpo", {"norm_mode": "joint"}),
    "igpo scaled": ("igpo", {"norm_mode": "scaled_separate", "gamma": 0.9}),
    "igpo raw": ("igpo", {"norm_mode": "raw_ig"}),
    "igpo as it is": ("igpo", {"norm_mode": "none", "adaptive_gamma_min_weight": 0.5}),
    "igpo fined": ("igpo", {"score": "prob", "zero_is_missing": True, "format_penalty": -1.0}),
    "arpo hard": ("arpo", {"attribution": "hard"}),
    "arpo hard by paths": ("arpo", {"attribution": "hard", "weight_by_paths": True}),
    "spo_chain per token": ("spo_chain", {"per": "token", "whiten": False, "prob_threshold": 0.5}),
    "spo_tree as it is": ("spo_tree", {"drop_zero": False, "whiten": False, "prob_threshold": None}),
    "spo_tree by spread": ("spo_tree", {"method": "mean_std", "prob_threshold": 0.5}),
    "opmd soft maximum": ("opmd", {"baseline": "logavgexp", "singleton": "zero"}),
    "opmd less surplus": ("opmd", {"drop_surplus": True, "singleton": "zero"}),
    "gae per token": ("gae", {"per": "token", "gamma": 0.9}),
    "gae as it is": ("gae", {"whiten": False, "bootstrap_truncated": False}),
    "tppo as it is": ("tppo", {"bootstrap": "end_value", "whiten": False}),
    "rebn discounted": ("rebn", {"gamma": 0.5, "std": "sample"}),
    "gigpo undiscounted": ("gigpo", {"gamma": 1.0, "mode": "mean_std_norm", "episode_stats": "per_trajectory"}),
    "gigpo by similarity": ("gigpo", {"gamma": 1.0, "anchor_similarity": 0.6}),
    "gigpo over the batch": ("gigpo", {"gamma": 1.0, "anchor_scope": "batch"}),
    "gdpo as it is": ("gdpo", {"whiten": False, "weights": {"task": 1.0, "style": 0.5}}),
    "canon by entropy": ("canon", {"metric": "entropy", "mu": 0.2}),
    "canon by calls": ("canon", {"metric": "tool_calls", "schedule": "cosine"}),
    "canon tilted": ("canon", {"metric": "turns", "alpha": 0.5, "b": 0.25}),
    "bnpo by parts": ("bnpo", {"parts": ("task", "style"), "clamp": True, "cap": 10.0}),
    "hapo that falls back": ("hapo", {"limit": 1.2}),
    "optimal_token_baseline everywhere": ("optimal_token_baseline", {"zero_tail": False, "eps": 1e-12}),
}
"""Settings that change how a method behaves, beside its defaults."""
CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in CREDITS} | VARIANTS

DISCOUNT = "a turn without tokens is a step of time as well, and discounts what was earned before it"
WHOLE = "a statistic of the whole batch is part of it"
OWN = "its baseline does not come from the group"
LATE = "the same reward is worth more to a later turn"
BARE = {
    **dict.fromkeys(["rae", "rae as in the paper", "rae without memory", "return", "return discounted"], OWN),
    **dict.fromkeys(["topr", "gae", "gae per token", "gae as it is", "tppo", "tppo as it is"], OWN),
    **dict.fromkeys(["spo_chain", "spo_chain per token", "igpo as it is"], OWN),
    **dict.fromkeys(["rebn discounted", "gigpo"], LATE),
    "igpo joint": "gains and outcomes have one mean",
    "opmd": "a group of one gets its raw return",
    "canon tilted": "alpha weighs the reward itself",
}
"""Cases that do not compare like with like: case -> why."""
LESS: dict[str, dict[str, str]] = {
    "order": {
        "rae": "the baseline moves from game to game",
        "rae as in the paper": "the baseline moves from game to game",
        "opmd less surplus": "who is left out is drawn by place",
        "gigpo by similarity": "the oldest member of a cluster decides who joins",
    },
    "company": {
        **dict.fromkeys(["grpo over the batch", "igpo scaled", "spo_chain", "spo_tree", "spo_tree by spread"], WHOLE),
        **dict.fromkeys(["gae", "gae per token", "tppo", "rebn", "rebn discounted", "gdpo"], WHOLE),
        **dict.fromkeys(["gigpo over the batch", "bnpo", "bnpo by parts"], WHOLE),
        "opmd less surplus": "who is left out is drawn by place",
    },
    "silence": {
        "return discounted": DISCOUNT,
        "rebn discounted": DISCOUNT,
        "gigpo": DISCOUNT,
        "rae as in the paper": DISCOUNT,
    },
    "constant": {
        **BARE,
        "igpo fined": "the fine stays what it is",
        "optimal_token_baseline": "no baseline where the longest trajectory is alone",
    },
    "equal": {
        **BARE,
        "optimal_token_baseline": "its divisor holds an eps",
        "optimal_token_baseline everywhere": "its divisor holds an eps",
    },
}
"""Property -> cases that do not claim it -> why."""
OF_BATCH = {"rebn", "grpo over the batch", "gigpo over the batch", "bnpo", "bnpo by parts"}
"""Here a group is the whole batch: a constant is added to all of it, all of it is equal."""
TIES = {"canon": "of equal metrics, the first in the batch count as low"}
"""Methods whose order counts among episodes of equal size, so that these are taken out: name -> why."""


def claiming(property: str = "") -> Any:
    """The decorator of a test of all cases of one method that claim a property; of all cases without one."""
    cases = sorted(set(CASES) - set(LESS.get(property, ())))
    by_method = {name: [case for case in cases if CASES[case][0] == name] for name in sorted(CREDITS)}
    params = [pytest.param(of_method, id=name) for name, of_method in by_method.items() if of_method]
    return pytest.mark.parametrize("cases", params)


def examples(count: int) -> Any:
    """The settings of a property."""
    quiet = [HealthCheck.differing_executors, HealthCheck.too_slow]
    return settings(max_examples=count, suppress_health_check=quiet)


def credit(case: str, games: list[Episode], learner: str = "policy") -> CreditResult:
    name, chosen = CASES[case]
    return CREDITS[name].function(games, {}, CREDITS[name].settings(**chosen), learner)


def picked(result: CreditResult, kept: list[list[int]]) -> CreditResult:
    """The result with these turns of each game alone."""

    def of(table: TurnCredit) -> TurnCredit:
        return [[row[index] for index in places] for row, places in zip(table, kept, strict=True)]

    return result._replace(advantages=of(result.advantages), targets=result.targets and of(result.targets))


def rows(result: CreditResult, places: list[int]) -> CreditResult:
    """The result of these games alone, in this order."""
    targets = result.targets and [result.targets[place] for place in places]
    return result._replace(advantages=[result.advantages[place] for place in places], targets=targets)


@pytest.fixture(scope="module")
def agree(tables: Any) -> Any:
    """Whether two results have the same advantages and the same targets."""

    def compare(found: CreditResult, expected: CreditResult, games: list[Episode]) -> bool:
        pairs = [(found.advantages, expected.advantages)]
        if expected.targets is not None:
            pairs.append((found.targets or [], expected.targets))
        return all(tables.same(mine, theirs, games) for mine, theirs in pairs)

    return compare


def test_the_table_names_cases() -> None:
    assert {case for cases in LESS.values() for case in cases} <= set(CASES)
    assert set(CASES) >= OF_BATCH
    assert set(CREDITS) >= set(TIES)


@claiming()
@examples(10)
@given(data=st.data(), size=st.sampled_from([1.0, 1e6, 1e-6]))
def test_every_number_is_finite_and_on_the_learners_tokens(cases, data, size, plays, tables) -> None:
    games = data.draw(plays.batch(least=0, size=size))
    for result in (credit(case, games) for case in cases):
        for table in filter(None, (result.advantages, result.targets)):
            numbers = tables.spelled(table, games)
            assert all(map(math.isfinite, tables.flat(numbers)))
            for game, row in zip(games, numbers, strict=True):
                for turn, entry in zip(game.turns, row, strict=True):
                    allowed = is_finished(game) and is_trained(game, turn, "policy")
                    assert len(entry) in ((0, len(turn.completion_ids)) if allowed else (0,))
        assert all(map(math.isfinite, result.metrics.values()))
        assert json.loads(json.dumps(result.state)) == result.state


@claiming("order")
@examples(10)
@given(data=st.data(), random=st.randoms(use_true_random=False))
def test_a_permutation_of_the_batch_permutes_the_result(cases, data, random, plays, agree) -> None:
    games = data.draw(plays.batch())
    if CASES[cases[0]][0] in TIES:
        games = without_ties(games)
    order = random.sample(range(len(games)), len(games))
    back = [order.index(index) for index in range(len(games))]
    for case in cases:
        moved = credit(case, [games[index] for index in order])
        assert agree(rows(moved, back), credit(case, games), games), case


def without_ties(games: list[Episode]) -> list[Episode]:
    """Those games in which no seat of the learner is as long, by any measure, as in an earlier one of its group."""
    kept: list[Episode] = []
    seen: set[Any] = set()
    for game in games:
        sizes = {(game.group, seat, *size) for seat in "01" for size in sizes_of(game, seat)}
        if not sizes & seen:
            kept.append(game)
            seen |= sizes
    return kept


def sizes_of(game: Episode, seat: str) -> list[tuple[str, int]]:
    mine = [turn for turn in game.turns if turn.seat == seat and turn.completion_ids]
    tokens, calls = sum(len(turn.completion_ids) for turn in mine), sum(len(turn.tool_calls) for turn in mine)
    return [("turns", len(mine)), ("tokens", tokens), ("calls", calls)]


@claiming()
@examples(8)
@given(data=st.data(), place=st.integers(0, 6))
def test_what_is_not_the_learners_changes_nothing(cases, data, place, plays, agree) -> None:
    games, strange = data.draw(plays.batch()), data.draw(plays.single("g"))
    spoilt = [plays.poisoned(game) for game in games]
    renamed = [replace(game, seats={s: a.replace("policy", "pupil") for s, a in game.seats.items()}) for game in games]
    kept = [index for index in range(len(games) + 1) if index != min(place, len(games))]
    idle = (replace(strange, status="env_error"), replace(strange, seats=dict.fromkeys(plays.seats, "random")))
    for case in cases:
        plain = credit(case, games)
        assert agree(credit(case, spoilt), plain, games), f"{case}: what others got and wrote"
        assert credit(case, renamed, "pupil").advantages == plain.advantages, f"{case}: the learner's name"
        for extra in idle:
            found = credit(case, [*games[:place], extra, *games[place:]])
            assert agree(rows(found, kept), plain, games), f"{case}: a game that teaches nothing"


@claiming("company")
@examples(8)
@given(data=st.data())
def test_other_groups_and_the_learners_other_seat_change_nothing(cases, data, plays, agree) -> None:
    games, other = data.draw(plays.batch()), data.draw(plays.single("z"))
    longer = [*games, replace(other, env_id="Other")]
    handed = [replace(game, seats={**game.seats, "1": "random"}) for game in games]
    first = [[index for index, turn in enumerate(game.turns) if turn.seat == "0"] for game in games]
    alone = [replace(game, turns=tuple(t for t in game.turns if t.seat == "0")) for game in games]
    for case in cases:
        plain = credit(case, games)
        assert agree(rows(credit(case, longer), list(range(len(games)))), plain, games), f"{case}: another group"
        assert agree(picked(credit(case, handed), first), picked(plain, first), alone), f"{case}: another seat"


@claiming()
@examples(8)
@given(data=st.data(), place=st.integers(0, 6))
def test_a_seat_of_another_changes_nothing(cases, data, place, plays, agree) -> None:
    guest = Turn(seat="guest", observation=(), text="", prompt_ids=(7,), completion_ids=(8,), logprobs=(-1.0,))
    games = data.draw(plays.batch(forks=False))
    seated = [
        replace(game, seats={**game.seats, "guest": "random"}, returns={**game.returns, "guest": 5.0}) for game in games
    ]
    check_padding(cases, games, seated, guest, place, agree)


@claiming("silence")
@examples(8)
@given(data=st.data(), place=st.integers(0, 6), seat=st.sampled_from("01"))
def test_a_turn_without_tokens_changes_nothing(cases, data, place, seat, plays, agree) -> None:
    games = data.draw(plays.batch(forks=False))
    check_padding(cases, games, games, Turn(seat=seat, observation=(), text=""), place, agree)


def check_padding(cases, games, padded, turn, place, agree) -> None:
    """`padded` are the games that get the turn at this place, or at their end; nothing else may change."""
    places = [min(place, len(game.turns)) for game in games]
    longer = [
        replace(game, turns=(*game.turns[:place], turn, *game.turns[place:]))
        for place, game in zip(places, padded, strict=True)
    ]
    kept = [[i for i in range(len(game.turns)) if i != place] for place, game in zip(places, longer, strict=True)]
    for case in cases:
        found = credit(case, longer)
        assert all(row[place] is None for row, place in zip(found.advantages, places, strict=True)), case
        assert agree(picked(found, kept), credit(case, games), games), case


@claiming("constant")
@examples(10)
@given(data=st.data(), shifts=st.tuples(st.integers(-99, 99), st.integers(-99, 99)))
def test_a_constant_added_to_the_rewards_of_a_group_changes_nothing(cases, data, shifts, plays, agree) -> None:
    games = data.draw(plays.batch())

    def richer(shift_of: dict[str, int]) -> list[Episode]:
        extra = {group: float(shift) for group, shift in shift_of.items()}
        return [add(game, {s: {"task": at_last(game, s, extra[game.group])} for s in plays.seats}) for game in games]

    apart, together = richer({"g": shifts[0], "h": shifts[1]}), richer(dict.fromkeys("gh", shifts[0]))
    for case in cases:
        found = credit(case, together if case in OF_BATCH else apart)
        assert agree(found, credit(case, games), games), case


@claiming("equal")
@examples(10)
@given(data=st.data(), rewards=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_equal_rewards_give_exactly_zero(cases, data, rewards, plays, tables) -> None:
    games = data.draw(plays.batch())
    apart = [equal(game, rewards[:2] if game.group == "g" else rewards[2:]) for game in games]
    together = [equal(game, rewards[:1] * 2) for game in games]
    for case in cases:
        table = credit(case, together if case in OF_BATCH else apart).advantages
        assert not any(tables.flat(tables.spelled(table, games))), case


def equal(game: Episode, rewards: list[float]) -> Episode:
    """The game in which seat 0 gets the first and the others the second, at the end, and no turn stands out."""
    got = {seat: rewards[seat != "0"] for seat in game.seats}
    last = {turn.seat: index for index, turn in enumerate(game.turns)}
    turns = [
        replace(turn, reward=got[turn.seat] if index == last[turn.seat] else 0.0, status="ok", answer_logprob=-1.0)
        for index, turn in enumerate(game.turns)
    ]
    parts = {"task": got, "style": dict.fromkeys(game.seats, 0.0)}
    return replace(game, turns=tuple(turns), returns=got, reward_parts=parts)


# --- from turns to tokens ------------------------------------------------------------------------------------------

Token = tuple[tuple[int, ...], int, float]
"""All that stands before a trained token in its row, the token, its advantage in float32."""


@claiming()
@examples(8)
@given(data=st.data())
def test_advantages_land_on_the_sampled_tokens_and_nowhere_else(cases, data, plays, tables) -> None:
    games = data.draw(plays.batch())
    said = tuple(range(90_000, 90_040))  # wider than all others
    turn = Turn(seat="0", observation=(), text="", prompt_ids=said, completion_ids=said, logprobs=(-1.0,) * 40)
    wide = Episode(id="wide", env_id="Game", seats={"0": "policy"}, turns=(turn,), returns={"0": 0.0})
    for case in cases:
        table = credit(case, games).advantages
        wanted = sorted(
            (turn.prompt_ids + turn.completion_ids[:index], turn.completion_ids[index], float(np.float32(value)))
            for game, row in zip(games, tables.spelled(table, games), strict=True)
            for turn, entry in zip(game.turns, row, strict=True)
            for index, value in enumerate(entry)
        )
        assert landed(pack(games, table, pad_id=0)) == wanted, case
        found = landed(pack([*games, wide], [*table, [0.5]], pad_id=0))
        assert [token for token in found if token[1] < said[0]] == wanted, case
        assert [token[1:] for token in found if token[1] >= said[0]] == [(token, 0.5) for token in said], case


def landed(batch: Batch | None) -> list[Token]:
    """The trained tokens of a batch, sorted; nothing stands beside them."""
    if batch is None:
        return []
    assert not batch.advantages[~batch.mask].any()
    columns = (batch.token_row[batch.token_index], batch.token_position[batch.token_index], batch.advantages)
    return sorted(
        (tuple(batch.ids[row, :place].tolist()), int(batch.ids[row, place]), value)
        for row, place, value in zip(*(column[batch.mask].tolist() for column in columns), strict=True)
    )
