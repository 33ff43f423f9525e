"""What whole registries promise: every credit method, shaping and reward term, on games that nobody picked.

A method that enters the registry is held to all of it. One that claims less says so, and why, in `LESS`.
"""

import dataclasses
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.credit import CREDITS, CreditResult, TurnCredit
from turnwise.algorithms.credit.episodes import is_finished, is_trained, learner_seats
from turnwise.algorithms.rewards import REWARDS
from turnwise.algorithms.rewards.amounts import add, at_last
from turnwise.algorithms.shaping import SHAPINGS
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
    "company": dict.fromkeys(
        [
            *("grpo over the batch", "igpo scaled", "spo_chain", "spo_tree", "spo_tree by spread", "gae", "tppo"),
            *("gae per token", "rebn", "rebn discounted", "gigpo over the batch", "gdpo", "bnpo", "bnpo by parts"),
        ],
        WHOLE,
    ),
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


def claiming(property: str) -> list[str]:
    """Every case that claims a property."""
    return sorted(set(CASES) - set(LESS[property]))


def drawn(examples: int, **more: Any) -> Any:
    """The decorator of a property of batches of games."""

    def decorate(test: Any) -> Any:
        quiet = [HealthCheck.differing_executors, HealthCheck.too_slow]
        return settings(max_examples=examples, suppress_health_check=quiet)(given(sketches=batches, **more)(test))

    return decorate


# --- games ---------------------------------------------------------------------------------------------------------

SEATS = ("0", "1", "2")
CALL = '{"name": "search", "arguments": {"query": "cat"}}'


class Sketch(NamedTuple):
    """What is drawn of a game; the numbers follow from the seed."""

    speakers: str
    group: str
    """In `g` the learner holds two seats, in `h` one."""
    status: str
    grows: bool
    """Whether a prompt is the one before, what was said since, and more."""
    seed: int


batches = st.lists(
    st.builds(
        Sketch,
        st.text(SEATS, max_size=6),
        st.sampled_from("gh"),
        st.sampled_from(["ok", "ok", "truncated", "timeout"]),
        st.booleans(),
        st.integers(0, 999),
    ),
    max_size=6,
)


def play(sketches: list[Sketch], annotated: Any, *, size: float = 1.0, forks: bool = True) -> list[Episode]:
    """The games, some of them forked from earlier ones of their group. `size`: task units of the smallest reward."""
    games: list[Episode] = []
    for place, sketch in enumerate(sketches):
        game = annotated(played(sketch, place, size))
        above = [other for other in games if is_finished(other) and other.group == sketch.group]
        if forks and above and sketch.seed % 2:
            game = forked(game, above[sketch.seed % len(above)], np.random.default_rng(sketch.seed))
        games.append(game)
    return games


def played(sketch: Sketch, place: int, size: float) -> Episode:
    rng = np.random.default_rng(sketch.seed)
    fresh = itertools.count(1 + 1000 * place)  # no token comes twice in a batch
    heard: dict[str, tuple[int, ...]] = dict.fromkeys(SEATS, ())
    turns = []
    for seat in sketch.speakers:
        read = tuple(itertools.islice(fresh, int(rng.integers(1, 3))))
        said = tuple(itertools.islice(fresh, int(rng.integers(0, 4))))
        prompt = (heard[seat] if sketch.grows else ()) + read
        heard = {other: prompt + said if other == seat else words + said for other, words in heard.items()}
        turns.append(turn_of(seat, prompt, said, rng, size))
    style = {seat: size * int(rng.integers(0, 3)) for seat in SEATS}
    task = {seat: size * int(rng.integers(-2, 3)) + sum(t.reward for t in turns if t.seat == seat) for seat in SEATS}
    return Episode(
        id=f"game {place}",
        env_id="Game",
        seats={"0": "policy", "1": "policy" if sketch.group == "g" else "random", "2": "random"},
        turns=tuple(turns),
        returns={seat: task[seat] + style[seat] for seat in SEATS},
        reward_parts={"task": task, "style": style},
        status=sketch.status,
        group=sketch.group,
        metadata={"reference_returns": {seat: [0.0, size] for seat in SEATS}, "reference_calls": [CALL]},
    )


