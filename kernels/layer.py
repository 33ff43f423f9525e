"""Parts of a layer of the Llama family that are many small operations otherwise, with gradients of their own.

What torch's autograd would keep of every operation is computed again from a part's input.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last axis, D.

    Args:
        x: [..., D], any strides.
        weight: [D], or with x [N, heads, D] one for each head.
    Source: Zhang and Sennrich 2019, arXiv:1910.07467, eq. 4.
    """
    found: Tensor = _Norm.apply(x, weight, eps)  # type: ignore[no-untyped-call]
    return found


def rotated(x: Tensor, cos: Tensor, signed_sin: Tensor) -> Tensor:
    """Rotary positions. x: [N, heads, D]; tables [N, 1, D], the first half of the sine with its sign turned.

    Source: Su et al. 2021, arXiv:2104.09864, eq. 34, with the halves of a head as its pairs.
    """
    found: Tensor = _Rotary.apply(x, cos, signed_sin)  # type: ignore[no-untyped-call]
    return found


def gated(both: Tensor) -> Tensor:
    """[N, I]: silu(gate) * up of [N, 2 I], the gate first.

    Source: Shazeer 2020, arXiv:2002.05202, eq. 6.
    """
    found: Tensor = _Gated.apply(both)  # type: ignore[no-untyped-call]
    return found


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return torch.mul(x, scale).mul_(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        normed = x * scale
        pulled = grad * normed
        along = (pulled @ weight).div_(-x.shape[-1])[..., None]
        of_weight = pulled.flatten(0, -2).sum(0)
        return torch.mul(grad, weight).addcmul_(normed, along).mul_(scale), of_weight, None


class _Rotary(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, signed_sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, signed_sin)
        return _rotated(x, cos, signed_sin)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        cos, signed_sin = ctx.saved_tensors
        return _rotated(grad, cos, signed_sin.roll(grad.shape[-1] // 2, -1)), None, None


def _rotated(x: Tensor, cos: Tensor, signed_sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    found = x * cos
    found[..., :half].addcmul_(x[..., half:], signed_sin[..., :half])
    found[..., half:].addcmul_(x[..., :half], signed_sin[..., half:])
    return found


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, both: Tensor) -> Tensor:
        ctx.save_for_backward(both)
        gate, up = both.chunk(2, -1)
        return torch.nn.functional.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (both,) = ctx.saved_tensors
        gate, up = both.chunk(2, -1)
        found = torch.empty_like(both)
        of_gate, of_up = found.chunk(2, -1)
        torch.mul(torch.nn.functional.silu(gate), grad, out=of_up)
        torch.mul(grad, up, out=of_gate)
        torch.ops.aten.silu_backward(of_gate, gate, grad_input=of_gate)
        return found
