"""Episodes in steps: forks, turns made again, and replies that stop at a limit."""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from turnwise.agents.language import LanguageAgent
from turnwise.agents.plan import first_tokens, in_text, plan_from_dict, plan_to_dict
from turnwise.agents.rollout import Plan, Rollout, Table
from turnwise.agents.scripted import scripted_agent
from turnwise.envs.core import EnvFailure
from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.records import Episode, Message, Reply, Turn

Agents = Callable[..., LanguageAgent]
SEATS = ("player_0", "player_1")


def plan(id: str = "root", first: str = "policy", second: str = "policy", **fields: Any) -> Plan:
    return Plan(
        **{"id": id, "env_id": "TicTacToe-LLM", "seed": 7, "seats": {"player_0": first, "player_1": second}} | fields
    )


def rollout_of(agent: LanguageAgent, **options: Any) -> Rollout:
    agents = {"policy": agent, "random": scripted_agent("random")}
    return Rollout(agents, **({"invalid": "random_legal"} | options))


def play_out(rollout: Rollout, *tables: Table, limit: int | None = None) -> list[Episode]:
    while not all(table.over for table in tables):
        rollout.play_turn(tables, limit)
    return [rollout.finish(table) for table in tables]


def same(left: Sequence[Turn], right: Sequence[Turn]) -> None:
    """Equal turns but for wall times and the rounding of log-probs in other batches."""
    for a, b in zip(left, right, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)
        assert a.topk_entropy == (b.topk_entropy and pytest.approx(b.topk_entropy, abs=1e-5))
        assert dataclasses.replace(a, logprobs=b.logprobs, seconds=b.seconds, topk_entropy=b.topk_entropy) == b


def alike(left: Episode, right: Episode) -> None:
    same(left.turns, right.turns)
    assert dataclasses.replace(left, turns=right.turns) == right


def after(rollout: Rollout, wanted: Plan, turns: int) -> Table:
    table = rollout.seat(wanted)
    for _ in range(turns):
        rollout.play_turn([table])
    return table


# --- steps ---------------------------------------------------------------------------------------------------------


def test_steps_are_what_collect_plays(agent: Agents) -> None:
    rollout = rollout_of(agent(max_tokens=3))
    wanted = [plan(f"e{i}", seed=i) for i in range(4)]
    for stepped, whole in zip(play_out(rollout, *map(rollout.seat, wanted)), rollout.collect(wanted), strict=True):
        alike(stepped, whole)


def test_a_table_says_who_is_to_act_and_what_was_played(agent: Agents) -> None:
    rollout = rollout_of(agent(max_tokens=3))
    table = rollout.seat(plan(second="random"))
    assert (table.speaker, table.turns) == ("policy", ())
    rollout.play_turn([table])
    assert (table.speaker, [turn.seat for turn in table.turns]) == ("random", ["player_0"])
    (episode,) = play_out(rollout, table)
    assert table.speaker is None
    assert episode.turns[0] == table.turns[0]
    rollout.play_turn([table])  # nothing is left to play
    assert len(table.turns) == len(episode.turns)


def test_what_is_asked_for_is_recorded(agent: Agents) -> None:
    everything = frozenset({"anchor", "ground_truth"})
    rollout = rollout_of(agent(max_tokens=3), record=everything, max_turns=4)
    (episode,) = rollout.collect([plan()])
    assert all(turn.anchor for turn in episode.turns)
    assert len({turn.anchor for turn in episode.turns}) == 4
    assert episode.ground_truth is None  # the game has none
    riddle = Plan(id="r", env_id="GuessTheNumber-LLM", seed=3, seats={"player_0": "policy"})
    (known,) = rollout.collect([riddle])
    (unknown,) = rollout_of(agent(max_tokens=3), max_turns=4).collect([riddle])
    assert known.ground_truth is not None
    assert unknown.ground_truth is None and unknown.turns[0].anchor is None
    with pytest.raises(ValueError, match="a rollout can record anchor, ground_truth: got anchors"):
        Rollout({}, record=frozenset({"anchors"}))