def turn_of(seat: str, prompt: tuple[int, ...], said: tuple[int, ...], rng: np.random.Generator, size: float) -> Turn:
    p = rng.uniform(0.05, 0.95, len(said))
    return Turn(
        seat=seat,
        observation=(),
        text="",
        status=("ok", "ok", "unparsable", "illegal")[rng.integers(4)],
        reward=size * int(rng.integers(-3, 4)),
        prompt_ids=prompt,
        completion_ids=said,
        logprobs=tuple(np.log(p).tolist()),
        train_logprobs=tuple(np.log(p).tolist()),
        reference_logprobs=tuple(np.log(rng.uniform(0.05, 0.95, len(said))).tolist()),
        squared_probs=tuple((p**2 + (1.0 - p) ** 2 * 0.5).tolist()),
        token_entropy=tuple(rng.uniform(0.0, 2.0, len(said)).tolist()),
        token_values=tuple(rng.uniform(0.0, 1.0, len(said)).tolist()),
        value=float(rng.uniform(0.0, 1.0)),
        answer_logprob=-float(rng.integers(1, 9)) / 4.0,
        anchor=(None, "room 1", "room 2", "roof")[rng.integers(4)],
        tool_calls=(CALL,) * int(rng.integers(0, 2)),
    )


def forked(game: Episode, parent: Episode, rng: np.random.Generator) -> Episode:
    """The game going on from somewhere in its parent: between two turns, or inside of one."""
    turn = int(rng.integers(0, len(parent.turns) + 1))
    inside = turn < len(parent.turns) and bool(rng.integers(2))
    token = int(rng.integers(0, len(parent.turns[turn].completion_ids) + 1)) if inside else 0
    turns = parent.turns[: turn + inside] + game.turns[turn + inside :]
    metadata = {**game.metadata, "fork_token": token}
    return replace(game, turns=turns, parent=parent.id, fork_turn=turn, metadata=metadata)


def credit(case: str, games: list[Episode], learner: str = "policy") -> CreditResult:
    name, chosen = CASES[case]
    method = CREDITS[name]
    return method.function(games, {}, method.settings(**chosen), learner)


Numbers = list[tuple[float, ...]]


def spelled(table: TurnCredit, games: list[Episode]) -> list[Numbers]:
    """One number per token; none at all where a turn is not trained."""
    return [
        [
            () if entry is None else entry if isinstance(entry, tuple) else (entry,) * len(turn.completion_ids)
            for entry, turn in zip(row, game.turns, strict=True)
        ]
        for row, game in zip(table, games, strict=True)
    ]


def same(found: TurnCredit, expected: TurnCredit, games: list[Episode]) -> bool:
    """Whether the same is trained, with the same numbers up to rounding."""
    mine, theirs = spelled(found, games), spelled(expected, games)
    shapes = [[[len(entry) for entry in row] for row in table] for table in (mine, theirs)]
    return shapes[0] == shapes[1] and np.allclose(list(flat(mine)), list(flat(theirs)), rtol=1e-6, atol=1e-6)


def flat(table: list[Numbers]) -> Iterator[float]:
    return (number for row in table for entry in row for number in entry)


def same_result(found: CreditResult, expected: CreditResult, games: list[Episode]) -> bool:
    """Whether advantages and targets are the same."""
    targets = found.targets is None or same(found.targets, expected.targets or [], games)
    return targets and same(found.advantages, expected.advantages, games)


def test_the_table_names_cases() -> None:
    assert {case for cases in LESS.values() for case in cases} <= set(CASES)
    assert set(CASES) >= OF_BATCH
    assert set(CREDITS) >= set(TIES)


# --- credit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", sorted(CASES))
@drawn(10, size=st.sampled_from([1.0, 1e6, 1e-6]))
def test_every_number_is_finite_and_on_the_learners_tokens(case, sketches, size, annotated) -> None:
    games = play(sketches, annotated, size=size)
    result = credit(case, games)
    for table in filter(None, (result.advantages, result.targets)):
        numbers = spelled(table, games)
        assert all(map(math.isfinite, flat(numbers)))
        for game, row in zip(games, numbers, strict=True):
            for turn, entry in zip(game.turns, row, strict=True):
                allowed = is_finished(game) and is_trained(game, turn, "policy")
                assert len(entry) in ((0, len(turn.completion_ids)) if allowed else (0,))
    assert all(map(math.isfinite, result.metrics.values()))
    assert json.loads(json.dumps(result.state)) == result.state


