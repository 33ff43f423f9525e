"""Packing: every trained token is found once, in the row and at the place where the model has to predict it."""

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.batch import (
    Batch,
    blocks,
    by_length,
    pack,
    pack_samples,
    take_rows,
    to_device,
)
from turnwise.algorithms.samples import Sample, samples_of
from turnwise.records import Episode

Spoken = Callable[..., Episode]
Token = tuple[tuple[int, ...], int, float, float]
"""Everything before a trained token, the token, its advantage, its sampled log-prob."""

tokens = st.integers(1, 5)
some = st.lists(tokens, min_size=1, max_size=3).map(tuple)
talks = st.lists(st.tuples(some, some, st.sampled_from([None, -1.0, 0.5])), min_size=1, max_size=4)
"""(text appended, completion, advantage) per turn of one append-only conversation."""


def packed(batch: Batch) -> list[list[Token]]:
    """The trained tokens of each sample, as the indices of the batch find them."""
    found = []
    for indices, mask, advantages, logprobs in zip(
        batch.token_index, batch.mask, batch.advantages, batch.sampled_logprobs, strict=True
    ):
        rows, positions = batch.token_row[indices[mask]], batch.token_position[indices[mask]]
        found.append(
            [
                (tuple(batch.ids[row, :position].tolist()), int(batch.ids[row, position]), float(a), float(p))
                for row, position, a, p in zip(rows, positions, advantages[mask], logprobs[mask], strict=True)
            ]
        )
    return found


def conversation(spoken: Spoken, talk: Sequence[tuple[tuple[int, ...], tuple[int, ...], object]]) -> Episode:
    """One seat; every prompt is the prompt before, what was said, and the text appended."""
    prompt: tuple[int, ...] = ()
    turns = []
    for text, completion, _ in talk:
        prompt += text
        turns.append(("player_0", prompt, completion, [-0.25 * (i + len(prompt)) for i in range(len(completion))]))
        prompt += completion
    return spoken(*turns)


# --- by hand -------------------------------------------------------------------------------------------------------


def test_a_conversation_is_one_row_with_two_spans(spoken: Spoken) -> None:
    talk = spoken(("player_0", (1, 2, 3), (4, 5), (-0.5, -0.25)), ("player_0", (1, 2, 3, 4, 5, 6, 7), (8,), (-0.125,)))
    batch = pack([talk], [[1.0, -2.0]], pad_id=0)
    assert batch is not None
    assert batch.ids.tolist() == [[1, 2, 3, 4, 5, 6, 7, 8]]
    assert batch.lengths.tolist() == [8]
    assert batch.token_row.tolist() == [0, 0, 0]
    assert batch.token_position.tolist() == [3, 4, 7]
    assert batch.sample_row.tolist() == [0]
    assert batch.token_index.tolist() == [[0, 1, 2]]
    assert batch.mask.tolist() == [[True, True, True]]
    assert batch.advantages.tolist() == [[1.0, 1.0, -2.0]]
    assert batch.sampled_logprobs.tolist() == [[-0.5, -0.25, -0.125]]


def test_one_row_a_turn_is_two_rows_in_lexicographic_order(spoken: Spoken) -> None:
    talk = spoken(("player_0", (1, 2, 3), (4, 5)), ("player_0", (1, 6), (8,)))
    batch = pack([talk], [[1.0, -2.0]], pad_id=9)
    assert batch is not None
    assert batch.ids.tolist() == [[1, 2, 3, 4, 5], [1, 6, 8, 9, 9]]
    assert batch.lengths.tolist() == [5, 3]
    assert (batch.token_row.tolist(), batch.token_position.tolist()) == ([0, 0, 1], [3, 4, 2])
    assert batch.token_index.tolist() == [[0, 1], [2, 0]]
    assert batch.mask.tolist() == [[True, True], [True, False]]
    assert batch.advantages.tolist() == [[1.0, 1.0], [-2.0, 0.0]]
    shortest_first = by_length(batch)
    assert shortest_first.ids.tolist() == [[1, 6, 8, 9, 9], [1, 2, 3, 4, 5]]
    assert (shortest_first.token_row.tolist(), shortest_first.token_position.tolist()) == ([0, 1, 1], [2, 3, 4])
    assert shortest_first.token_index.tolist() == [[0, 0], [1, 2]]
    assert shortest_first.advantages.tolist() == [[-2.0, 0.0], [1.0, 1.0]]