# --- forks ---------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["cloned", "played again", "cloned in a worker", "played again in a worker"])
def kwargs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments of a game that is forked in one of the ways."""
    if "again" in request.param:
        monkeypatch.setattr(Rollout, "_clone", lambda *_: None)
    return {"worker": True} if "worker" in request.param else {}


def test_a_fork_is_an_independent_play_of_the_same_replies(agent: Agents, kwargs: dict[str, Any]) -> None:
    rollout = rollout_of(agent(max_tokens=3), record=frozenset({"anchor"}))
    root = plan(env_kwargs=kwargs)
    table = after(rollout, root, 3)
    forks = [rollout.fork(table, dataclasses.replace(root, id=f"f{i}", stream=i)) for i in (1, 2)]
    parent, *children = play_out(rollout, table, *forks)
    (alone,) = rollout.collect([root])
    alike(parent, alone)  # whatever its forks do
    for stream, child in enumerate(children, start=1):
        assert (child.parent, child.fork_turn) == ("root", 3)
        assert child.turns[:3] == tuple(
            dataclasses.replace(turn, reward=child.turns[at].reward) for at, turn in enumerate(parent.turns[:3])
        )
        prefix = parent.turns[:3]
        again = dataclasses.replace(root, id=child.id, stream=stream, prefix=prefix, parent="root", fork_turn=3)
        alike(rollout.collect([again])[0], child)
        assert sum(turn.reward for turn in child.turns if turn.seat == "player_0") == child.returns["player_0"]
    assert len({episode.turns[3].completion_ids for episode in (parent, *children)}) == 3


def test_a_fork_of_a_begun_reply_goes_on_with_its_tokens(agent: Agents, kwargs: dict[str, Any]) -> None:
    rollout = rollout_of(agent(max_tokens=5))
    root = plan(env_kwargs=kwargs)
    table = after(rollout, root, 2)
    rollout.play_turn([table], limit=2)
    assert table.partial is not None and not table.partial.finished and len(table.turns) == 2
    fork = rollout.fork(table, dataclasses.replace(root, id="f", stream=1))
    parent, child = play_out(rollout, table, fork)
    ours, theirs = parent.turns[2], child.turns[2]
    assert ours.prompt_ids == theirs.prompt_ids
    assert ours.completion_ids[:2] == theirs.completion_ids[:2] == table.drafts[2].reply.completion_ids[:2]
    assert ours.completion_ids != theirs.completion_ids
    alike(parent, rollout.collect([root])[0])


def test_copies_are_not_kept_for_later(agent: Agents) -> None:
    rollout = rollout_of(agent(max_tokens=3))
    for _ in range(3):
        table = after(rollout, plan(), 1)
        play_out(rollout, table, *(rollout.fork(table, plan(f"f{i}", stream=i)) for i in range(4)))
    assert [len(idle) for idle in rollout._idle.values()] == [1]


def test_somebody_else_may_take_a_seat_over(agent: Agents) -> None:
    """A scripted agent reads no tokens; an agent with a context of its own is told what was said in text."""
    scribe = agent(max_tokens=3, system="Another one.")
    rollout = Rollout(
        {"policy": agent(max_tokens=3), "random": scripted_agent("random"), "scribe": scribe}, invalid="random_legal"
    )
    table = after(rollout, plan(), 3)
    told = table.turns[1]
    forks = [rollout.fork(table, plan(name, "policy", name)) for name in ("random", "scribe")]
    _, by_rule, by_scribe = play_out(rollout, table, *forks)
    assert by_rule.turns[1] == dataclasses.replace(told, reward=by_rule.turns[1].reward)
    assert by_rule.turns[3].completion_ids == ()
    assert by_scribe.turns[1] == dataclasses.replace(in_text(told), reward=by_scribe.turns[1].reward)
    ids = scribe.context.encode_reply(told.text)
    prompt = by_scribe.turns[3].prompt_ids
    assert any(prompt[at : at + len(ids)] == ids for at in range(len(prompt)))
    assert "Another one." in scribe.context.decode(prompt)


def test_forks_that_cannot_be_are_refused(agent: Agents) -> None:
    rollout = rollout_of(agent(max_tokens=5))
    table = after(rollout, plan(), 1)
    with pytest.raises(ValueError, match="a fork plays its parent's game from its seed: 'f' and 'root' differ"):
        rollout.fork(table, plan("f", seed=8))
    with pytest.raises(ValueError, match="agents of this rollout are policy, random: got 'nobody'"):
        rollout.fork(table, plan("f", second="nobody"))
    rollout.play_turn([table], limit=1)
    with pytest.raises(ValueError, match="begins a reply in tokens, which needs an agent that works on tokens"):
        rollout.play_turn([rollout.fork(table, plan("f", second="random"))])
    play_out(rollout, table)
    with pytest.raises(ValueError, match="forked while it is played: 'root' is over"):
        rollout.fork(table, plan("f"))


def test_a_game_that_fails_to_be_copied_is_played_again(agent: Agents, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: OpenSpielGame) -> OpenSpielGame:
        raise EnvFailure("no copy today")

    rollout = rollout_of(agent(max_tokens=3))
    table = after(rollout, plan(), 2)
    cloned = rollout.fork(table, plan("f", stream=1))
    monkeypatch.setattr(OpenSpielGame, "clone", fail)
    again = rollout.fork(table, plan("f", stream=1))
    assert again.plan.prefix and not cloned.plan.prefix
    alike(*play_out(rollout, cloned, again))


# --- turns made again ----------------------------------------------------------------------------------------------


def test_an_episode_is_made_again_from_its_turns_alone(agent: Agents, kwargs: dict[str, Any]) -> None:
    rollout = rollout_of(agent(max_tokens=3), record_messages=False)
    (whole,) = rollout.collect([plan(env_kwargs=kwargs)])
    (again,) = rollout.collect([plan(env_kwargs=kwargs, prefix=whole.turns)])
    assert again == whole


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seat": "player_0"}, "at turn 1 player_0 was to act, and now player_1 is"),
        ({"action": "9"}, r"at turn 1 player_1 took 9 \(ok\), and now it takes"),
        ({"status": "illegal"}, r"at turn 1 player_1 took .* \(illegal\), and now it takes .* \(ok\)"),
        ({"prompt_ids": (1, 2)}, "at turn 1 player_1 had a context of 2 tokens, and now it has another one of"),
        (
            {"observation": (Message("user", "Something else"),)},
            ".* read 'Something else', and now it reads",
        ),
    ],
)
def test_a_game_that_does_not_follow_is_a_failure(agent: Agents, changes: dict[str, Any], message: str) -> None:
    rollout = rollout_of(agent(max_tokens=3))
    speaker = "policy" if "prompt_ids" in changes else "random"
    first, second, third = after(rollout, plan(first=speaker, second=speaker), 3).turns
    wrong = dataclasses.replace(second, **changes)
    (episode,) = rollout.collect([plan(prefix=(first, wrong, third))])
    assert episode.status == "env_error"
    assert len(episode.turns) == 1
    assert re.search(f"the game did not follow when it was played again: {message}", episode.metadata["failure"])


def test_a_prefix_that_no_longer_fits_the_context_truncates(agent: Agents) -> None:
    rollout = rollout_of(agent(max_tokens=3))
    turns = after(rollout, plan(), 4).turns
    told = tuple(in_text(turn) for turn in turns)
    tight = rollout_of(agent(max_tokens=3, max_context=len(turns[2].prompt_ids) + 2))
    (episode,) = tight.collect([plan(prefix=told)])
    assert (episode.status, len(episode.turns)) == ("truncated", 2)


# --- limits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_a_reply_in_parts_is_the_reply_in_one_go(agent: Agents, limit: int) -> None:
    policy = agent(max_tokens=5)
    policy.sampling = dataclasses.replace(policy.sampling, entropy_tokens=3)
    rollout = rollout_of(policy, max_turns=5)
    (parts,) = play_out(rollout, rollout.seat(plan()), limit=limit)
    (whole,) = rollout.collect([plan()])
    alike(parts, whole)
    assert max(len(turn.completion_ids) for turn in whole.turns) == 5
    assert {len(turn.topk_entropy or ()) for turn in parts.turns} <= {1, 2, 3}


def test_a_stop_text_is_noticed_across_a_limit(agent: Agents) -> None:
    """Two tokens that make the stop text together, one before the limit and one after it."""
    policy = agent(max_tokens=6)
    rollout = rollout_of(policy, max_turns=1)
    (free,) = rollout.collect([plan()])
    ids = free.turns[0].completion_ids
    assert len(ids) == 6
    policy.sampling = dataclasses.replace(policy.sampling, stop=(policy.context.decode(ids[1:3]),))
    (parts,) = play_out(rollout, rollout.seat(plan()), limit=2)
    (whole,) = rollout.collect([plan()])
    assert whole.turns[0].completion_ids == ids[:3]
    alike(parts, whole)


def test_each_table_may_have_its_own_limit(agent: Agents) -> None:
    rollout = rollout_of(agent(max_tokens=5))
    tables = [rollout.seat(plan(str(at), seed=at)) for at in range(3)]
    rollout.play_turn(tables, [1, 3, None])
    begun = [table.partial for table in tables]
    assert [len(part.completion_ids) for part in begun if part is not None] == [1, 3]
    assert len(tables[2].turns) == 1
    with pytest.raises(ValueError, match="a reply grows by at least 1 token: got the limit 0"):
        rollout.play_turn(tables, 0)


def test_a_limit_leaves_agents_without_tokens_alone(agent: Agents) -> None:
    rollout = rollout_of(agent(max_tokens=5))
    table = rollout.seat(plan(first="random"))
    rollout.play_turn([table], 1)
    assert len(table.turns) == 1


def test_a_begun_reply_can_be_written_down_as_it_is(agent: Agents) -> None:
    policy = agent(max_tokens=5)
    rollout = rollout_of(policy, max_turns=1)
    table = rollout.seat(plan())
    with pytest.raises(ValueError, match="no reply of 'root' has stopped at a limit"):
        table.unfinished_turn()
    rollout.play_turn([table], 2)
    begun = table.unfinished_turn()
    (whole,) = rollout.collect([plan()])
    assert begun.prompt_ids == whole.turns[0].prompt_ids
    assert begun.completion_ids == whole.turns[0].completion_ids[:2]
    assert begun.text == policy.context.decode(begun.completion_ids)
    assert (begun.action, begun.reward, begun.observation) == (None, 0.0, whole.turns[0].observation)


def test_spans_tell_which_weights_sampled_what(agent: Agents) -> None:
    policy = agent(max_tokens=5)
    rollout = rollout_of(policy, max_turns=1)
    table = rollout.seat(plan())
    for version, limit in ((0, 1), (0, 1), (4, 1), (5, None)):
        policy.engine.weight_version = version  # type: ignore[misc]
        rollout.play_turn([table], limit)
    assert table.turns[0].weight_version == ((0, 0), (2, 4), (3, 5))


# --- plans ---------------------------------------------------------------------------------------------------------


def test_a_plan_survives_json_with_all_that_was_played(agent: Agents) -> None:
    rollout = rollout_of(agent(max_tokens=5))
    table = after(rollout, plan(), 2)
    rollout.play_turn([table], 2)
    kept = plan(group="g", parent="p", fork_turn=1, prefix=table.turns, partial=table.partial)
    again = plan_from_dict(json.loads(json.dumps(plan_to_dict(kept))))
    assert again == kept
    (resumed,), (whole,) = rollout.collect([again]), rollout.collect([plan()])
    alike(dataclasses.replace(resumed, group=None, parent=None, fork_turn=None), whole)


def test_a_reply_is_begun_with_the_first_tokens_of_a_turn(agent: Agents) -> None:
    policy = agent(max_tokens=5)
    rollout = rollout_of(policy, max_turns=1)
    (whole,) = rollout.collect([plan()])
    (turn,) = whole.turns
    (again,) = rollout.collect([plan(partial=first_tokens(turn, 2))])
    alike(again, whole)
    (other,) = rollout.collect([plan(stream=1, partial=first_tokens(turn, 2))])
    assert other.turns[0].completion_ids[:2] == turn.completion_ids[:2]
    assert other.turns[0].completion_ids != turn.completion_ids
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"begun with 1 to 4 of its tokens: got {count}"):
            first_tokens(turn, count)


def test_plans_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="parent and fork_turn come together: got 'p' and None"):
        plan(parent="p")
    with pytest.raises(ValueError, match="a reply that was begun has tokens: plan 'root' got none"):
        plan(partial=Reply(text="well"))