@pytest.mark.parametrize("case", claiming("order"))
@drawn(10, random=st.randoms(use_true_random=False))
def test_a_permutation_of_the_batch_permutes_the_result(case, sketches, random, annotated) -> None:
    games = play(sketches, annotated)
    if CASES[case][0] in TIES:
        games = without_ties(games)
    order = random.sample(range(len(games)), len(games))
    moved, plain = credit(case, [games[index] for index in order]), credit(case, games)
    back = [order.index(index) for index in range(len(games))]
    restored = moved._replace(
        advantages=[moved.advantages[place] for place in back],
        targets=moved.targets and [moved.targets[place] for place in back],
    )
    assert same_result(restored, plain, games)


def without_ties(games: list[Episode]) -> list[Episode]:
    """Those games in which no seat wrote as many tokens, took as many turns or called as many tools as in another."""
    kept: list[Episode] = []
    seen: set[Any] = set()
    for game in games:
        turns = {seat: [t for t in game.turns if t.seat == seat and t.completion_ids] for seat in SEATS[:2]}
        sizes = {
            (game.group, seat, size)
            for seat, mine in turns.items()
            for size in (
                ("turns", len(mine)),
                ("tokens", sum(len(t.completion_ids) for t in mine)),
                ("calls", sum(len(t.tool_calls) for t in mine)),
            )
        }
        if not sizes & seen:
            kept.append(game)
            seen |= sizes
    return kept


@pytest.mark.parametrize("case", sorted(CASES))
@drawn(
    8,
    other=st.builds(
        Sketch, st.text("01", min_size=1, max_size=4), st.just("g"), st.just("ok"), st.booleans(), st.integers(0, 99)
    ),
    place=st.integers(0, 5),
)
def test_what_is_not_the_learners_changes_nothing(case, sketches, other, place, annotated) -> None:
    games = play(sketches, annotated)
    plain = credit(case, games)
    assert same_result(credit(case, [poisoned(game) for game in games]), plain, games), "what others got and wrote"
    renamed = [replace(game, seats={s: a.replace("policy", "pupil") for s, a in game.seats.items()}) for game in games]
    assert credit(case, renamed, "pupil")[0] == plain.advantages, "the learner's name"

    strange = annotated(played(other, 99, 1.0))
    crash, foreign = replace(strange, status="env_error"), replace(strange, seats=dict.fromkeys(SEATS, "random"))
    for extra in (crash, foreign):
        more = [*games[:place], extra, *games[place:]]
        found = credit(case, more)
        assert same_result(without(found, place, len(games)), plain, games), "a game that teaches nothing"


def without(result: CreditResult, place: int, size: int) -> CreditResult:
    """The result less the row of the game that was put in at `place` among `size` others."""
    kept = [index for index in range(size + 1) if index != min(place, size)]
    targets = result.targets and [result.targets[index] for index in kept]
    return result._replace(advantages=[result.advantages[index] for index in kept], targets=targets)


def poisoned(game: Episode) -> Episode:
    """NaN, or another number where there must be one, wherever it is not the learner's; everywhere after a crash."""
    mine = set(learner_seats(game, "policy"))
    own = {seat: math.nan for seat in game.seats if seat not in mine}
    moved = {seat: value if seat in mine else -7.0 * value - 3.0 for seat, value in game.returns.items()}
    return replace(
        game,
        turns=tuple(turn if turn.seat in mine else poisoned_turn(turn) for turn in game.turns),
        returns=moved,
        end_values={**game.end_values, **own},
        reward_parts={part: {**amounts, **own} for part, amounts in game.reward_parts.items()},
    )


def poisoned_turn(turn: Turn) -> Turn:
    tokens = (math.nan,) * len(turn.completion_ids)
    names = ("train_logprobs", "reference_logprobs", "squared_probs", "token_entropy", "token_values")
    alone = {
        "value": math.nan,
        "answer_logprob": math.nan,
        "anchor": "nowhere",
        "status": "illegal",
        "tool_calls": ("{",),
    }
    lost = (-math.inf,) * len(tokens)
    return replace(turn, logprobs=lost, reward=9.0 - turn.reward, **dict.fromkeys(names, tokens), **alone)


@pytest.mark.parametrize("case", claiming("company"))
@drawn(
    8,
    other=st.builds(
        Sketch, st.text("01", min_size=1, max_size=4), st.just("z"), st.just("ok"), st.booleans(), st.integers(0, 99)
    ),
)
def test_a_game_of_another_group_changes_nothing(case, sketches, other, annotated) -> None:
    games = play(sketches, annotated)
    more = [*games, replace(annotated(played(other, 99, 5.0)), env_id="Other")]
    found = credit(case, more)
    assert same_result(without(found, len(games), len(games)), credit(case, games), games)


