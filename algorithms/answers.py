"""How likely the right answer was before every turn, teacher-forced: the source of information gain.

All turns of one seat share a growing transcript. So one row holds the longest transcript once and, behind it, one
copy of the answer per turn; a mask lets each copy see only what stood in its own prompt. The answer's place is known
because its three parts (prompt, prefix, answer) are token ids that are put together. Prefix and answer are spelled as
the policy itself would spell them: a reply is encoded whole, and parted where its tokens end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from turnwise.algorithms.policy import body_and_head, head_scores, within

Ids = tuple[int, ...]
Spread = Callable[[Sequence[Any], Callable[[Any], Any]], list[Any]]
"""(items, compute) -> compute of every item, in order."""
_MOST_CELLS = 2**24
"""Entries of the attention mask of one forward pass: 64 MiB of float32."""


@dataclass(frozen=True, slots=True)
class Question:
    """The prompts of one seat's turns and the right answer behind each of them."""

    prompts: tuple[Ids, ...]
    prefix: Ids
    """What opens an answer; at least one token."""
    answer: Ids
    """At least one token."""


@dataclass(frozen=True, slots=True)
class _Row:
    trunk: Ids
    """The longest of these prompts."""
    lengths: tuple[int, ...]
    """Of the prompts, each of which begins the trunk."""
    prefix: Ids
    answer: Ids

    @property
    def width(self) -> int:
        return len(self.trunk) + len(self.lengths) * (len(self.prefix) + len(self.answer))


def spelled(
    encode: Callable[[str], Ids], decode: Callable[[Ids], str], before: str, answer: str, after: str
) -> tuple[Ids, Ids]:
    """(prefix, answer) in tokens, of the reply `before + answer + after` as it is encoded whole.

    A token that begins in `before` and reaches into the answer, or begins in the answer and reaches into `after`,
    belongs to the answer. Raises ValueError where no token is left for the prefix.
    """
    ids = encode(before + answer + after)
    ends = [len(decode(ids[: count + 1])) for count in range(len(ids))]
    start = sum(end <= len(before) for end in ends)
    stop = 1 + sum(end < len(before + answer) for end in ends)
    if not start:
        raise ValueError(
            f"an answer is scored behind a prefix of a token or more: {before!r} and the beginning of {answer!r} are "
            "one; choose a longer algorithm.answer_prefix"
        )
    return ids[:start], ids[start:stop]


def _one_by_one(items: Sequence[Any], compute: Callable[[Any], Any]) -> list[Any]:
    return [compute(item) for item in items]


@torch.no_grad()
def answer_logprobs(
    model: Any, questions: Sequence[Question], *, temperature: float, pad_id: int, spread: Spread = _one_by_one
) -> list[list[float]]:
    """Mean log p of the answer's tokens behind each prompt, in nats: one list per question, one entry per prompt.

    spread: who computes what, see `Learner.spread`.
    Raises ValueError on an empty prefix, answer or prompt.
    """
    rows: dict[_Row, list[float]] = {}
    parts = [list(_rows_of(question)) for question in questions]
    waiting = sorted({row for found in parts for row in found}, key=lambda row: row.width)
    blocks = list(_blocks(waiting))
    found = spread(blocks, lambda block: within(model, _score, model, block, temperature, pad_id))
    for block, scores in zip(blocks, found, strict=True):
        rows |= dict(zip(block, scores, strict=True))
    return [[score for row in mine for score in rows[row]] for mine in parts]


def _rows_of(question: Question) -> Iterator[_Row]:
    """A row per stretch of prompts that only grow."""
    if not (question.prefix and question.answer and all(question.prompts)):
        raise ValueError("an answer is scored behind a prompt and a prefix of at least one token each: one is empty")
    stretch: list[Ids] = []
    for prompt in question.prompts:
        if stretch and prompt[: len(stretch[-1])] != stretch[-1]:
            yield _Row(stretch[-1], tuple(map(len, stretch)), question.prefix, question.answer)
            stretch = []
        stretch.append(prompt)
    if stretch:
        yield _Row(stretch[-1], tuple(map(len, stretch)), question.prefix, question.answer)


def _blocks(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """Rows of like width, as many as fit one pass."""
    block: list[_Row] = []
    for row in rows:
        if block and (len(block) + 1) * row.width**2 > _MOST_CELLS:
            yield block
            block = []
        block.append(row)
    if block:
        yield block


def _score(model: Any, rows: Sequence[_Row], temperature: float, pad_id: int) -> list[list[float]]:
    device = model.device
    laid = [_lay_out(row) for row in rows]
    width = max(row.width for row in rows)
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    positions = torch.zeros_like(ids)
    seen = torch.eye(width, dtype=torch.bool).repeat(len(rows), 1, 1)  # padding sees itself, so that nothing is 0 / 0
    for index, (row_ids, row_positions, row_seen, _) in enumerate(laid):
        size = len(row_ids)
        ids[index, :size], positions[index, :size] = row_ids, row_positions
        seen[index, :size, :size] = row_seen
    mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)[:, None]
    body, _ = body_and_head(model)
    hidden = body(
        input_ids=ids.to(device), attention_mask=mask.to(device), position_ids=positions.to(device), use_cache=False
    ).last_hidden_state
    return [_means(model, hidden[index], laid[index][3], row, temperature) for index, row in enumerate(rows)]


def _lay_out(row: _Row) -> tuple[Tensor, Tensor, Tensor, list[int]]:
    """Ids, positions, what each token sees, and where each copy of the answer begins."""
    snippet = row.prefix + row.answer
    trunk = len(row.trunk)
    ids = torch.tensor(row.trunk + snippet * len(row.lengths))
    positions = torch.arange(len(ids))
    seen = torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    starts = []
    for copy, length in enumerate(row.lengths):
        start = trunk + copy * len(snippet)
        end = start + len(snippet)
        positions[start:end] = torch.arange(length, length + len(snippet))
        seen[start:end, length:start] = False
        starts.append(start + len(row.prefix))
    return ids, positions, seen, starts


def _means(model: Any, hidden: Tensor, starts: Sequence[int], row: _Row, temperature: float) -> list[float]:
    """The mean log p of every copy of the answer in a row. hidden: [L, H]."""
    places = torch.tensor([start - 1 + offset for start in starts for offset in range(len(row.answer))])
    answers = torch.tensor(row.answer * len(starts), device=hidden.device)
    scores = head_scores(model, hidden[places.to(hidden.device)], answers, temperature=temperature)
    found: list[float] = scores.logprobs.reshape(len(starts), -1).double().mean(-1).tolist()
    return found
