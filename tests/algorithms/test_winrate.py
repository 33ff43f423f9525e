"""Win rates: intervals by hand, symmetry under exchanged seats, who is counted for what."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.language import LanguageAgent
from turnwise.agents.local import LocalEngine
from turnwise.agents.sampling import Sampling
from turnwise.agents.scripted import scripted_agent
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
from turnwise.algorithms.evaluation.intervals import mean_interval, wilson
from turnwise.algorithms.evaluation.winrate import tally, win_rates
from turnwise.records import Reply, Request


class Says:
    """An agent that always says the same."""

    def __init__(self, text: str, name: str = "says", *, finished: bool = True) -> None:
        self.text, self.name, self.finished = text, name, finished

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(text=self.text, finished=self.finished) for _ in requests]


# Intervals


def test_wilson_by_hand() -> None:
    # 8 of 10: z2 = 3.8415; centre (.8 + .19207) / 1.38415 = .71674; reach 1.96 sqrt(.016 + .0096036) / 1.38415 = .22658
    assert wilson(8, 10) == pytest.approx((0.49016, 0.94332), abs=1e-5)
    # 0 of 10: the upper end is z2 / (10 + z2)
    assert wilson(0, 10) == (0.0, pytest.approx(3.841459 / 13.841459))
    assert wilson(10, 10) == (pytest.approx(10 / 13.841459), 1.0)


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_and_is_symmetric(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1
    assert wilson(trials - successes, trials) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 3), (4, 3)])
def test_wilson_refuses_what_is_no_rate(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match=f"got {successes} of {trials}"):
        wilson(successes, trials)


def test_mean_interval_by_hand() -> None:
    # mean 1/2, standard deviation sqrt(4 / 4 / 3) = .57735, divided by sqrt(4): .288675, times 1.959964: .565793
    assert mean_interval([0, 1, 0, 1]) == pytest.approx((-0.065793, 1.065793), abs=1e-6)
    assert mean_interval([1.0]) is None


def test_tally_by_hand() -> None:
    counted = tally([1.0, 0.5, 0.0, -2.0, -1.0])
    assert (counted.games, counted.wins, counted.draws, counted.losses) == (5, 2, 1, 2)
    assert (counted.win_rate, counted.not_lost_rate, counted.mean_return) == (0.4, 0.6, -0.3)
    assert counted.win_interval == wilson(2, 5)
    assert counted.not_lost_interval == wilson(3, 5)


# Games


def test_equals_are_even_and_the_first_move_counts() -> None:
    (found,) = win_rates(scripted_agent("random"), "TicTacToe-LLM", ["random"], games=2_000)
    assert found.total.wins == found.total.losses
    assert found.total.mean_return == 0.0
    assert found.mean_return_interval == (0.0, 0.0)
    first, second = found.by_seat["player_0"], found.by_seat["player_1"]
    assert (first.games, second.games) == (1_000, 1_000)
    assert (first.wins, first.draws, first.losses) == (second.losses, second.draws, second.wins)
    # Random play is won by the first seat in 58.5% of games, by the second in 28.8%.
    assert first.win_interval[0] < 0.585 < first.win_interval[1]
    assert second.win_interval[0] < 0.288 < second.win_interval[1]
    assert found.invalid_rate == 0.0
    assert found.unfinished == 0


def test_exchanging_the_players_mirrors_the_result() -> None:
    one, other = scripted_agent("random"), scripted_agent("first_legal")
    (forth,) = win_rates(one, "TicTacToe-LLM", [other], games=100, seed=1)
    (back,) = win_rates(other, "TicTacToe-LLM", [one], games=100, seed=1)
    assert (forth.total.wins, forth.total.losses) == (back.total.losses, back.total.wins)
    assert forth.by_seat["player_0"].wins == back.by_seat["player_1"].losses
    assert forth.total.mean_return == -back.total.mean_return


def test_each_deal_is_played_from_each_seat() -> None:
    # Both always check: the higher card wins 1, and over a deal nobody wins anything.
    (found,) = win_rates(Says("[check]"), "KuhnPoker-LLM", [Says("[check]", "other")], games=60)
    assert found.total.wins == found.total.losses == 30
    assert found.by_seat["player_0"].wins == found.by_seat["player_1"].losses
    assert found.mean_return_interval == (0.0, 0.0)
    assert found.turns == 60


def test_optimal_play_does_not_lose() -> None:
    found = win_rates(scripted_agent("optimal"), "TicTacToe-LLM", ["random", "first_legal", "mcts(20)"], games=40)
    assert [record.opponent for record in found] == ["random", "first_legal", "mcts(20)"]
    for record in found:
        assert record.agent == "optimal"
        assert record.total.not_lost_rate == 1.0
    assert found[0].total.win_rate > 0.8


def test_two_agents_of_one_name_are_told_apart() -> None:
    (found,) = win_rates(Says("[fold]", "policy"), "KuhnPoker-LLM", [Says("[bet]", "policy")], games=20)
    # In the first seat a fold is illegal and forfeits 2; in the second it loses the ante, 1.
    assert found.by_seat["player_0"].mean_return == -2.0
    assert found.by_seat["player_1"].mean_return == -1.0
    assert (found.illegal_rate, found.unparsable_rate, found.truncated_rate) == (0.5, 0.0, 0.0)
    assert found.invalid_interval == wilson(10, 20)
    assert found.opponent_invalid_rate == 0.0


@pytest.mark.parametrize(
    ("agent", "rates"),
    [
        (Says("[raise]"), (1.0, 0.0, 0.0)),
        (Says("hm"), (0.0, 1.0, 0.0)),
        (Says("[check]", finished=False), (0.0, 0.0, 1.0)),
    ],
)
def test_invalid_replies_are_counted_apart(agent: Says, rates: tuple[float, float, float]) -> None:
    (found,) = win_rates(agent, "KuhnPoker-LLM", [Says("[check]", "other")], games=4)
    assert (found.illegal_rate, found.unparsable_rate, found.truncated_rate) == rates
    assert found.invalid_rate == 1.0
    assert found.total.losses == 4
    (turned,) = win_rates(Says("[check]", "other"), "KuhnPoker-LLM", [agent], games=4)
    assert turned.invalid_rate == 0.0
    assert turned.opponent_invalid_rate == 1.0


def test_more_than_two_seats() -> None:
    (found,) = win_rates(
        scripted_agent("random"), "KuhnPoker-LLM", ["random"], games=60, env_kwargs={"players": 3}, seed=2
    )
    assert {seat: record.games for seat, record in found.by_seat.items()} == dict.fromkeys(
        ("player_0", "player_1", "player_2"), 20
    )
    assert found.total.mean_return == pytest.approx(0.0)


def test_stopped_games_are_counted() -> None:
    (found,) = win_rates(scripted_agent("random"), "TicTacToe-LLM", ["random"], games=10, max_turns=3)
    assert found.unfinished == 10
    assert found.total.draws == 10


def test_a_language_model_plays() -> None:
    tokenizer = build_tokenizer(["card Jack history none"], 300)
    context = ChatContext(tokenizer, ContextSettings(max_context=256))
    model = build_model(TinyModel(layers=1, hidden=16, heads=2, vocabulary=300), tokenizer, 0)
    engine = LocalEngine(model, end_id=context.end_id, pad_id=tokenizer.pad_token_id, decode=context.decode)
    agent = LanguageAgent(engine, context, Sampling(max_tokens=3))
    (found,) = win_rates(agent, "KuhnPoker-LLM", ["random"], games=20, env_kwargs={"prompt": "compact"})
    assert found.agent == "policy"
    assert found.invalid_rate == 1.0
    assert found.truncated_rate > 0.5
    assert found.total.mean_return == -2.0


def test_same_seed_same_record_and_json() -> None:
    one, other = (win_rates(scripted_agent("random"), "KuhnPoker-LLM", ["optimal"], games=20) for _ in range(2))
    assert one == other
    raw = json.loads(json.dumps(one[0].to_dict()))
    assert raw["total"]["games"] == 20
    assert raw["invalid_rate"] == 0.0
    assert one != win_rates(scripted_agent("random"), "KuhnPoker-LLM", ["optimal"], games=20, seed=1)


@pytest.mark.parametrize(
    ("opponents", "games", "message"),
    [
        (["random"], 5, "games is a multiple of 2.*got 5"),
        (["random"], 0, "games is a multiple of 2.*got 0"),
        (["randm"], 4, "scripted agents are"),
    ],
)
def test_bad_arguments(opponents: list[str], games: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        win_rates(scripted_agent("random"), "KuhnPoker-LLM", opponents, games=games)
