"""A lean forward pass with gradient of the Llama family over a tree, on a CPU.

It computes with the parameters of the transformers model itself, in fewer operations, and the last layer at the tokens
alone whose states are asked for. A model of another build, and one whose layers are more than they were made as
(adapters, noise, checkpoints, compiled parts, weights spread over ranks), is computed by its own modules.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from turnwise.agents.decoder import Decoder, decoder_of
from turnwise.algorithms.forward import ATTENTION, attention_of
from turnwise.algorithms.tree import RowTree
from turnwise.kernels.layer import gated, rms_norm, rotated
from turnwise.kernels.tree_attention import Tree, attention_of_some, narrowed


def is_lean(model: Any) -> bool:
    """Whether `states_at` computes what the model's own body does."""
    body = getattr(model, "model", None)
    if model.device.type != "cpu" or body is None or hasattr(model, "within") or torch.is_autocast_enabled("cpu"):
        return False
    if attention_of(body) != ATTENTION:  # its own modules say what to do
        return False
    config = model.config
    plain = config.hidden_act == "silu" and not (body.training and getattr(config, "attention_dropout", 0.0))
    whole = all(weight.dtype in (torch.float32, torch.float64) for weight in body.parameters())
    return plain and whole and all(map(_untouched, body.modules())) and isinstance(decoder_of(model), Decoder)


def _untouched(module: nn.Module) -> bool:
    """Whether a module computes as its class in torch or transformers says."""
    hooks = module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
    ours = type(module).__module__.partition(".")[0] in ("torch", "transformers")
    return ours and not hooks and "forward" not in vars(module) and not getattr(module, "gradient_checkpointing", False)


def states_at(model: Any, tree: RowTree, tokens: Tensor) -> Tensor:
    """[M, H]: the body's last state at these tokens of the tree, [M] int64. Carries the gradient."""
    body = model.model
    asked, back = tokens.unique(return_inverse=True)
    x = body.embed_tokens(tree.ids)
    tables, attention, last = _tables(body, x, tree.positions), tree.attention, len(body.layers) - 1
    for number, layer in enumerate(body.layers):
        y = _normed(x, layer.input_layernorm)
        keys, values = _keys(layer.self_attn, y, tables)
        if number == last:
            x, y, tables = x[asked], y[asked], tables[:, asked]
            attention = narrowed(attention, asked)
        x = x + _attended(layer.self_attn, y, tables, keys, values, attention)
        y = _normed(x, layer.post_attention_layernorm)
        x = x + layer.mlp.down_proj(gated(_linear(y, layer.mlp.gate_proj, layer.mlp.up_proj)))
    return _normed(x, body.norm)[back]


@torch.no_grad()
def _tables(body: Any, x: Tensor, positions: Tensor) -> Tensor:
    """[2, N, 1, D]: cosine and signed sine of rotary positions."""
    cos, sin = body.rotary_emb(x[:1], positions[None])
    half = cos.shape[-1] // 2
    return torch.stack([cos[0], torch.cat([-sin[0, :, :half], sin[0, :, half:]], -1)])[:, :, None]


def _keys(attention: Any, y: Tensor, tables: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of all tokens, [N, key heads, D] each."""
    both = _linear(y, attention.k_proj, attention.v_proj).view(len(y), 2, -1, attention.head_dim)
    keys, values = both.unbind(1)
    return _placed(keys, getattr(attention, "k_norm", None), tables), values


def _attended(attention: Any, y: Tensor, tables: Tensor, keys: Tensor, values: Tensor, tree: Tree) -> Tensor:
    """What attention adds to the tokens of y, [M, H]."""
    queries = attention.q_proj(y).view(len(y), -1, attention.head_dim)
    queries = _placed(queries, getattr(attention, "q_norm", None), tables)
    found = attention_of_some(queries, keys, values, tree, scale=attention.scaling)
    out: Tensor = attention.o_proj(found.flatten(1))
    return out


def _placed(heads: Tensor, norm: Any, tables: Tensor) -> Tensor:
    """[N, heads, D], normed where the model has that, at their positions."""
    return rotated(heads if norm is None else _normed(heads, norm), *tables)


def _normed(x: Tensor, norm: Any) -> Tensor:
    return rms_norm(x, norm.weight, norm.variance_epsilon)


def _linear(y: Tensor, *layers: nn.Linear) -> Tensor:
    """What these layers say of y, side by side."""
    bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
    return F.linear(y, torch.cat([layer.weight for layer in layers]), bias)
