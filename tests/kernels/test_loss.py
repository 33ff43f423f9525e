"""The clipped loss in one pass, its gradient and its flags, against the ratio and the guard that it stands for."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from turnwise.algorithms.guards import GUARDS, LossInputs
from turnwise.algorithms.ratios import token_ratio
from turnwise.kernels.loss import TokenLoss, clipped_token_loss

SHAPES = [(0, 3), (1, 1), (5, 7), (3, 70)]


def columns(shape: tuple[int, int], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Log-probs, old ones, advantages and a mask, with NaN outside it and ratios far beyond every bound."""
    generator = torch.Generator().manual_seed(sum(shape))
    old, steps, advantages = torch.randn(3, *shape, generator=generator, dtype=torch.float64)
    steps.flatten()[::5] *= 40.0
    advantages.flatten()[3::11] = 0.0
    new = old + 0.4 * steps
    new.flatten()[1::7] = old.flatten()[1::7]
    mask = torch.rand(shape, generator=generator) < 0.8
    found = [column.masked_fill(~mask, torch.nan).to(dtype) for column in (new, old, advantages)]
    return [*found, mask]


def guarded(new: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, low: float, high: float, dual: float | None):
    inputs = LossInputs(
        logprobs=new,
        old_logprobs=old,
        ratio=token_ratio(new, old, mask),
        advantages=advantages,
        mask=mask,
        returns=torch.zeros(len(mask)),
    )
    return GUARDS["clip"].function(inputs, GUARDS["clip"].settings(low=low, high=high, dual=dual))


CASES = list(itertools.product(SHAPES, [(0.2, 0.28), (0.0, 0.0), (1.0, 5.0)], [None, 3.0]))


@pytest.mark.parametrize(("shape", "clip", "dual"), CASES)
def test_torch_is_the_guard(shape: tuple[int, int], clip: tuple[float, float], dual: float | None) -> None:
    given = columns(shape, torch.float64)
    found = clipped_token_loss(*given, clip_low=clip[0], clip_high=clip[1], dual_clip=dual)
    for mine, wanted in zip(found, guarded(*given, *clip, dual), strict=True):
        assert mine.tolist() == wanted.tolist()


@pytest.mark.parametrize(("shape", "clip", "dual"), CASES)
def test_the_kernel_is_the_guard(
    shape: tuple[int, int], clip: tuple[float, float], dual: float | None, device: torch.device
) -> None:
    from turnwise.kernels.loss_triton import clipped

    new, *rest = columns(shape)
    new.requires_grad_()
    wanted = guarded(new, *rest, *clip, dual)
    (slope,) = torch.autograd.grad(wanted.per_token.sum(), new)
    given = [column.to(device) for column in (new.detach(), *rest)]
    found, gradient, *flags = (
        column.cpu() for column in clipped(*given, (1.0 - clip[0], 1.0 + clip[1], dual), config=(64, 1))
    )
    torch.testing.assert_close(found, wanted.per_token.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient, slope, rtol=1e-5, atol=1e-6)
    assert [flag.tolist() for flag in flags] == [wanted.clipped.tolist(), wanted.lower_clipped.tolist()]


def test_two_equal_bounds_share_the_gradient(device: torch.device) -> None:
    """At a ratio of exactly c and a negative advantage, and at either end of the clip."""
    from turnwise.kernels.loss_triton import clipped

    new = torch.zeros(1, 4, requires_grad=True)
    old, mask = torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool)
    advantages = torch.tensor([[-1.0, 1.0, 0.0, -2.0]])
    for low, high, dual in ((0.0, 0.5, 1.0 + 1e-12), (0.5, 0.0, None)):
        wanted = guarded(new, old, advantages, mask, low, high, dual)
        (slope,) = torch.autograd.grad(wanted.per_token.sum(), new)
        given = (column.to(device) for column in (new.detach(), old, advantages, mask))
        assert clipped(*given, (1.0 - low, 1.0 + high, dual))[1].tolist() == slope.tolist()


def test_a_nan_that_is_trained_comes_out_again(device: torch.device) -> None:
    from turnwise.kernels.loss_triton import clipped

    row, mask = torch.zeros(1, 3, device=device), torch.ones(1, 3, dtype=torch.bool, device=device)
    broken = row.clone()
    broken[0, 1] = torch.nan
    loss, slope, *_ = clipped(broken, row, row + 1.0, mask, (0.8, 1.2, 3.0))
    assert loss.isnan().tolist() == slope.isnan().tolist() == [[False, True, False]]


def test_the_gradient_flows_as_in_torch(monkeypatch: pytest.MonkeyPatch, device: torch.device) -> None:
    """The function that CUDA tensors take, at work on whatever the kernel runs on."""
    from turnwise.kernels import loss

    given = [column.to(device) for column in columns((3, 70))]
    given[0].requires_grad_()
    weights = torch.linspace(0.0, 1.0, 70, device=device)
    fused = TokenLoss(*loss._Fused.apply(*given, (0.8, 1.2, 3.0)))
    plain = loss.reference(*given, (0.8, 1.2, 3.0))
    slopes = [torch.autograd.grad((found.per_token * weights).sum(), given[0])[0] for found in (fused, plain)]
    torch.testing.assert_close(slopes[0], slopes[1], rtol=1e-5, atol=1e-6)
    assert not fused.clipped.requires_grad


def test_columns_have_one_shape() -> None:
    row, mask = torch.zeros(1, 3), torch.ones(1, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"one shape: got \[\[1, 3\], \[1, 3\], \[1, 3\], \[1, 2\]\]"):
        clipped_token_loss(row, row, row, mask, clip_low=0.2, clip_high=0.2, dual_clip=None)
