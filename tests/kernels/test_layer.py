"""Parts of a layer against their formulas, gradients too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from turnwise.kernels.layer import gated, rms_norm, rotated

EPS = 1e-6


def drawn(*sizes: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*sizes, generator=draw, dtype=torch.float64).requires_grad_()


def norm_by_formula(x: Tensor, weight: Tensor) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS) * weight


def rotated_by_formula(x: Tensor, cos: Tensor, signed_sin: Tensor) -> Tensor:
    return x * cos + x.roll(x.shape[-1] // 2, -1) * signed_sin


def gated_by_formula(both: Tensor) -> Tensor:
    gate, up = both.chunk(2, -1)
    return gate * gate.sigmoid() * up


def compared(got: Callable[..., Tensor], expected: Callable[..., Tensor], *inputs: Tensor) -> None:
    mine, theirs = got(*inputs), expected(*inputs)
    given = torch.randn_like(theirs)
    assert (mine - theirs).abs().max() < 1e-12
    asked = [each for each in inputs if each.requires_grad]
    gradients = (torch.autograd.grad(found, asked, given) for found in (mine, theirs))
    for one, other in zip(*gradients, strict=True):
        assert (one - other).abs().max() < 1e-12


def test_numbers_by_hand() -> None:
    # mean of squares of (1, 7) is 25; a quarter turn of (1, 2) is (-2, 1); silu(0) = 0
    assert torch.allclose(rms_norm(torch.tensor([[1.0, 7.0]]), torch.tensor([5.0, 1.0]), 0.0), torch.tensor([1.0, 1.4]))
    turn = torch.zeros(1, 1, 2), torch.tensor([[[-1.0, 1.0]]])
    assert torch.equal(rotated(torch.tensor([[[1.0, 2.0]]]), *turn), torch.tensor([[[-2.0, 1.0]]]))
    assert gated(torch.tensor([[0.0, 3.0]])).tolist() == [[0.0]]


@pytest.mark.parametrize("sizes", [(1, 1), (5, 7), (3, 2, 8)])
def test_norm(sizes: tuple[int, ...]) -> None:
    weight = drawn(sizes[-1], seed=1)
    compared(lambda x, w: rms_norm(x, w, EPS), norm_by_formula, drawn(*sizes), weight)
    inside = drawn(*sizes[:-1], 2, sizes[-1]).unbind(-2)[1]  # not contiguous
    compared(lambda x, w: rms_norm(x, w, EPS), norm_by_formula, inside, weight)


@pytest.mark.parametrize("sizes", [(1, 1, 2), (5, 3, 8)])
def test_rotary(sizes: tuple[int, int, int]) -> None:
    angle = drawn(sizes[0], 1, sizes[2]).detach()
    compared(rotated, rotated_by_formula, drawn(*sizes, seed=1), angle.cos(), angle.sin())


@pytest.mark.parametrize("sizes", [(1, 2), (5, 14)])
def test_gate(sizes: tuple[int, int]) -> None:
    compared(gated, gated_by_formula, drawn(*sizes))


def test_gradients_are_those_of_differences() -> None:
    assert torch.autograd.gradcheck(lambda x, w: rms_norm(x, w, EPS), (drawn(3, 2, 4), drawn(4, seed=1)))
    assert torch.autograd.gradcheck(gated, (drawn(3, 6),))
