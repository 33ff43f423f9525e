"""`Rollout.collect`: what it writes down is what happened, in any order and however many episodes are alive."""

import dataclasses
import itertools
import json
import random
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from turnwise.agents.language import LanguageAgent
from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.scripted import scripted_agent
from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.registry import GAMES, GameSpec
from turnwise.records import Episode, Message, Reply, Request, Turn

Agents = Callable[..., LanguageAgent]
SEATS = ("player_0", "player_1")


class Scribe:
    """Says the next of its lines, whatever it is asked; keeps every request."""

    def __init__(self, *lines: str, name: str = "scribe") -> None:
        self.name, self.lines, self.requests, self.batches = name, list(lines), list[Request](), list[int]()

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        self.requests += requests
        self.batches.append(len(requests))
        return [Reply(text=self.lines.pop(0)) for _ in requests]


class Ledger(TextGame):
    """Two seats, two moves each; every move pays both seats, so that rewards land between turns."""

    seats = SEATS
    utility_bounds = (-100.0, 100.0)
    dense_rewards = True

    def start(self, rng: np.random.Generator) -> None:
        self.seat, self.moves = "player_0", 0

    def observe(self, seat: str) -> str:
        return f"move {self.moves}"

    def legal(self) -> tuple[str, ...]:
        return ("go",)

    def play(self, action: str) -> Step:
        if action != "go":
            raise IllegalAction("go is the only move")
        self.moves += 1
        self.seat = SEATS[self.moves % 2] if self.moves < 4 else None
        return Step({"player_0": float(self.moves), "player_1": 10.0 * self.moves}, terminated=self.moves == 4)


class Nothing(Ledger):
    """Over before it begins."""

    def start(self, rng: np.random.Generator) -> None:
        self.seat = None


