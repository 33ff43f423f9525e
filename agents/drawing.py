"""From logits to sampled tokens: the inverse of the cumulative distribution at one draw per request."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from turnwise.agents.engine import ENTROPY_CANDIDATES

Ints = NDArray[np.int64]


class Drawn(NamedTuple):
    """Of each request: its token, the token's log-prob in nats, and where asked the entropy over the likeliest ten."""

    tokens: Ints
    logprobs: NDArray[np.float32]
    entropy: NDArray[np.float32] | None


def draw(
    logits: Tensor, row_of: Ints, draws: NDArray[np.float64], temperature: float, top_p: float, *, entropy: bool = False
) -> Drawn:
    """A token of each request by its own draw.

    logits: [U, V] float32, of the distinct contexts. row_of: [N], ascending or not. draws: [N] in [0, 1).
    Raises ValueError where the log-probs are NaN.
    """
    rows = torch.from_numpy(row_of).to(logits.device)
    scaled = logits if temperature in (0, 1) else logits / temperature
    probabilities = _nucleus(scaled, top_p) if top_p < 1 else torch.softmax(scaled, dim=-1)
    greedy = temperature == 0
    tokens = probabilities.argmax(-1)[rows] if greedy else _inverse(probabilities, rows, row_of, draws)
    logprobs = probabilities[rows, tokens].log().cpu().numpy()
    if np.isnan(logprobs).any():
        raise ValueError("the model's log-probs are NaN: its weights are broken, go back to an earlier checkpoint")
    found = None
    if entropy:
        top = probabilities.topk(min(ENTROPY_CANDIDATES, logits.shape[-1]), dim=-1).values
        found = (-(top * top.log()).nan_to_num(0.0).sum(-1))[rows].cpu().numpy()
    return Drawn(tokens.cpu().numpy(), logprobs, found)


def _inverse(probabilities: Tensor, rows: Tensor, row_of: Ints, draws: NDArray[np.float64]) -> Tensor:
    """The first token of each request whose cumulative sum, in float64, exceeds its draw's share of the whole."""
    cumulative = probabilities.cumsum(-1, dtype=torch.float64)  # [U, V]
    count, vocabulary = cumulative.shape
    shares = torch.from_numpy(draws).to(rows.device)
    if len(row_of) == count and (row_of == np.arange(count)).all():
        targets = (shares * cumulative[:, -1])[:, None]
        return torch.searchsorted(cumulative, targets, right=True)[:, 0].clamp_max(vocabulary - 1)
    most = int(np.bincount(row_of, minlength=count).max())
    if count * most > 2 * len(row_of) + 1024:  # some rows have many requests, others few
        targets = (shares * cumulative[:, -1][rows])[:, None]
        return torch.searchsorted(cumulative[rows], targets, right=True)[:, 0].clamp_max(vocabulary - 1)
    order = np.argsort(row_of, kind="stable")
    starts = np.searchsorted(row_of[order], np.arange(count))
    rank = np.empty_like(row_of)
    rank[order] = np.arange(len(row_of)) - starts[row_of[order]]
    places = torch.from_numpy(rank).to(rows.device)
    grid = cumulative.new_zeros(count, most)
    grid[rows, places] = shares * cumulative[:, -1][rows]
    return torch.searchsorted(cumulative, grid, right=True)[rows, places].clamp_max(vocabulary - 1)


def _nucleus(logits: Tensor, top_p: float) -> Tensor:
    """Probabilities of the smallest set of likeliest tokens that reaches `top_p`, renormalised. [U, V]."""
    return nucleus(torch.log_softmax(logits, dim=-1), top_p).exp()


def nucleus(logprobs: Tensor, top_p: float) -> Tensor:
    """Keep the smallest set of likeliest tokens that reaches `top_p`, renormalised. [U, V] nats."""
    ordered, order = logprobs.sort(dim=-1, descending=True, stable=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    kept = torch.where(before < top_p, ordered, -torch.inf)
    return torch.log_softmax(torch.empty_like(kept).scatter(-1, order, kept), dim=-1)
