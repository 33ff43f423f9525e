"""The curriculum's bandit, with rates and values that are exact in binary."""

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.curriculum import (
    CurriculumSettings,
    begin,
    draw,
    mean_sizes,
    probabilities,
    record,
    sizes_by_arm,
    update,
)

HALF = CurriculumSettings(learning_rate=0.5)


def test_update_by_hand() -> None:
    q = {"easy": 1.0, "hard": 0.5}
    assert update(q, mean_sizes({"easy": [1.0, -2.0]}), HALF) == {"easy": 1.25, "hard": 0.5}
    decaying = CurriculumSettings(learning_rate=0.5, decay_unsampled=True)
    assert update(q, {"easy": 1.5}, decaying) == {"easy": 1.25, "hard": 0.25}
    assert mean_sizes({"easy": []}) == {}


def test_chances_by_hand() -> None:
    q = {"a": 0.0, "b": math.log(3.0)}
    assert probabilities(q, HALF) == pytest.approx({"a": 0.25, "b": 0.75})
    assert probabilities(q, CurriculumSettings(temperature=0.5)) == pytest.approx({"a": 0.1, "b": 0.9})
    greedy = CurriculumSettings(rule="eps_greedy", epsilon=0.5)
    assert probabilities({"a": 0.0, "b": 2.0, "c": 2.0, "d": 1.0}, greedy) == {
        "a": 0.125,
        "b": 0.375,
        "c": 0.375,
        "d": 0.125,
    }
    share = CurriculumSettings(rule="normalised")
    assert probabilities({"a": 1.0, "b": 3.0, "c": -1.0}, share) == {"a": 0.25, "b": 0.75, "c": 0.0}
    assert probabilities({"a": 0.0, "b": -1.0}, share) == {"a": 0.5, "b": 0.5}


@given(
    st.dictionaries(st.text(max_size=3), st.floats(-1e6, 1e6), min_size=1, max_size=6),
    st.sampled_from(["softmax", "eps_greedy", "normalised"]),
)
def test_chances_add_up_to_one(q, rule) -> None:
    chances = probabilities(q, CurriculumSettings(rule=rule))
    assert list(chances) == list(q)
    assert sum(chances.values()) == pytest.approx(1.0)
    assert all(chance >= 0.0 for chance in chances.values())
    assert set(draw(q, CurriculumSettings(rule=rule), 5, seed=1)) <= set(q)


def test_draws_follow_the_seed_and_the_chances() -> None:
    q = {"a": 0.0, "b": math.log(3.0)}
    assert draw(q, HALF, 50, seed=3) == draw(q, HALF, 50, seed=3) != draw(q, HALF, 50, seed=4)
    assert Counter(draw(q, HALF, 4000, seed=0))["b"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_a_rollout_counts_its_tokens(episode) -> None:
    games = [
        episode("010", {"0": 1.0, "1": 0.0}, silent=(1,)),  # 2 tokens a turn
        episode("01", {"0": 1.0, "1": 0.0}),
        episode("0", {"0": 1.0}, status="env_error"),
        episode("1", {"0": 1.0, "1": 0.0}, agents={"1": "other"}),
    ]
    rows = [[1.0, None, (-2.0, 0.0)], [-1.0, 3.0], [None], [None]]
    found = sizes_by_arm(games, ["a", "b", "a", "a"], rows)
    assert found == {"a": [1.0], "b": [1.0, 3.0]}  # (1 + 1 + 2 + 0) / 4; two seats are two rollouts


def test_advantages_move_the_arms_that_were_drawn(episode) -> None:
    games = [episode("0", {"0": value}, group=group) for group, value in (("g", 1.0), ("g", 0.0), ("h", 1.0))]
    state = record(begin(["a", "b", "c"]), games, ["a", "a", "b"], [[1.0], [-1.0], [0.0]], HALF)
    assert state == {"q": {"a": 0.5, "b": 0.0, "c": 0.0}, "returns": {"a": 0.5, "b": 1.0}}
    assert json.loads(json.dumps(state)) == state


def test_centred_does_not_divide_by_the_spread(episode) -> None:
    games = [episode("0", {"0": value}, group="g") for value in (4.0, 0.0)]
    settings = CurriculumSettings(signal="centred")
    table = CREDITS["grpo"].function(games, {}, CREDITS["grpo"].settings()).advantages
    assert record(begin(["a"]), games, ["a", "a"], table, settings)["q"] == {"a": 1.0}
    with pytest.raises(ValueError, match=r"episode 'e' has no group; .*signal advantage"):
        record(begin(["a"]), [episode("0", {"0": 1.0})], ["a"], [[0.0]], settings)


def test_progress_compares_with_the_draw_before(episode) -> None:
    settings, state = CurriculumSettings(signal="progress"), begin(["a", "b"])
    for value, q in ((1.0, 0.0), (3.0, 1.0), (1.0, -0.5)):  # nothing to compare; +2; -2
        state = record(state, [episode("0", {"0": value})], ["a"], [[0.0]], settings)
        assert state["q"] == {"a": q, "b": 0.0}


def test_groups_of_middling_success_earn_most(episode) -> None:
    arms = {"never": (0, 0, 0, 0), "half": (1, 1, 0, 0), "always": (1, 1, 1, 1)}
    games = [episode("0", {"0": float(win)}, group=arm) for arm, wins in arms.items() for win in wins]
    table = CREDITS["grpo"].function(games, {}, CREDITS["grpo"].settings()).advantages
    q = record(begin(list(arms)), games, [arm for arm in arms for _ in range(4)], table, HALF)["q"]
    assert q["half"] > q["never"] == q["always"] == 0.0


def test_bad_input_is_refused(episode) -> None:
    with pytest.raises(ValueError, match="one arm or more, each once"):
        begin(["a", "a"])
    with pytest.raises(ValueError, match="arms of the curriculum are a: got b"):
        update({"a": 0.0}, {"b": 1.0}, HALF)
    with pytest.raises(ValueError, match="what arm 'a' earned is a finite number"):
        update({"a": 0.0}, {"a": math.nan}, HALF)
    with pytest.raises(ValueError, match="one arm or more: got none"):
        probabilities({}, HALF)
    with pytest.raises(ValueError, match="got 0 arms and 1 rows for 1 episodes"):
        record(begin(["a"]), [episode("0", {"0": 1.0})], [], [[0.0]], HALF)
    with pytest.raises(ValueError, match="did you mean 'eps_greedy'"):
        CurriculumSettings(rule="epsgreedy")
    with pytest.raises(ValueError, match="temperature is a finite number"):
        CurriculumSettings(temperature=0.0)