@pytest.mark.parametrize("case", claiming("silence"))
@drawn(8, spots=st.lists(st.tuples(st.sampled_from(SEATS), st.integers(0, 6)), min_size=6, max_size=6))
def test_turns_without_tokens_and_seats_of_others_change_nothing(case, sketches, spots, annotated) -> None:
    """One silent turn a game, of anybody, and one turn of a seat that nobody knew."""
    games = play(sketches, annotated, forks=False)
    longer = [with_silence(game, *spot) for game, spot in zip(games, spots, strict=False)]
    found = credit(case, [game for game, _ in longer])
    fewer = [found._replace(advantages=[row]) for row in found.advantages]
    table = [[row[index] for index in kept] for row, (_, kept) in zip(found.advantages, longer, strict=True)]
    targets = found.targets and [
        [row[index] for index in kept] for row, (_, kept) in zip(found.targets, longer, strict=True)
    ]
    assert len(fewer) == len(games)
    assert same_result(found._replace(advantages=table, targets=targets), credit(case, games), games)


def with_silence(game: Episode, seat: str, place: int) -> tuple[Episode, list[int]]:
    """The game with two more turns, and the indices of the old ones in it."""
    place = min(place, len(game.turns))
    silent = Turn(seat=seat, observation=(), text="")
    guest = Turn(
        seat="guest", observation=(), text="", prompt_ids=(7,), completion_ids=(8,), logprobs=(-1.0,), reward=5.0
    )
    longer = replace(
        game,
        turns=(*game.turns[:place], silent, guest, *game.turns[place:]),
        seats={**game.seats, "guest": "random"},
        returns={**game.returns, "guest": 5.0},
    )
    return longer, [*range(place), *range(place + 2, len(longer.turns))]


@pytest.mark.parametrize("case", claiming("constant"))
@drawn(8, shifts=st.tuples(st.integers(-99, 99), st.integers(-99, 99)))
def test_a_constant_added_to_the_rewards_of_a_group_changes_nothing(case, sketches, shifts, annotated) -> None:
    games = play(sketches, annotated)
    amounts = {"g": shifts[0], "h": shifts[0 if case in OF_BATCH else 1]}
    richer = [
        add(game, {seat: {"task": at_last(game, seat, float(amounts[game.group]))} for seat in SEATS}) for game in games
    ]
    assert same_result(credit(case, richer), credit(case, games), games)


