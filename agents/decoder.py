"""A lean forward pass of the Llama family, over the parameters of the transformers model itself.

Covered: RMS norm, rotary positions, grouped-query attention without a window, a gated layer; norms of queries and keys,
biases, a tied head and adapters where the model has them. Whatever else a model does shows in the comparison with its
own forward pass, which comes before the first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from turnwise.agents.kv import Reading

ROTARY = ("default", "linear", "llama3", "yarn")
"""Kinds of rotary positions that follow from the position alone, not from the length of the row."""
_PROBE = 12
"""Tokens of the row that both ways are compared on."""


class Attending(Protocol):
    """Where keys and values go, and what a token sees of them."""

    def write(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Keep keys and values [N, key heads, D] of all tokens of the pass."""
        ...

    def attend(self, layer: int, queries: Tensor) -> Tensor:
        """[N, heads * D] of the queries [N, heads, D]; of the first tokens alone where there are fewer."""
        ...


class Decoder:
    """The forward pass of one model. Its parameters are read from the model's modules at every call."""

    def __init__(self, model: Any) -> None:
        """Raises ValueError with what differs, where the model is not built as this file expects."""
        reason = difference(model)
        if reason is not None:
            raise ValueError(f"the lean forward pass is for models like Llama and Qwen3: this one {reason}")
        body = model.model
        self._body, self._head = body, _linear(model.lm_head)
        self._embedding = body.embed_tokens
        self._layers = [_Layer(layer) for layer in body.layers]
        first = self._layers[0]
        self.layers, self.head_dim, self.key_heads = len(self._layers), first.head_dim, first.key_heads
        self.heads, self.scale = first.heads, first.scale
        self._norm = _norm(body.norm)
        self._built_of = [*_places(body)]
        self._cos = self._sin = torch.empty(0, 1, self.head_dim)

    @property
    def is_current(self) -> bool:
        """False where layers were put in the place of others since, such as adapters."""
        return all(children.get(name) is module for children, name, module in self._built_of)

    @property
    def embedding(self) -> Tensor:
        """[V, H]."""
        weight: Tensor = self._embedding.weight
        return weight

    def __call__(self, ids: Tensor, positions: Tensor, attending: Attending, kept: int) -> Tensor:
        """Logits [kept, V] after each of the first `kept` tokens; the others are only read into the cache.

        ids, positions: [N] int64, in any order of rows; `attending` knows whose they are.
        """
        x = F.embedding(ids, self.embedding)
        cos, sin = self._cos.index_select(0, positions), self._sin.index_select(0, positions)  # [N, 1, D]
        last = self.layers - 1
        for index, layer in enumerate(self._layers):
            y = layer.norm(x)
            keys = layer.key(y, cos, sin)
            attending.write(index, keys, layer.value(y))
            if index == last:  # nobody asks what the others came to
                if not kept:
                    return x[:0]
                x, y, cos, sin = x[:kept], y[:kept], cos[:kept], sin[:kept]
            x = x + layer.out(attending.attend(index, layer.query(y, cos, sin)))
            x = x + layer.gated(layer.second_norm(x))
        logits: Tensor = self._head(self._norm(x))
        return logits

    def reach(self, positions: int) -> bool:
        """Have the rotary tables at hand for so many positions; returns whether they lie somewhere else now."""
        device = self.embedding.device
        if len(self._cos) >= positions and self._cos.device == device:
            return False
        size = max(1024, 1 << (positions - 1).bit_length())
        with torch.autocast(device.type, enabled=False):
            numbers = torch.arange(size, device=device)[None]
            cos, sin = self._body.rotary_emb(self.embedding[:1], numbers)  # [1, P, D]
        half = self.head_dim // 2
        signed = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
        self._cos, self._sin = cos[0, :, None], signed[0, :, None]
        return True


class _Layer:
    """One layer of the body; every method takes and gives [N, ...]."""

    def __init__(self, layer: Any) -> None:
        attention, mlp = layer.self_attn, layer.mlp
        self.head_dim, self.scale = int(attention.head_dim), float(attention.scaling)
        self.heads = _width(attention.q_proj) // self.head_dim
        self.key_heads = _width(attention.k_proj) // self.head_dim
        self.norm, self.second_norm = _norm(layer.input_layernorm), _norm(layer.post_attention_layernorm)
        self._q, self._k, self.out = (_linear(getattr(attention, f"{name}_proj")) for name in "qko")
        self._v = _linear(attention.v_proj)
        normed = getattr(attention, "q_norm", None) is not None
        self._q_norm = _norm(attention.q_norm) if normed else None
        self._k_norm = _norm(attention.k_norm) if normed else None
        self._gate, self._up, self._down = (_linear(getattr(mlp, f"{name}_proj")) for name in ("gate", "up", "down"))
        self._act = getattr(mlp.act_fn, "forward", mlp.act_fn)

    def query(self, y: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        q = self._q(y).view(len(y), self.heads, self.head_dim)
        return rotated(q if self._q_norm is None else self._q_norm(q), cos, sin)

    def key(self, y: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        k = self._k(y).view(len(y), self.key_heads, self.head_dim)
        return rotated(k if self._k_norm is None else self._k_norm(k), cos, sin)

    def value(self, y: Tensor) -> Tensor:
        return self._v(y).view(len(y), self.key_heads, self.head_dim)

    def gated(self, y: Tensor) -> Tensor:
        return self._down(self._act(self._gate(y)).mul_(self._up(y)))


def rotated(x: Tensor, cos: Tensor, signed_sin: Tensor) -> Tensor:
    """Rotary positions. x: [N, heads, D]; tables [N, 1, D], the first half of the sine with its sign turned.

    Source: Su et al. 2021, arXiv:2104.09864, eq. 34, with the halves of a head as its pairs.
    """
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), signed_sin)


