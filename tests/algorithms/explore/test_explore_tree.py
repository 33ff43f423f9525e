"""SPO-tree on live games: the shape of trees, shared beginnings, and that the credit reads them."""

from __future__ import annotations

import pytest

from turnwise.algorithms.credit.lineage import FORK_TOKEN, segment_paths
from turnwise.algorithms.credit.spo_tree import SPOTreeSettings, credit
from turnwise.algorithms.explore.spo_tree import SPOTreeExploreSettings, explore
from turnwise.records import Episode


def settings(*factors: int, **fields) -> SPOTreeExploreSettings:
    return SPOTreeExploreSettings(factors=factors, **fields)


def test_a_full_tree(ground, plans) -> None:
    """Wages last three turns: 2 * 3 * 2 leaves. Paths are numbered level by level."""
    found = explore(plans(2, 1, "Wages", None), ground(), settings(2, 3, 2), {})
    assert len(found.episodes) == 24
    tree = found.episodes[:12]
    assert [episode.id for episode in tree] == ["0-0", *(f"0-0.{number}" for number in range(1, 12))]
    assert [episode.fork_turn for episode in tree] == [None, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]
    assert [episode.parent for episode in tree[:6]] == [None, "0-0", "0-0", "0-0", "0-0.1", "0-0.1"]
    assert {episode.group for episode in tree} == {"0-0"}
    assert found.metrics["leaves"] == found.metrics["full_leaves"] == 24.0
    assert all(len(episode.turns) == 3 for episode in tree)


def test_edges_are_the_segments(ground, plans) -> None:
    """2 + 2 * 3 + 2 * 3 * 2 edges, each sampled once; every path has one per level."""
    found = explore(plans(1, 1, "Wages", None), ground(), settings(2, 3, 2), {})
    paths = segment_paths(found.episodes)
    assert {len(path) for path in paths} == {3}
    assert len({segment for path in paths for segment in path}) == 2 + 6 + 12
    everything = sum(len(turn.completion_ids) for episode in found.episodes for turn in episode.turns)
    once = sum(
        len(turn.completion_ids)
        for episode in found.episodes
        for index, turn in enumerate(episode.turns)
        if index >= (episode.fork_turn or 0)
    )
    assert found.metrics["shared_tokens"] == everything - once


def test_forks_carry_their_parents_turns(ground, plans) -> None:
    episodes = explore(plans(2, 1), ground(), settings(2, 2), {}).episodes
    by_id = {episode.id: episode for episode in episodes}
    for fork in (episode for episode in episodes if episode.parent is not None):
        parent = by_id[fork.parent]
        for mine, theirs in zip(fork.turns[: fork.fork_turn], parent.turns[: fork.fork_turn], strict=True):
            assert (mine.seat, mine.text, mine.prompt_ids, mine.completion_ids, mine.logprobs) == (
                theirs.seat,
                theirs.text,
                theirs.prompt_ids,
                theirs.completion_ids,
                theirs.logprobs,
            )


def test_the_first_path_is_the_plan_itself(ground, plans, rollout, untimed) -> None:
    wanted = plans(2, 1)
    episodes = untimed(explore(wanted, ground(), settings(3, 2), {}).episodes)
    alone = untimed(rollout.collect(wanted))
    assert [episode for episode in episodes if episode.parent is None] == alone


def test_segments_may_end_inside_a_reply(ground, plans, policy) -> None:
    found = explore(plans(1, 1, "Wages", None), ground(), settings(2, 2, 2, segment_turns=None, segment_tokens=3), {})
    episodes = {episode.id: episode for episode in found.episodes}
    inside = [episode for episode in found.episodes if episode.metadata.get(FORK_TOKEN)]
    assert inside
    for fork in inside:
        turn, parent = fork.turns[fork.fork_turn], episodes[fork.parent].turns[fork.fork_turn]
        begun = fork.metadata[FORK_TOKEN]
        assert turn.prompt_ids == parent.prompt_ids
        assert turn.completion_ids[:begun] == parent.completion_ids[:begun]
        assert turn.logprobs[:begun] == parent.logprobs[:begun]
        assert turn.text == policy.context.decode(turn.completion_ids)
    assert any(f.turns[f.fork_turn] != episodes[f.parent].turns[f.fork_turn] for f in inside)
    sampled = {segment for path in segment_paths(found.episodes) for segment in path}
    assert len(sampled) == 2 + 4 + 8
    assert Episode.from_json(inside[0].to_json()) == inside[0]


def test_a_path_that_ends_early_is_a_leaf(ground, plans) -> None:
    """Of three turns, the fourth level finds nothing to fork."""
    found = explore(plans(1, 1, "Wages", None), ground(), settings(2, 1, 1, 5), {})
    assert (found.metrics["leaves"], found.metrics["full_leaves"]) == (2.0, 10.0)


def test_segments_of_several_turns(ground, plans) -> None:
    found = explore(plans(1, 1, "Wages", None), ground(), settings(1, 2, segment_turns=2), {})
    assert [episode.fork_turn for episode in found.episodes] == [None, 2]


def test_credit_reads_the_tree(ground, plans) -> None:
    found = explore(plans(3, 1), ground(), settings(3, 2), {})
    table = credit(found.episodes, {}, SPOTreeSettings(prob_threshold=None, whiten=False, drop_zero=False))
    trained = sum(entry is not None for row in table.advantages for entry in row)
    sampled = sum(
        turn.seat == "player_0"
        for episode in found.episodes
        for index, turn in enumerate(episode.turns)
        if index >= (episode.fork_turn or 0)
    )
    assert trained == sampled
    leaves = [[e.returns["player_0"] for e in found.episodes if e.group == f"0-{group}"] for group in range(3)]
    full = all(len(values) == 6 for values in leaves)
    assert full and table.metrics["root_value"] == pytest.approx(sum(map(sum, leaves)) / 18)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"factors": ()}, "level by level: got none"),
        ({"factors": (2, 0)}, "factors is a finite number in"),
        (
            {"segment_tokens": 3},
            "the other one is null: got segment_turns=1 and segment_tokens=3",
        ),
        ({"segment_turns": None}, "got segment_turns=None and segment_tokens=None"),
    ],
)
def test_shapes_that_cannot_be_are_refused(fields, message) -> None:
    with pytest.raises(ValueError, match=message):
        SPOTreeExploreSettings(**fields)
