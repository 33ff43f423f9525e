"""The reverse scan, its gradient and what is made of it, in torch and in the kernel, against a loop in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, tensor

from turnwise.algorithms.credit.gae import gae
from turnwise.algorithms.credit.returns import rewards_to_go
from turnwise.kernels.scan import discounted_sums, generalised_advantages, reference, reverse_scan

SHAPES = [(0,), (1,), (2, 0), (0, 3), (3, 1), (5, 7), (2, 3, 16), (1, 33), (3, 100)]


def loop(values: Tensor, decay: Tensor) -> Tensor:
    found = values.double().clone()
    for step in range(values.shape[-1] - 2, -1, -1):
        found[..., step] += decay.double()[..., step] * found[..., step + 1]
    return found


def table(shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Values, and decays with segments that end here and there."""
    generator = torch.Generator().manual_seed(sum(shape))
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    keeps = torch.rand(shape, generator=generator, dtype=torch.float64)
    return values.to(dtype), torch.where(keeps < 0.1, 0.0, 0.9 + 0.1 * keeps).to(dtype)


def test_by_hand() -> None:
    # from the end: 4; 3 + 4/2 = 5; 2 + 0 = 2, a segment ends there; 1 + 2/2 = 2
    assert reverse_scan(tensor([1.0, 2.0, 3.0, 4.0]), tensor([0.5, 0.0, 0.5, 0.5])).tolist() == [2.0, 2.0, 5.0, 4.0]


@pytest.mark.parametrize("shape", SHAPES)
def test_torch_is_the_loop(shape: tuple[int, ...]) -> None:
    values, decay = table(shape)
    torch.testing.assert_close(reverse_scan(values, decay), loop(values, decay), rtol=1e-13, atol=1e-13)
    single = reverse_scan(values.float(), decay.float())
    torch.testing.assert_close(single, loop(values, decay).float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_kernel_is_the_loop(shape: tuple[int, ...], device: torch.device) -> None:
    from turnwise.kernels.scan_triton import scan

    values, decay = table(shape)
    moved = values.float().to(device), decay.float().to(device)
    for config in ((16, 1), (2048, 8)):  # with 16 the longer rows go on from block to block
        found = scan(*moved, config=config).cpu()
        torch.testing.assert_close(found, loop(values, decay).float(), rtol=1e-5, atol=1e-5)
        transposed = scan(*moved, forward=True, config=config).cpu()
        torch.testing.assert_close(transposed, reference(values, decay, forward=True).float(), rtol=1e-5, atol=1e-5)


def test_the_kernel_takes_views_and_repeats_itself(device: torch.device) -> None:
    from turnwise.kernels.scan_triton import scan

    values, decay = (column.float().to(device) for column in table((40, 3)))
    found = scan(values.T, decay.T, config=(16, 1))
    assert found.tolist() == scan(values.T.contiguous(), decay.T.contiguous(), config=(16, 1)).tolist()
    assert found.is_contiguous()


@pytest.mark.parametrize("shape", [(1,), (2, 7), (3, 33)])
def test_the_gradient(shape: tuple[int, ...]) -> None:
    values, decay = table(shape)
    assert torch.autograd.gradcheck(lambda x: reverse_scan(x, decay), values.requires_grad_())


def test_what_lies_behind_a_segment_does_not_matter() -> None:
    values, decay = table((1, 50))
    decay[0, 20] = 0.0
    apart = torch.cat([reverse_scan(values[:, :21], decay[:, :21]), reverse_scan(values[:, 21:], decay[:, 21:])], 1)
    torch.testing.assert_close(reverse_scan(values, decay), apart, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("lengths", [(1,), (3, 1, 6), (40, 2)])
def test_segments_end_to_end_are_the_rows_of_the_credit_methods(lengths: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    rewards, values, ends = torch.randn(3, sum(lengths), generator=generator, dtype=torch.float64)
    last = torch.zeros(sum(lengths), dtype=torch.bool)
    last[torch.tensor(lengths).cumsum(0) - 1] = True
    advantages = generalised_advantages(rewards, values, last, gamma=0.99, lam=0.9, bootstrap=ends)
    sums = discounted_sums(rewards, last, discount=0.7)
    columns = (column.split(lengths) for column in (rewards, values, ends, advantages, sums))
    for reward, value, end, advantage, total in zip(*columns, strict=True):
        wanted = gae(reward.tolist(), value.tolist(), gamma=0.99, lam=0.9, bootstrap=float(end[-1]))
        assert advantage.tolist() == pytest.approx(wanted.tolist(), abs=1e-12)
        assert total.tolist() == pytest.approx(rewards_to_go(reward.tolist(), 0.7), abs=1e-12)


def test_wrong_use_is_refused() -> None:
    row = torch.zeros(3)
    with pytest.raises(ValueError, match=r"one dtype: got \[3\] torch\.float32 and \[2\] torch\.float32"):
        reverse_scan(row, row[:2])
    with pytest.raises(ValueError, match=r"float32 or float64: got torch\.bfloat16"):
        reverse_scan(row.bfloat16(), row.bfloat16())
    with pytest.raises(ValueError, match="detach it"):
        reverse_scan(row, row.clone().requires_grad_())