def test_equal_rows_are_forwarded_once(spoken: Spoken) -> None:
    """Two episodes that went alike, one that parted in its last token, one with the same tokens but other spans."""
    first = spoken(("player_0", (1, 2), (3, 4), (-0.5, -1.0)))
    again = spoken(("player_0", (1, 2), (3, 4), (-0.75, -2.0)))
    parted = spoken(("player_0", (1, 2), (3, 5)))
    shifted = spoken(("player_0", (1, 2, 3), (4,)))
    batch = pack([first, parted, again, shifted], [[1.0], [2.0], [3.0], [4.0]], pad_id=0)
    assert batch is not None
    assert batch.ids.tolist() == [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 5]]
    assert batch.sample_row.tolist() == [0, 0, 1, 2]
    assert batch.token_index.tolist() == [[0, 1], [0, 1], [2, 0], [3, 4]]
    assert batch.advantages.tolist() == [[1.0, 1.0], [3.0, 3.0], [4.0, 0.0], [2.0, 2.0]]
    assert batch.sampled_logprobs.tolist()[:2] == [[-0.5, -1.0], [-0.75, -2.0]]


def test_seats_have_rows_of_their_own(spoken: Spoken) -> None:
    talk = spoken(("player_0", (1,), (2,)), ("player_1", (1, 2, 3), (4,)), ("player_0", (1, 2, 5), (6,)))
    batch = pack([talk], [[1.0, 2.0, 3.0]], pad_id=0)
    assert batch is not None
    assert batch.ids.tolist() == [[1, 2, 3, 4], [1, 2, 5, 6]]
    assert batch.token_position.tolist() == [3, 1, 3]
    assert batch.advantages.tolist() == [[2.0, 0.0], [1.0, 3.0]]


def test_a_turn_that_is_not_trained_stays_as_context(spoken: Spoken) -> None:
    talk = [((1,), (2,), 1.0), ((3,), (4, 4), None), ((5,), (6,), 2.0)]
    batch = pack([conversation(spoken, talk)], [[1.0, None, 2.0]], pad_id=0)
    assert batch is not None
    assert batch.ids.tolist() == [[1, 2, 3, 4, 4, 5, 6]]
    assert batch.token_position.tolist() == [1, 6]
    assert batch.advantages.tolist() == [[1.0, 2.0]]


def test_a_prompt_that_only_resembles_the_row_starts_anew(spoken: Spoken) -> None:
    """Nothing appended, something changed, something cut off: three ways not to go on."""
    for prompt in ((1, 2, 3), (1, 2, 4, 5), (1, 2)):
        talk = spoken(("player_0", (1, 2), (3,)), ("player_0", prompt, (9,)))
        assert [sample.ids for sample in samples_of(talk, [1.0, 1.0])] == [(1, 2, 3), (*prompt, 9)]


def test_nothing_trained_is_no_batch(spoken: Spoken) -> None:
    assert pack([spoken(("player_0", (1,), (2,)))], [[None]], pad_id=0) is None
    assert pack([spoken(("player_0", (), ()))], [[1.0]], pad_id=0) is None  # a scripted reply
    assert pack([], [], pad_id=0) is None


def test_a_trained_turn_needs_its_prompt_and_one_advantage(spoken: Spoken) -> None:
    with pytest.raises(ValueError, match="needs the prompt_ids"):
        pack([spoken(("player_0", (), (2,)))], [[1.0]], pad_id=0)
    with pytest.raises(ValueError):
        pack([spoken(("player_0", (1,), (2,)))], [[1.0, 1.0]], pad_id=0)