@pytest.mark.parametrize("case", claiming("equal"))
@drawn(8, rewards=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_equal_rewards_give_exactly_zero(case, sketches, rewards, annotated) -> None:
    games = [equal(game, rewards, case in OF_BATCH) for game in play(sketches, annotated)]
    assert not any(flat(spelled(credit(case, games).advantages, games)))


def equal(game: Episode, rewards: list[float], alike: bool) -> Episode:
    """The game in which each seat gets its group's reward at its last turn, and no turn was better than another.

    alike: all groups and seats get the same.
    """
    start = 0 if alike else 2 * (game.group == "h")
    got = {seat: rewards[start if alike else start + (seat == "1")] for seat in SEATS}
    last = {turn.seat: index for index, turn in enumerate(game.turns)}
    turns = [
        replace(turn, reward=got[turn.seat] if index == last[turn.seat] else 0.0, status="ok", answer_logprob=-1.0)
        for index, turn in enumerate(game.turns)
    ]
    parts = {"task": got, "style": dict.fromkeys(SEATS, 0.0)}
    return replace(game, turns=tuple(turns), returns=got, reward_parts=parts)


# --- from turns to tokens ------------------------------------------------------------------------------------------

Token = tuple[tuple[int, ...], int, float]
"""All that stands before a trained token in its row, the token, its advantage in float32."""


@pytest.mark.parametrize("case", sorted(CASES))
@drawn(6)
def test_advantages_land_on_the_sampled_tokens_and_nowhere_else(case, sketches, annotated) -> None:
    games = play(sketches, annotated)
    table = credit(case, games).advantages
    wanted = sorted(
        (turn.prompt_ids + turn.completion_ids[:index], turn.completion_ids[index], float(np.float32(value)))
        for game, row in zip(games, spelled(table, games), strict=True)
        for turn, entry in zip(game.turns, row, strict=True)
        for index, value in enumerate(entry)
    )
    assert landed(pack(games, table, pad_id=0)) == wanted

    prompt, said = tuple(range(90_000, 90_040)), tuple(range(91_000, 91_040))  # wider than all others
    turn = Turn(seat="0", observation=(), text="", prompt_ids=prompt, completion_ids=said, logprobs=(-1.0,) * 40)
    wide = Episode(id="wide", env_id="Game", seats={"0": "policy"}, turns=(turn,), returns={"0": 0.0})
    found = landed(pack([*games, wide], [*table, [0.5]], pad_id=0))
    assert [token for token in found if token[1] < 90_000] == wanted
    assert [token[1:] for token in found if token[1] >= 90_000] == [(token, 0.5) for token in said]


def landed(batch: Batch | None) -> list[Token]:
    """The trained tokens of a batch, sorted; raises where anything stands beside them."""
    if batch is None:
        return []
    assert not batch.advantages[~batch.mask].any()
    rows, places = batch.token_row[batch.token_index], batch.token_position[batch.token_index]
    return sorted(
        (tuple(batch.ids[row, :place].tolist()), int(batch.ids[row, place]), value)
        for row, place, value in zip(
            rows[batch.mask].tolist(), places[batch.mask].tolist(), batch.advantages[batch.mask].tolist(), strict=True
        )
    )


# --- shapings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(SHAPINGS))
@drawn(15, random=st.randoms(use_true_random=False), case=st.sampled_from(["grpo", "gae per token", "arpo hard"]))
def test_a_shaping_changes_trained_numbers_and_nothing_else(name, sketches, random, case, annotated) -> None:
    shaping = SHAPINGS[name]
    chosen = shaping.settings()
    games = play(sketches, annotated)
    table = credit(case, games).advantages
    before = [list(row) for row in table]
    shaped, metrics = shaping.function(games, table, chosen)
    assert table == before, "the old table is left alone"
    numbers, old = spelled(shaped, games), spelled(table, games)
    assert [[len(entry) for entry in row] for row in numbers] == [[len(entry) for entry in row] for row in old]
    assert all(map(math.isfinite, [*flat(numbers), *metrics.values()]))
    assert not any(new for new, value in zip(flat(numbers), flat(old), strict=True) if value == 0.0), "0 stays 0"

    assert same(shaping.function([poisoned(game) for game in games], table, chosen)[0], shaped, games)
    order = random.sample(range(len(games)), len(games))
    moved, _ = shaping.function([games[i] for i in order], [table[i] for i in order], chosen)
    assert same([moved[order.index(index)] for index in range(len(games))], shaped, games)
    assert shaping.function([], [], chosen)[0] == []


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
@drawn(12)
def test_a_reward_term_keeps_the_books(name, chosen, sketches, annotated) -> None:
    games = play(sketches, annotated)
    written = [game.to_json() for game in games]
    term = REWARDS[name]
    after, state, metrics = term.function(games, {}, term.settings(**chosen))
    assert [game.to_json() for game in games] == written, "the old games are left alone"
    assert all(map(math.isfinite, metrics.values()))
    for old, new in zip(games, after, strict=True):
        seats = learner_seats(old, "policy")
        assert seats or new == old, "a crashed game stays as it is"
        assert not seats or untold(new) == untold(old), "only rewards change"
        for seat in SEATS:
            check_seat(old, new, seat, seat in seats)

    kept = json.loads(json.dumps(state))
    assert kept == state, "the state must survive a checkpoint"
    assert term.function(games, kept, term.settings(**chosen)) == term.function(games, state, term.settings(**chosen))
    fouled = term.function([poisoned(game) for game in games], {}, term.settings(**chosen))
    for game, other in zip(after, fouled.episodes, strict=True):
        assert all(other.returns[seat] == game.returns[seat] for seat in learner_seats(game, "policy"))


def check_seat(old: Episode, new: Episode, seat: str, learns: bool) -> None:
    """The return is what the turns earned and what came from outside, as before, and the sum of its parts."""
    before, now = (sum(turn.reward for turn in game.turns if turn.seat == seat) for game in (old, new))
    if not learns:
        assert (new.returns[seat], now) == (old.returns[seat], before), "another's seat stays as it is"
    elif any(turn.seat == seat for turn in old.turns):
        assert new.returns[seat] - now == pytest.approx(old.returns[seat] - before, abs=1e-6)
    parts = new.reward_parts or {}
    assert sum(amounts[seat] for amounts in parts.values()) == pytest.approx(new.returns[seat], abs=1e-6)


def untold(game: Episode) -> Episode:
    """The game without what it paid."""
    turns = tuple(replace(turn, reward=0.0) for turn in game.turns)
    return dataclasses.replace(game, turns=turns, returns=dict.fromkeys(game.seats, 0.0), reward_parts=None)