@pytest.fixture(autouse=True)
def games(monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in (Ledger, Nothing):
        monkeypatch.setitem(
            GAMES, cls.__name__, GameSpec(id=cls.__name__, entry_point=f"turnwise.testing:{cls.__name__}")
        )
    original = __import__("importlib").import_module
    here = type("Here", (), {"Ledger": Ledger, "Nothing": Nothing})
    monkeypatch.setattr(
        "turnwise.envs.registry.import_module", lambda name: here if name == "turnwise.testing" else original(name)
    )


def plans(
    count: int, env_id: str = "KuhnPoker-LLM", first: str = "policy", second: str = "policy", **kwargs: object
) -> list[Plan]:
    seats = {"player_0": first, "player_1": second}
    return [Plan(id=f"e{i}", env_id=env_id, seed=100 + i, seats=seats, env_kwargs=kwargs) for i in range(count)]


def same(left: Sequence[Turn], right: Sequence[Turn]) -> None:
    """Equal turns but for wall times and, since batches differ in the last bits, the rounding of log-probs."""
    for a, b in zip(left, right, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)
        assert dataclasses.replace(a, logprobs=b.logprobs, seconds=b.seconds) == b


# --- order, concurrency, batches -----------------------------------------------------------------------------------


def test_episodes_come_in_the_order_of_the_plans() -> None:
    wanted = plans(30, "TicTacToe-LLM", "random", "random")
    episodes = Rollout({"random": scripted_agent("random")}, concurrency=4).collect(wanted)
    assert [episode.id for episode in episodes] == [plan.id for plan in wanted]
    assert [episode.seed for episode in episodes] == [plan.seed for plan in wanted]
    assert len({len(episode.turns) for episode in episodes}) > 2  # some ended long before others


def test_concurrency_changes_nothing(agent: Agents) -> None:
    wanted = plans(12, "TicTacToe-LLM", prompt="compact")
    one_by_one, together = (
        Rollout({"policy": agent(max_tokens=3)}, invalid="random_legal", concurrency=n).collect(wanted)
        for n in (1, 1000)
    )
    for a, b in zip(one_by_one, together, strict=True):
        same(a.turns, b.turns)
        assert dataclasses.replace(a, turns=b.turns) == b
    assert sum(len(episode.turns) for episode in together) > 60


def test_one_call_of_an_agent_serves_every_waiting_seat() -> None:
    scribe = Scribe(*["[go]"] * 40, name="policy")
    Rollout({"policy": scribe}, concurrency=6).collect(plans(10, "Ledger"))
    assert scribe.batches == [6] * 4 + [4] * 4
    assert {request.seat for request in scribe.requests} == set(SEATS)


def test_a_rollout_can_be_used_again_and_keeps_its_games() -> None:
    rollout = Rollout({"random": scripted_agent("random")})
    wanted = plans(5, "TicTacToe-LLM", "random", "random")
    assert rollout.collect(wanted) == rollout.collect(wanted)
    assert {len(idle) for idle in rollout._idle.values()} == {5}


def test_the_stream_tells_episodes_of_one_seed_apart() -> None:
    plan = plans(1, "KuhnPoker-LLM", "random", "random")[0]
    others = [dataclasses.replace(plan, stream=stream, group="g") for stream in range(20)]
    episodes = Rollout({"random": scripted_agent("random")}).collect([plan, *others])
    first_reads = {episode.turns[0].observation for episode in episodes}
    assert len(first_reads) == 1  # the same deal
    assert len({tuple(turn.text for turn in episode.turns) for episode in episodes}) > 2
    assert {episode.group for episode in episodes} == {None, "g"}
    assert episodes[0].turns == episodes[1].turns  # stream 0 is the default


def test_no_generator_of_the_process_is_touched(agent: Agents) -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    agents = {"policy": agent(max_tokens=3), "random": scripted_agent("random"), "mcts": scripted_agent("mcts(5)")}
    Rollout(agents, invalid="random_legal").collect(plans(3, "TicTacToe-LLM", "policy", "mcts"))
    Rollout(agents).collect(plans(3, "KuhnPoker-LLM", "policy", "random"))
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after


# --- what a turn holds ---------------------------------------------------------------------------------------------


def test_rewards_land_on_the_latest_turn_of_their_seat() -> None:
    """Moves pay player_0 1, 2, 3, 4 and player_1 10, 20, 30, 40; player_1 gets its first 10 before it has acted."""
    (episode,) = Rollout({"policy": Scribe(*["[go]"] * 4)}).collect(plans(1, "Ledger"))
    assert [(turn.seat, turn.reward) for turn in episode.turns] == [
        ("player_0", 1.0 + 2.0),
        ("player_1", 20.0 + 30.0),
        ("player_0", 3.0 + 4.0),
        ("player_1", 40.0),
    ]
    assert episode.returns == {"player_0": 10.0, "player_1": 100.0}


def test_returns_are_the_sums_of_the_rewards() -> None:
    """Where only the end pays, and whoever moves last."""
    wanted = plans(40, "KuhnPoker-LLM", "random", "random")
    for episode in Rollout({"random": scripted_agent("random")}).collect(wanted):
        for seat in SEATS:
            assert sum(turn.reward for turn in episode.turns if turn.seat == seat) == episode.returns[seat]
        assert sum(episode.returns.values()) == 0.0
        latest = {turn.seat: index for index, turn in enumerate(episode.turns)}
        assert all(turn.reward == 0.0 for index, turn in enumerate(episode.turns) if index != latest[turn.seat])


def test_text_agents_read_the_whole_conversation() -> None:
    first, second = Scribe("[go]", "I [go]", name="first"), Scribe("[go]", "[go]", name="second")
    (episode,) = Rollout({"a": first, "b": second}).collect(plans(1, "Ledger", "a", "b"))
    assert first.requests[1].messages == (
        Message("user", "move 0"),
        Message("assistant", "[go]"),
        Message("user", "move 2"),
    )
    assert [turn.observation for turn in episode.turns] == [(Message("user", f"move {k}"),) for k in range(4)]
    assert [turn.text for turn in episode.turns] == ["[go]", "[go]", "I [go]", "[go]"]
    assert [turn.action for turn in episode.turns] == ["go"] * 4
    assert [request.prompt_ids for request in first.requests] == [(), ()]


def test_messages_can_be_left_out() -> None:
    (episode,) = Rollout({"policy": Scribe(*["[go]"] * 4)}, record_messages=False).collect(plans(1, "Ledger"))
    assert [turn.observation for turn in episode.turns] == [()] * 4


def test_two_agents_sit_where_the_plan_says_even_under_one_name() -> None:
    left, right = Scribe(*["left [go]"] * 4, name="policy"), Scribe(*["right [go]"] * 4, name="policy")
    wanted = plans(1, "Ledger", "a", "b") + plans(1, "Ledger", "b", "a")
    one, other = Rollout({"a": left, "b": right}).collect(wanted)
    assert [turn.text for turn in one.turns] == ["left [go]", "right [go]"] * 2
    assert [turn.text for turn in other.turns] == ["right [go]", "left [go]"] * 2
    assert one.seats == {"player_0": "a", "player_1": "b"}


def test_a_fixed_opponent_leaves_no_tokens(agent: Agents) -> None:
    agents = {"policy": agent(max_tokens=3), "random": scripted_agent("random")}
    wanted = plans(20, "KuhnPoker-LLM", "random", "policy", prompt="compact")
    episodes = Rollout(agents, invalid="random_legal").collect(wanted)
    for turn in (turn for episode in episodes for turn in episode.turns):
        spoke = turn.seat == "player_1"
        assert (len(turn.prompt_ids) > 0, len(turn.completion_ids) > 0, len(turn.logprobs) > 0) == (spoke,) * 3
        assert turn.weight_version == (((0, 0),) if spoke else ())
        assert spoke or turn.status == "ok"


def test_append_only_prompts_extend_what_was_read_and_said(agent: Agents) -> None:
    policy = agent(max_tokens=3)
    (episode,) = Rollout({"policy": policy}, invalid="random_legal").collect(plans(1, "TicTacToe-LLM"))
    assert len(episode.turns) >= 5
    for seat in SEATS:
        turns = [turn for turn in episode.turns if turn.seat == seat]
        for former, latter in itertools.pairwise(turns):
            said = former.prompt_ids + former.completion_ids
            assert latter.prompt_ids[: len(said)] == said
            closed = former.completion_ids[-1] == policy.context.end_id
            bridge = policy.context.bridge(latter.observation[0].content, closed)
            assert latter.prompt_ids[len(said) :] == bridge


def test_per_turn_history_shows_the_action_that_was_played(agent: Agents) -> None:
    """Where turns are rendered anew, a legal reply stands as `[go]`, an invalid one as it was written."""
    policy = agent(max_tokens=3, layout="per_turn")
    replies = iter(["so I [ GO ]", "[go]", "well", "[go]", "[go]"])

    def act(requests: Sequence[Request]) -> list[Reply]:
        return [dataclasses.replace(reply, text=next(replies), finished=True) for reply in policy.act(requests)]

    spoken: Any = SimpleNamespace(name="policy", context=policy.context, sampling=policy.sampling, act=act)
    (episode,) = Rollout({"policy": spoken}, invalid="noop").collect(plans(1, "Ledger"))
    decode = policy.context.tokenizer.decode
    last = decode(episode.turns[3].prompt_ids)  # player_0 again, after its invalid reply
    assert [turn.status for turn in episode.turns] == ["ok", "ok", "unparsable", "ok", "ok"]
    assert "<|im_start|>assistant\n[go]<|im_end|>" in last
    assert "<|im_start|>assistant\nwell<|im_end|>" in last
    assert "so I" not in last


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_invalid_replies_are_told_apart() -> None:
    lines = ["nothing", "[stop]", "[go]", "[go]", "[go]", "[go]"]
    (episode,) = Rollout({"policy": Scribe(*lines)}, invalid="noop").collect(plans(1, "Ledger"))
    assert [turn.status for turn in episode.turns] == ["unparsable", "illegal", "ok", "ok", "ok", "ok"]
    assert [turn.action for turn in episode.turns[:3]] == [None, "stop", "go"]
    assert "not valid" in episode.turns[1].observation[0].content


def test_a_reply_cut_at_the_token_limit_is_truncated_and_forfeits(agent: Agents) -> None:
    wanted = plans(30, "KuhnPoker-LLM", "policy", "random")
    episodes = Rollout({"policy": agent(max_tokens=1), "random": scripted_agent("random")}).collect(wanted)
    statuses = [episode.turns[0].status for episode in episodes]
    assert statuses.count("truncated") > 20
    for episode in episodes:
        assert len(episode.turns) == 1
        assert episode.returns == {"player_0": -2.0, "player_1": 2.0}
        assert episode.turns[0].reward == -2.0


def test_a_full_context_truncates_the_episode(agent: Agents) -> None:
    """The prompt before the last is the largest that leaves room for a reply; returns stay what they were."""
    policy = agent(max_tokens=3)
    wanted = plans(1, "TicTacToe-LLM", prompt="compact")
    (whole,) = Rollout({"policy": policy}, invalid="random_legal").collect(wanted)
    sizes = [len(turn.prompt_ids) for turn in whole.turns if turn.seat == "player_0"]
    tight = agent(max_tokens=3, max_context=sizes[1] + 3)
    (cut,) = Rollout({"policy": tight}, invalid="random_legal").collect(wanted)
    assert (whole.status, cut.status) == ("ok", "truncated")
    assert len(cut.turns) == 4
    same(cut.turns, whole.turns[:4])
    assert cut.returns == {"player_0": 0.0, "player_1": 0.0}
    assert cut.metadata == {}


def test_dropped_turns_are_counted(agent: Agents) -> None:
    wanted = plans(1, "TicTacToe-LLM", prompt="compact")
    (whole,) = Rollout({"policy": agent(max_tokens=3)}, invalid="random_legal").collect(wanted)
    sizes = [len(turn.prompt_ids) for turn in whole.turns if turn.seat == "player_0"]
    dropping = agent(max_tokens=3, max_context=sizes[2] + 2, overflow="drop_oldest")
    (episode,) = Rollout({"policy": dropping}, invalid="random_legal").collect(wanted)
    assert episode.status == "ok"
    assert episode.metadata["dropped_turns"]["player_0"] >= 1
    prompts = [turn.prompt_ids for turn in episode.turns if turn.seat == "player_0"]
    assert prompts[2][: len(prompts[1])] != prompts[1]  # a new row
    assert prompts[2][: len(prompts[0])] == prompts[0]  # that begins with the rules


def test_a_game_that_is_over_at_once_is_an_episode_without_turns() -> None:
    (episode,) = Rollout({"policy": Scribe()}).collect(plans(1, "Nothing"))
    assert (episode.turns, episode.status, episode.returns) == ((), "ok", {"player_0": 0.0, "player_1": 0.0})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (
            Plan(id="e", env_id="Ledger", seed=0, seats={"player_0": "policy"}),
            "needs the seats player_0, player_1: got player_0",
        ),
        (plans(1, "Ledger", "policy", "polcy")[0], "agents of this rollout are policy: got 'polcy' in plan 'e0'"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(plan: Plan, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rollout({"policy": Scribe()}).collect([plan])


def test_an_agent_that_owes_a_reply_is_named() -> None:
    class Lazy(Scribe):
        def act(self, requests: Sequence[Request]) -> list[Reply]:
            return []

    with pytest.raises(RuntimeError, match="agent 'lazy' owes 1 replies"):
        Rollout({"policy": Lazy(name="lazy")}).collect(plans(1, "Ledger"))


def test_concurrency_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="concurrency is at least 1: got 0"):
        Rollout({}, concurrency=0)


def test_tool_calls_are_written_down_with_their_turn() -> None:
    expert = scripted_agent("expert")
    plan = Plan(id="0", env_id="McpTools-LLM", seed=3, seats={"player_0": "expert"})
    (episode,) = Rollout({"expert": expert}).collect([plan])
    price, total, answer = episode.turns
    assert [json.loads(call)["name"] for call in (*price.tool_calls, *total.tool_calls)] == ["price", "total"]
    assert answer.tool_calls == () and episode.returns == {"player_0": 1.0}
    assert Episode.from_json(episode.to_json()) == episode