def _places(module: Any) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """(children of a module, the name of one, that one) of all there are below this one."""
    for name, child in module._modules.items():
        yield module._modules, name, child
        yield from _places(child)


def _linear(module: Any) -> Callable[[Tensor], Tensor]:
    """A plain layer without the hooks of a module; any other one (an adapter) as it is."""
    if type(module) is nn.Linear:
        own: Any = module._parameters  # a module's own look-up costs as much as a small product
        return lambda x: F.linear(x, own["weight"], own["bias"])
    call: Callable[[Tensor], Tensor] = module
    return call


def _norm(module: Any) -> Callable[[Tensor], Tensor]:
    shape, eps = tuple(module.weight.shape), float(module.variance_epsilon)
    own = module._parameters

    def norm(x: Tensor) -> Tensor:
        weight = own["weight"]
        return torch.rms_norm(x if x.dtype == weight.dtype else x.to(weight.dtype), shape, weight, eps)

    return norm


def _width(projection: Any) -> int:
    return int(getattr(projection, "base_layer", projection).weight.shape[0])


# --- whether it may be used -------------------------------------------------------------------------------------------


def difference(model: Any) -> str | None:
    """In what the modules of a model differ from those that this file knows; None where they do not."""
    config, body = model.config, getattr(model, "model", None)
    parts = ("embed_tokens", "layers", "norm", "rotary_emb")
    if body is None or not hasattr(model, "lm_head") or any(not hasattr(body, part) for part in parts):
        return "has no model.embed_tokens, layers, norm and rotary_emb below lm_head"
    if getattr(config, "final_logit_softcapping", None):
        return "caps its logits"
    kinds = set(getattr(config, "layer_types", None) or ())
    windowed = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    if kinds - {"full_attention"} or (windowed and not kinds):
        return "attends within a window"
    if getattr(body.rotary_emb, "rope_type", None) not in ROTARY:
        return f"has rotary positions of the kind {getattr(body.rotary_emb, 'rope_type', None)}"
    for layer in body.layers:
        reason = _layer_difference(layer)
        if reason is not None:
            return reason
    return None


def _layer_difference(layer: Any) -> str | None:
    names = {name for name, _ in layer.named_children()}
    if names != {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}:
        return f"has layers made of {', '.join(sorted(names))}"
    attention, mlp = layer.self_attn, layer.mlp
    if {f"{name}_proj" for name in "qkvo"} - {name for name, _ in attention.named_children()}:
        return "has attention without q_proj, k_proj, v_proj and o_proj"
    if {"gate_proj", "up_proj", "down_proj", "act_fn"} - {name for name, _ in mlp.named_children()}:
        return "has no gated layer"
    norms = [layer.input_layernorm, layer.post_attention_layernorm]
    own = [getattr(attention, name, None) for name in ("q_norm", "k_norm")]
    if any(not hasattr(norm, "variance_epsilon") for norm in norms + [norm for norm in own if norm is not None]):
        return "has norms of another kind"
    if any(norm is not None and norm.weight.shape != (attention.head_dim,) for norm in own):
        return "has norms of queries and keys over all heads"
    return None


_differs: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()
"""What the comparison of a model came to."""


def decoder_of(model: Any) -> Decoder | str:
    """The lean forward pass of a model, or why its own is to be used. They are compared once per model."""
    reason = difference(model)
    if reason is not None:
        return f"it {reason}"
    decoder = Decoder(model)
    if model not in _differs:
        _differs[model] = _compared(model, decoder)
    return _differs[model] or decoder


@torch.inference_mode()
def _compared(model: Any, decoder: Decoder) -> str | None:
    """Both forward passes over one row: within 1e-5 of the largest logit in float32, 3e-2 in less. None if alike."""
    weight = decoder.embedding
    ids = torch.arange(_PROBE, device=weight.device) * 7919 % len(weight)
    positions = torch.arange(_PROBE, device=weight.device)
    off: AbstractContextManager[None] = torch.autocast(weight.device.type, enabled=False)
    with off:
        wanted = model(input_ids=ids[None], use_cache=False).logits[0].float()
        decoder.reach(_PROBE)
        found = decoder(ids, positions, Reading(decoder.scale, weight.dtype), _PROBE).float()
    bound = 1e-5 if weight.dtype == torch.float32 and not _rough(weight) else 3e-2
    far = float((found - wanted).abs().max() / wanted.abs().max().clamp_min(1e-30))
    if far <= bound:
        return None
    return f"its logits differ by {far:.1e} of the largest one"


def _rough(weight: Tensor) -> bool:
    """Whether products of float32 are rounded to less."""
    return weight.is_cuda and torch.get_float32_matmul_precision() != "highest"
