"""The forward pass of a model's body over a batch, and where in its result a token of a row is found.

A batch with a tree (see `turnwise.algorithms.tree`) is forwarded as one row of its distinct tokens, each of which sees
the path that leads to it; any other batch as padded rows. The states are the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from turnwise.algorithms.batch import Batch
from turnwise.algorithms.tree import RowTree
from turnwise.kernels.tree_attention import Tree, tree_attention

ATTENTION = "turnwise_tree"
"""What transformers call the attention below. Without a tree it is torch's (`sdpa`) to the bit."""
_BEYOND = ("sliding_window", "softcap", "s_aux", "position_bias")
"""What some families ask of an attention besides a scale."""


class BeyondTree(ValueError):
    """This model's attention is more than a softmax over the tokens before."""


def hidden_states(body: Any, batch: Batch) -> Tensor:
    """[K, H]: the body's last state at each of the K tokens that are forwarded, see `place`. Carries the gradient.

    Raises ValueError where the batch has a tree and the body was not made ready for one.
    """
    return of_rows(body, batch.ids, batch.lengths) if batch.tree is None else of_tree(body, batch.tree)


def place(batch: Batch, rows: Tensor, positions: Tensor) -> Tensor:
    """Which of the K tokens stands at these positions of these rows; same shape as both, int64."""
    if batch.tree is not None:
        return batch.tree.node[rows, positions]
    return rows * batch.ids.shape[1] + positions


def distinct(batch: Batch) -> tuple[Batch, Tensor | None]:
    """The batch with the U trained tokens that are one and the same in several rows of its tree named once, in place of
    all M; and [M] which of the U each was, None where that changes nothing."""
    if batch.tree is None:
        return batch, None
    nodes = batch.tree.node[batch.token_row, batch.token_position]
    found, back = nodes.unique(return_inverse=True)
    if len(found) == len(nodes):
        return batch, None
    order = torch.arange(len(nodes), device=nodes.device)
    first = torch.full_like(found, len(nodes)).scatter_reduce_(0, back, order, "amin")
    once = replace(batch, token_row=batch.token_row[first], token_position=batch.token_position[first])
    return once, back


def of_rows(body: Any, ids: Tensor, lengths: Tensor) -> Tensor:
    """[R * L, H] of padded rows [R, L]."""
    columns = torch.arange(ids.shape[1], device=ids.device)
    attention = (columns < lengths[:, None]).long()
    found: Tensor = body(input_ids=ids, attention_mask=attention, use_cache=False).last_hidden_state
    return found.flatten(0, 1)


def of_tree(body: Any, tree: RowTree) -> Tensor:
    """[N, H] of the tree's tokens."""
    if attention_of(body) != ATTENTION:
        raise ValueError(
            f"a batch with a tree needs a model whose attention knows trees: {type(body).__name__} computes with "
            f"{attention_of(body)!r}; call layouts.choose_layout on the model first, or leave the tree out"
        )
    none = torch.ones(1, 1, 1, 1, dtype=torch.bool, device=tree.ids.device)  # of four axes: taken as it is, never read
    found: Tensor = body(
        input_ids=tree.ids[None],
        position_ids=tree.positions[None],
        attention_mask=none,
        use_cache=False,
        token_tree=tree.attention,
    ).last_hidden_state
    return found[0]


def attention_of(body: Any) -> str | None:
    """What transformers call the attention that a model computes with."""
    found: str | None = body.config.get_text_config()._attn_implementation
    return found


def register() -> None:
    """Make the attention known to transformers."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import sdpa_mask

    def attend(
        module: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Any,
        *,
        token_tree: Tree | None = None,
        **rest: Any,
    ) -> tuple[Tensor, None]:
        if token_tree is None:
            found: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, mask, **rest)
            return found
        asked = [name for name in _BEYOND if rest.get(name) is not None] + ["dropout"] * bool(rest.get("dropout"))
        if asked:
            raise BeyondTree(f"its attention takes {' and '.join(asked)}")
        out = tree_attention(query, key, value, token_tree, scale=rest.get("scaling"))
        return out.transpose(1, 2).contiguous(), None

    AttentionInterface.register(ATTENTION, attend)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
