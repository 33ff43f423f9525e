"""How a model forwards a batch: as a tree of its distinct tokens, or as padded rows where its family allows no tree."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from turnwise.algorithms.checks import require_choice
from turnwise.algorithms.forward import ATTENTION, BeyondTree, attention_of, of_rows, of_tree, register
from turnwise.algorithms.tree import tree_of

LAYOUTS = ("tree", "rows")
_PROBE = ((1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 7), (1, 2, 8, 5, 6, 3, 9), (4, 3))
"""Rows that begin alike, fork, and have nothing in common."""


class Layout(NamedTuple):
    """What was chosen."""

    name: str
    """`tree` or `rows`."""
    reason: str = ""
    """Why it is not the one that was asked for."""

    def __str__(self) -> str:
        if self.name == "tree":
            return "the trainer forwards each distinct token of a batch once (layout=tree)"
        return f"the trainer forwards padded rows (layout=rows{f': {self.reason}' if self.reason else ''})"


@torch.no_grad()
def choose_layout(model: Any, wanted: str = "tree") -> Layout:
    """The layout in which this model is to be trained; for `tree` the model is made ready, as are later copies of it.

    A tree needs softmax attention over all tokens before, and nothing else that moves along a row. A model that has
    more (a window, chunks, sinks, capped scores, dropout, recurrent layers) keeps its rows: it is seen by its settings
    and by the states of a few tokens, forwarded both ways.
    """
    require_choice("layout", wanted, LAYOUTS)
    if wanted == "rows":
        return Layout("rows")
    body = getattr(model, model.base_model_prefix)
    before = attention_of(body)
    if before == ATTENTION:
        return Layout("tree")
    if before != "sdpa" or not type(model)._can_set_attn_implementation():
        return Layout("rows", f"{type(model).__name__} computes its attention with {before}, not with torch's sdpa")
    register()
    model.set_attn_implementation(ATTENTION)
    problem = _problem(body, model)
    if problem:
        model.set_attn_implementation(before)
        return Layout("rows", f"{type(model).__name__}: {problem}")
    return Layout("tree")


def layout_of(model: Any) -> str:
    """The layout in which a model can be forwarded at once: `tree` where `choose_layout` made it ready."""
    return "tree" if attention_of(getattr(model, model.base_model_prefix)) == ATTENTION else "rows"


def _problem(body: Any, model: Any) -> str:
    """What keeps this body from computing over a tree what it computes over rows; nothing where it does."""
    config, device = model.config.get_text_config(), model.device
    others = sorted(set(getattr(config, "layer_types", None) or ()) - {"full_attention"})
    if others:
        return f"it has layers of {' and '.join(others)}"
    width = max(map(len, _PROBE))
    ids = torch.tensor([row + (0,) * (width - len(row)) for row in _PROBE], device=device) % config.vocab_size
    lengths = torch.tensor([len(row) for row in _PROBE], device=device)
    tree = tree_of(ids, lengths)
    with torch.autocast(device.type, enabled=False):
        expected = of_rows(body, ids, lengths).float().view(*ids.shape, -1)
        try:
            got = of_tree(body, tree).float()[tree.node]
        except BeyondTree as error:
            return str(error)
    inside = torch.arange(width, device=device) < lengths[:, None]
    distance = float((got - expected)[inside].abs().max() / expected[inside].abs().max().clamp_min(1e-6))
    tolerance = 1e-3 if model.dtype == torch.float32 else 0.02
    return "" if distance <= tolerance else f"over a tree its states are {distance:.1g} off, relative to the largest"
