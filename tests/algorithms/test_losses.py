"""Ratios, the clipped policy loss, the value loss."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from turnwise.algorithms.aggregate import masked_fraction, token_weights, weighted_sum
from turnwise.algorithms.losses import clipped_policy_loss, clipped_value_loss
from turnwise.algorithms.ratios import log_ratio, token_ratio

QUARTERS = {"clip_low": 0.25, "clip_high": 0.5}


def test_token_ratio_by_hand() -> None:
    ratio = token_ratio(tensor([-1.0, math.log(0.5), 0.0, -99.0]), tensor([-1.0, math.log(0.25), -99.0, 0.0]))
    assert ratio.tolist() == pytest.approx([1.0, 2.0, math.exp(20), math.exp(-20)])


def test_masked_tokens_carry_neither_value_nor_gradient() -> None:
    logprobs = tensor([[-1.0, math.nan, -math.inf, -2.0]], requires_grad=True)
    mask = tensor([[1, 0, 0, 1]])
    ratio = token_ratio(logprobs, tensor([[-1.0, 3.0, -math.inf, math.log(0.5) - 2.0]]), mask)
    assert ratio.tolist() == [[1.0, 1.0, 1.0, pytest.approx(2.0)]]
    ratio.sum().backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [[1.0, 0.0, 0.0, pytest.approx(2.0)]]


def test_no_gradient_beyond_the_cut_off() -> None:
    logprobs = tensor([-1.0, -30.0], requires_grad=True)
    log_ratio(logprobs, tensor([-1.5, 0.0])).sum().backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [1.0, 0.0]


def test_clipped_policy_loss_by_hand() -> None:
    ratio = tensor([1.0, 2.0, 0.5, 2.0, 0.5, 5.0])
    advantage = tensor([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
    result = clipped_policy_loss(ratio, advantage, **QUARTERS)
    # A > 0: min(r, 1.5); A < 0: max(r, .75), at most 3
    assert result.per_token.tolist() == [-1.0, -1.5, -0.5, 2.0, 0.75, 3.0]
    assert result.clipped.tolist() == [False, True, False, False, True, False]
    assert result.lower_clipped.tolist() == [False, False, False, False, False, True]


def test_without_dual_clip() -> None:
    result = clipped_policy_loss(tensor([5.0]), tensor([-2.0]), **QUARTERS, dual_clip=None)
    assert result.per_token.tolist() == [10.0]
    assert result.lower_clipped.tolist() == [False]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_gradient_at_ratio_one_is_minus_the_advantage(advantages) -> None:
    logprobs = torch.full((len(advantages),), -1.0, dtype=torch.float64, requires_grad=True)
    ratio = token_ratio(logprobs, logprobs.detach())
    advantage = tensor(advantages, dtype=torch.float64)
    clipped_policy_loss(ratio, advantage, clip_low=0.2, clip_high=0.2).per_token.sum().backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == pytest.approx([-value for value in advantages])


@pytest.mark.parametrize("poison", [math.nan, -math.inf, 1e30])
def test_poisoned_log_probs_of_other_tokens_leave_the_gradient_alone(poison) -> None:
    mask, advantage = tensor([[1, 0, 1]]), tensor([[1.0, 0.0, -1.0]])

    def gradient(elsewhere: float) -> list[list[float]]:
        logprobs = tensor([[-1.0, elsewhere, -1.5]], requires_grad=True)
        ratio = token_ratio(logprobs, tensor([[-0.75, elsewhere, -1.25]]), mask)
        result = clipped_policy_loss(ratio, advantage, **QUARTERS)
        weighted_sum(result.per_token, token_weights(mask, "token-mean")).backward()
        assert logprobs.grad is not None
        return logprobs.grad.tolist()

    # -A r / 2; the last token's ratio exp(-1/4) > 3/4 is inside the clip
    assert gradient(poison) == gradient(-1.0) == [pytest.approx([-math.exp(-0.25) / 2, 0.0, math.exp(-0.25) / 2])]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"clip_low": 1.5, "clip_high": 0.2}, "clip_low"),
        ({"clip_low": 0.2, "clip_high": -0.2}, "clip_high"),
        ({"clip_low": 0.2, "clip_high": 0.2, "dual_clip": 1.0}, r"dual_clip is a finite number in \(1, inf\)"),
    ],
)
def test_impossible_clips_are_refused(wrong, message) -> None:
    with pytest.raises(ValueError, match=message):
        clipped_policy_loss(tensor([1.0]), tensor([1.0]), **wrong)


def test_clipped_value_loss_by_hand() -> None:
    predictions, old, returns = tensor([2.0, 2.0, 0.0]), tensor([0.0, 0.0, 0.0]), tensor([0.0, 2.0, 1.0])
    # clipped to .5: errors 4 against .25, 0 against 2.25, 1 against 1
    result = clipped_value_loss(predictions, old, returns, clip=0.5)
    assert result.per_token.tolist() == [2.0, 1.125, 0.5]
    assert result.clipped.tolist() == [False, True, False]
    assert float(masked_fraction(result.clipped, tensor([0, 1, 1]))) == pytest.approx(0.5)
    assert clipped_value_loss(predictions, old, returns, clip=None).per_token.tolist() == [2.0, 0.0, 0.5]
    with pytest.raises(ValueError, match="clip"):
        clipped_value_loss(predictions, old, returns, clip=-1.0)
