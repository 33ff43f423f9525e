"""The unified estimator at one token, and the gate between rollouts and demonstration."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from turnwise.algorithms.guards import GUARDS, LossInputs
from turnwise.algorithms.hpt import (
    ESTIMATORS,
    Token,
    UnifiedSettings,
    estimate,
    gate,
    luffy_shape,
    luffy_slope,
)
from turnwise.algorithms.ratios import RATIOS


@pytest.mark.parametrize(
    ("method", "reference", "advantage", "mask", "on_log"),
    [
        ("sft", 0.5, 1.0, 1.0, 1.0),
        ("reinforce", 0.5, -2.0, 1.0, -2.0),
        ("ppo", 0.25, -2.0, 1.0, -4.0),  # a falling token above the clip: it may come back
        ("grpo", 0.25, -2.0, 1.0, -4.0),
        ("cispo", 0.4, -2.0, 1.0, -2.5),
        ("gspo", 0.125, -2.0, 1.0, -8.0),  # sequence ratio exp(2 ln 4 / 2) = 4
        ("srft_offline", 1.0, -2.0, 1.0, -1.0),
        ("luffy", 1.0, -1.0, 1.0, -0.5),  # slope 1/2 / (1/2 + 1/2)^2 = 1/2
    ],
)
def test_each_method_by_hand(method, reference, advantage, mask, on_log) -> None:
    token = Token(0.5, 0.25, -2.0, sequence_log_ratio=2 * 1.3862943611198906, sequence_length=2)
    found = estimate(method, token, UnifiedSettings(cispo_high=0.25, luffy_gamma=0.5))
    assert (found.reference, found.advantage, found.mask) == pytest.approx((reference, advantage, mask))
    assert found.on_log_probability(token.pi) == pytest.approx(on_log)
    assert found.on_probability == pytest.approx(on_log / token.pi)


@given(
    pi=st.floats(0.01, 1.0),
    old=st.floats(0.01, 1.0),
    advantage=st.floats(-3, 3),
    method=st.sampled_from([("ppo", "clip", {}), ("cispo", "cispo", {}), ("reinforce", "reinforce", {})]),
)
def test_table_agrees_with_the_losses(pi, old, advantage, method) -> None:
    """What multiplies grad log pi is what the guard's loss has as its gradient."""
    name, guard, settings = method
    logprobs = torch.tensor([[pi]], dtype=torch.float64).log().requires_grad_()
    before = torch.tensor([[old]], dtype=torch.float64).log()
    values = torch.tensor([[advantage]], dtype=torch.float64)
    ratio = RATIOS["token"](logprobs, before, None)
    if min(abs(float(ratio.detach()) - bound) for bound in (0.8, 1.2)) < 1e-6:
        return  # at the very edge of the clip either answer is right
    batch = LossInputs(
        logprobs=logprobs,
        old_logprobs=before,
        ratio=ratio,
        advantages=values,
        mask=torch.ones_like(values),
        returns=values[0],
    )
    GUARDS[guard].function(batch, GUARDS[guard].settings(**settings)).per_token.sum().backward()
    expected = estimate(name, Token(pi, old, advantage), UnifiedSettings()).on_log_probability(pi)
    assert -float(logprobs.grad) == pytest.approx(expected, abs=1e-9)


def test_luffy_slope_is_the_derivative() -> None:
    p = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (p / (p + 0.1)).backward()
    assert luffy_slope(0.3) == pytest.approx(float(p.grad))
    assert luffy_shape(0.3) == pytest.approx(0.75)


@pytest.mark.parametrize(("solved", "count", "rollouts"), [(0, 0, 0.0), (1, 0, 1.0), (2, 2, 0.0), (3, 2, 1.0)])
def test_gate_counts_solved_rollouts(solved, count, rollouts) -> None:
    chosen = gate(solved, 8, count)
    assert chosen == (solved / 8, rollouts, 1.0 - rollouts)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="method is one of sft, "):
        estimate("dpo", Token(0.5, 0.5, 1.0), UnifiedSettings())
    with pytest.raises(ValueError, match=r"solved is a finite number in \[0, 8\]"):
        gate(9, 8)
    with pytest.raises(ValueError, match="rollouts is a finite number"):
        gate(0, 0)
    with pytest.raises(ValueError, match="luffy_gamma"):
        UnifiedSettings(luffy_gamma=0.0)
    assert set(ESTIMATORS) == {"sft", "reinforce", "ppo", "grpo", "cispo", "gspo", "srft_offline", "luffy"}
