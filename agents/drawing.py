"""From logits to sampled tokens: the inverse of the cumulative distribution at one draw per request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turnwise.agents.engine import ENTROPY_CANDIDATES

Ints = NDArray[np.int64]
Kinds = Sequence[tuple[tuple[float, float], Ints | None]]
"""(temperature, top_p), and the rows that are sampled with it; None for all."""


class Drawn(NamedTuple):
    """Of each request: its row and token, and the token's log-prob in nats. Of each row, where asked: its entropy."""

    places: Ints
    """Row times vocabulary plus token."""
    logprobs: NDArray[np.float32]
    entropy: NDArray[np.float32] | None
    """Over the likeliest ten."""


def draw(logits: Tensor, row_of: Ints, draws: NDArray[np.float64], kinds: Kinds, *, entropy: bool = False) -> Drawn:
    """A token of each request by its own draw.

    logits: [U, V] float32, of the distinct contexts. row_of: [N], ascending or not. draws: [N] in [0, 1).
    Raises ValueError where the log-probs are NaN.
    """
    rows = torch.from_numpy(row_of).to(logits.device)
    probabilities = _chances(logits, kinds)
    places = rows * logits.shape[1] + _tokens(probabilities, rows, row_of, draws, kinds)
    logprobs = probabilities.take(places).log_().cpu().numpy()
    if math.isnan(logprobs.sum()):
        raise ValueError("the model's log-probs are NaN: its weights are broken, go back to an earlier checkpoint")
    found = None
    if entropy:
        top = probabilities.topk(min(ENTROPY_CANDIDATES, logits.shape[-1]), dim=-1).values
        found = (-(top * top.log()).nan_to_num(0.0).sum(-1)).cpu().numpy()
    return Drawn(places.cpu().numpy(), logprobs, found)


def _chances(logits: Tensor, kinds: Kinds) -> Tensor:
    """What each row's token is drawn from: [U, V] probabilities."""
    if len(kinds) > 1:
        probabilities = torch.empty_like(logits)
        for kind, members in kinds:
            some = torch.from_numpy(members).to(logits.device)
            probabilities[some] = _chances(logits[some], [(kind, None)])
        return probabilities
    ((temperature, top_p), _) = kinds[0]
    scaled = logits if temperature in (0, 1) else logits / temperature
    return _nucleus(scaled, top_p) if top_p < 1 else torch.softmax(scaled, dim=-1)


def _tokens(probabilities: Tensor, rows: Tensor, row_of: Ints, draws: NDArray[np.float64], kinds: Kinds) -> Tensor:
    """[N]: drawn, or the likeliest one where the temperature is 0."""
    greedy = [members for (temperature, _), members in kinds if temperature == 0]
    if len(greedy) == len(kinds):
        return probabilities.argmax(-1)[rows]
    tokens = _inverse(probabilities, rows, row_of, draws)
    for members in greedy:
        assert members is not None  # they are not all rows
        chosen = torch.from_numpy(np.isin(row_of, members)).to(rows.device)
        tokens = torch.where(chosen, probabilities.argmax(-1)[rows], tokens)
    return tokens


def _inverse(probabilities: Tensor, rows: Tensor, row_of: Ints, draws: NDArray[np.float64]) -> Tensor:
    """The first token of each request whose cumulative sum, in float64, exceeds its draw's share of the whole."""
    cumulative = probabilities.cumsum(-1, dtype=torch.float64)  # [U, V]
    last = cumulative.shape[1] - 1
    if rows.device.type == "cpu" and len(row_of) > len(cumulative):
        return torch.from_numpy(_row_by_row(cumulative.numpy(), row_of, draws))
    targets = torch.from_numpy(draws).to(rows.device) * cumulative[:, last].take(rows)
    if len(row_of) == len(cumulative) and (row_of == np.arange(len(row_of))).all():
        return torch.searchsorted(cumulative, targets[:, None], right=True)[:, 0].clamp_max_(last)
    return _together(cumulative, targets, rows, row_of).clamp_max_(last)


def _row_by_row(cumulative: NDArray[np.float64], row_of: Ints, draws: NDArray[np.float64]) -> Ints:
    """One search a row: where rows have several requests each, and a search costs little but for its keys."""
    order = row_of.argsort(kind="stable")
    members = np.bincount(row_of, minlength=len(cumulative))
    targets = draws[order] * cumulative[:, -1].repeat(members)
    found, begin = [], 0
    for sums, end in zip(cumulative[:, :-1], members.cumsum().tolist(), strict=True):
        found.append(sums.searchsorted(targets[begin:end], side="right"))
        begin = end
    tokens = np.empty_like(row_of)
    tokens[order] = np.concatenate(found)
    return tokens


def _together(cumulative: Tensor, targets: Tensor, rows: Tensor, row_of: Ints) -> Tensor:
    """One search for all."""
    count = len(cumulative)
    members = np.bincount(row_of, minlength=count)
    most = int(members.max())
    if count * most > 2 * len(row_of) + 1024:  # some rows have many requests, others few
        return torch.searchsorted(cumulative[rows], targets[:, None], right=True)[:, 0]
    order = np.argsort(row_of, kind="stable")
    starts = members.cumsum() - members
    rank = np.empty_like(row_of)
    rank[order] = np.arange(len(row_of)) - starts[row_of[order]]
    places = torch.from_numpy(rank).to(rows.device)
    grid = cumulative.new_zeros(count, most)
    grid[rows, places] = targets
    return torch.searchsorted(cumulative, grid, right=True)[rows, places]


def _nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Probabilities of the smallest set of likeliest tokens that reaches `top_p`, renormalised. [U, V]."""
    return nucleus(torch.log_softmax(logits, dim=-1), top_p).exp()


def nucleus(logprobs: Tensor, top_p: float) -> Tensor:
    """Keep the smallest set of likeliest tokens that reaches `top_p`, renormalised. [U, V] nats."""
    ordered, order = logprobs.sort(dim=-1, descending=True, stable=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    kept = torch.where(before < top_p, ordered, -torch.inf)
    return torch.log_softmax(torch.empty_like(kept).scatter(-1, order, kept), dim=-1)
