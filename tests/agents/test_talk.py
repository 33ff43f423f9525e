"""Talks: one for all episodes in which the same was read and said, and never another one's tokens or rewards."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from turnwise.agents.draft import Draft, draft_of
from turnwise.agents.language import LanguageAgent
from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.scripted import scripted_agent
from turnwise.agents.talk import opening
from turnwise.envs.referee import Outcome
from turnwise.records import Reply

Agents = Callable[..., LanguageAgent]
FOLD = Reply(text="[fold]")


def outcome(action: str | None, **info: object) -> Outcome:
    return Outcome("player_0", action, "ok" if action else "unparsable", {}, False, False, info)


def draft(reply: Reply = FOLD, action: str | None = "fold", *, seat: str = "player_0", **info: object) -> Draft:
    return draft_of(seat, TALK, reply, outcome(action, **info), ("fold", "call"))


TALK = opening("card King", scripted_agent("random"))


def test_turns_alike_are_one_record() -> None:
    assert draft() is draft()
    assert draft().turn(1.0, True) is draft().turn(1.0, True)


def test_a_turn_that_earned_something_else_is_another_record() -> None:
    assert [draft().turn(reward, True).reward for reward in (0.0, 1.0, -1.0, 0.0)] == [0.0, 1.0, -1.0, 0.0]
    assert draft().turn(0.0, True).observation == TALK.messages
    assert draft().turn(0.0, False).observation == ()


@pytest.mark.parametrize(
    "other",
    [draft(Reply(text="[fold]")), draft(seat="player_1"), draft(action=None), draft(action="call")],
    ids=["another reply", "another seat", "no action", "another action"],
)
def test_turns_that_differ_in_anything_are_drafts_of_their_own(other: Draft) -> None:
    assert other is not draft()
    turn = other.turn(0.0, True)
    assert (turn.seat, turn.action, turn.status) == (other.seat, other.action, "ok" if other.action else "unparsable")


def test_what_a_game_tells_of_a_reply_is_kept_for_its_own_turn() -> None:
    calls = ('{"name": "look"}',)
    assert draft(tool_calls=calls).turn(0.0, True).tool_calls == calls
    assert draft(tool_calls=calls) is not draft(tool_calls=calls)
    assert draft().turn(0.0, True).tool_calls == ()


def test_a_talk_goes_on_in_one_way_for_one_reply_and_one_text() -> None:
    agent = scripted_agent("random")
    after = TALK.after(FOLD, "[fold]", "card Queen", agent)
    assert after is TALK.after(FOLD, "[fold]", "card Queen", agent)
    assert after is not TALK.after(FOLD, "[fold]", "card Jack", agent)
    assert after is not TALK.after(replace(FOLD), "[fold]", "card Queen", agent)
    assert [message.content for message in after.messages] == ["card King", "[fold]", "card Queen"]
    assert [message.content for message in TALK.messages] == ["card King"]


@pytest.mark.parametrize("layout", ["append_only", "per_turn"])
def test_episodes_played_together_are_what_each_is_alone(agent: Agents, layout: str) -> None:
    """Sixteen games of one seed: they share talks as far as they are alike, and tokens nowhere else."""
    rollout = Rollout({"policy": agent(max_tokens=3, layout=layout)}, invalid="random_legal")
    seats = {"player_0": "policy", "player_1": "policy"}
    plans = [Plan(id=f"e{i}", env_id="TicTacToe-LLM", seed=7, stream=i % 4, seats=seats) for i in range(16)]
    together = rollout.collect(plans)
    for plan, episode in zip(plans, together, strict=True):
        (alone,) = rollout.collect([plan])
        for ours, theirs in zip(episode.turns, alone.turns, strict=True):
            assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-5)
            assert replace(ours, logprobs=theirs.logprobs, seconds=theirs.seconds) == theirs