# --- for any episodes ----------------------------------------------------------------------------------------------


@given(st.lists(talks, min_size=1, max_size=4))
def test_every_sample_finds_its_own_tokens(spoken: Spoken, several: list[list[tuple]]) -> None:  # type: ignore[type-arg]
    """Small vocabulary, so that rows coincide often. One sample per episode, since each is one conversation."""
    episodes = [conversation(spoken, talk) for talk in several]
    advantages = [[advantage for *_, advantage in talk] for talk in several]
    expected = []
    for episode, values in zip(episodes, advantages, strict=True):
        row = [
            (turn.prompt_ids + turn.completion_ids[:i], token, value, turn.logprobs[i])
            for turn, value in zip(episode.turns, values, strict=True)
            if value is not None
            for i, token in enumerate(turn.completion_ids)
        ]
        expected += [row] if row else []
    batch = pack(episodes, advantages, pad_id=0)
    if batch is None:
        assert expected == []
        return
    assert sorted(packed(batch)) == sorted(expected)
    rows = {tuple(row[:length].tolist()) for row, length in zip(batch.ids, batch.lengths, strict=True)}
    assert len(batch.lengths) <= len(expected)
    assert len(set(batch.token_row.tolist())) == len(batch.lengths) >= len(rows)


@given(st.lists(talks, min_size=1, max_size=6), st.integers(1, 40))
def test_parts_hold_the_same_tokens_as_the_whole(spoken: Spoken, several: list[list[tuple]], limit: int) -> None:  # type: ignore[type-arg]
    advantages = [[advantage for *_, advantage in talk] for talk in several]
    batch = pack([conversation(spoken, talk) for talk in several], advantages, pad_id=0)
    if batch is None:
        return
    cuts = blocks(batch, limit)
    assert [first for first, _ in cuts] == [0, *(last for _, last in cuts[:-1])]
    assert cuts[-1][1] == len(batch.lengths)
    parts = [take_rows(batch, first, last) for first, last in cuts]
    assert all(part.ids.numel() <= limit or len(part.lengths) == 1 for part in parts)
    shortest_first = by_length(batch)
    assert sorted(packed(shortest_first)) == sorted(packed(batch))
    assert shortest_first.lengths.tolist() == sorted(batch.lengths.tolist())
    assert shortest_first.token_row.diff().ge(0).all() and shortest_first.sample_row.diff().ge(0).all()
    assert [sample for part in parts for sample in packed(part)] == packed(batch)
    assert sum(len(part.token_row) for part in parts) == len(batch.token_row)
    assert all(part.mask.shape[1] == batch.mask.shape[1] for part in parts)  # the width some aggregations divide by


def test_blocks_by_hand(spoken: Spoken) -> None:
    rows = [spoken(("player_0", (1,) * size, (2,))) for size in (1, 1, 2, 5)]  # lengths 2, 2, 3, 6; the first two merge
    packed_rows = pack(rows, [[1.0]] * 4, pad_id=0)
    assert packed_rows is not None
    assert packed_rows.lengths.tolist() == [6, 3, 2]  # (1, 1, ... before (1, 2)
    assert blocks(packed_rows, 17) == [(0, 2), (2, 3)]
    batch = by_length(packed_rows)
    assert batch.lengths.tolist() == [2, 3, 6]
    assert blocks(batch, 100) == [(0, 3)]
    assert blocks(batch, 18) == [(0, 3)]
    assert blocks(batch, 17) == [(0, 2), (2, 3)]
    assert blocks(batch, 5) == [(0, 1), (1, 2), (2, 3)]


def test_on_the_cpu_a_batch_is_where_it_should_be() -> None:
    sample = Sample()
    sample.add((1,), (2,), [-1.0], 1.0)
    batch = pack_samples([sample], pad_id=0)
    assert to_device(batch, torch.device("cpu")) is batch
