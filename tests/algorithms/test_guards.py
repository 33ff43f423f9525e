"""Ratios per sequence, every guard by hand, and what all guards promise."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, tensor

from turnwise.algorithms.aggregate import token_weights, weighted_sum
from turnwise.algorithms.corrections import CORRECTIONS, CorrectionInputs
from turnwise.algorithms.corrections.combined import combined
from turnwise.algorithms.guards import GUARDS, LossInputs
from turnwise.algorithms.guards.aepo import keep_gradient
from turnwise.algorithms.guards.dppo import DPPOSettings, binary_kl, kept
from turnwise.algorithms.guards.hapo import (
    clip_ranges,
    entropy_scale,
    redistribute,
    sampling_temperature,
    token_entropy_scale,
)
from turnwise.algorithms.guards.rec import RECSettings
from turnwise.algorithms.guards.rec import kept as rec_kept
from turnwise.algorithms.guards.sapo import gate
from turnwise.algorithms.guards.topr import TOPRSettings, taper
from turnwise.algorithms.losses import PolicyLoss
from turnwise.algorithms.ratios import RATIOS, sequence_product, sequence_ratio

DOUBLE = torch.float64
LN2 = math.log(2.0)


def row(*values: float) -> Tensor:
    """[1, T] float64."""
    return tensor([values], dtype=DOUBLE)


def inputs_at(ratios: Tensor, advantages: Tensor, **fields: Tensor) -> tuple[Tensor, LossInputs]:
    """The leaf log-probs and what a guard sees where the token ratios are those and the old log-probs -1 nat."""
    old = torch.full_like(ratios, -1.0)
    logprobs = (old + ratios.log()).requires_grad_()
    mask = fields.pop("mask", torch.ones_like(ratios))
    ratio = RATIOS["token"](logprobs, old, mask)
    returns = fields.pop("returns", advantages[:, 0])
    columns = {"old_logprobs": old, "ratio": ratio, "advantages": advantages, "mask": mask, "returns": returns}
    return logprobs, LossInputs(logprobs=logprobs, **columns, **fields)


def gradient(name: str, ratios: Tensor, advantages: Tensor, fields: dict | None = None, **settings) -> list[float]:
    """-d loss / d log pi of each token of one row."""
    logprobs, inputs = inputs_at(ratios, advantages, **(fields or {}))
    per_token(name, inputs, **settings).per_token.sum().backward()
    return (-logprobs.grad[0]).tolist()


def per_token(name: str, inputs: LossInputs, **settings) -> PolicyLoss:
    return GUARDS[name].function(inputs, GUARDS[name].settings(**settings))


# --- ratios --------------------------------------------------------------------------------------------------------


def test_sequence_ratios_by_hand() -> None:
    # Differences ln 2, ln 8 and, outside the mask, anything: mean 2 ln 2, sum 4 ln 2.
    logprobs, mask = row(-1.0, -1.0, math.nan), row(1, 1, 0)
    old = row(-1.0 - LN2, -1.0 - 3 * LN2, 5.0)
    assert sequence_ratio(logprobs, old, mask)[0].tolist() == pytest.approx([4.0, 4.0, 1.0])
    assert sequence_product(logprobs, old, mask)[0].tolist() == pytest.approx([16.0, 16.0, 1.0])


@pytest.mark.parametrize(
    ("name", "aggregation"), [("sequence", "seq-mean-token-mean"), ("sequence_product", "seq-mean-token-sum")]
)
def test_shared_gradient_is_that_of_the_sequence(name, aggregation) -> None:
    generator = torch.Generator().manual_seed(0)
    old = torch.randn(3, 4, dtype=DOUBLE, generator=generator)
    logprobs = torch.randn(3, 4, dtype=DOUBLE, generator=generator).requires_grad_()
    mask = tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0]])
    weighted_sum(RATIOS[name](logprobs, old, mask), token_weights(mask, aggregation)).backward()

    free = logprobs.detach().clone().requires_grad_()
    total = ((free - old) * mask).sum(dim=1)
    (total / mask.sum(dim=1) if name == "sequence" else total).exp().mean().backward()
    assert logprobs.grad.tolist() == [pytest.approx(line, rel=1e-6) for line in free.grad.tolist()]


@pytest.mark.parametrize("name", sorted(RATIOS))
def test_ratios_stop_at_twenty_nats_and_lose_their_gradient(name) -> None:
    logprobs = row(0.0, 0.0).requires_grad_()
    ratio = RATIOS[name](logprobs, row(-99.0, -math.inf), None)
    assert ratio[0].tolist() == [math.exp(20.0)] * 2
    ratio.sum().backward()
    assert logprobs.grad[0].tolist() == [0.0, 0.0]


# --- one guard at a time -------------------------------------------------------------------------------------------


def test_clip_with_all_three_bounds() -> None:
    _, inputs = inputs_at(row(2.0, 0.5, 5.0), row(1.0, -1.0, -1.0))
    loss = per_token("clip", inputs, low=0.25, high=0.5, dual=3.0)
    assert loss.per_token[0].tolist() == pytest.approx([-1.5, 0.75, 3.0])
    assert loss.clipped[0].tolist() == [True, True, False]
    assert loss.lower_clipped[0].tolist() == [False, False, True]


def test_plain_guards() -> None:
    assert gradient("none", row(2.0, 0.5), row(3.0, -1.0)) == pytest.approx([6.0, -0.5])
    assert gradient("reinforce", row(2.0, 0.5), row(3.0, -1.0)) == pytest.approx([3.0, -1.0])


def test_cispo_clips_the_weight_and_drops_nothing() -> None:
    assert gradient("cispo", row(4.0, 0.125), row(1.0, -1.0), high=0.5) == pytest.approx([1.5, -0.125])
    assert gradient("cispo", row(4.0, 0.125), row(1.0, -1.0), low=0.5, high=0.5) == pytest.approx([1.5, -0.5])


def test_topr_tapers_failures_only_and_looks_at_the_return() -> None:
    ratios, shifted = row(0.25, 4.0), row(-0.5, -0.5)
    # R = -1: weights .25 and 1; R = +1 with the same advantages: both 1.
    assert gradient("topr", ratios, shifted, {"returns": tensor([-1.0])}) == pytest.approx([-0.125, -0.5])
    assert gradient("topr", ratios, shifted, {"returns": tensor([1.0])}) == pytest.approx([-0.5, -0.5])
    wide = TOPRSettings(low_pos=0.5, high_pos=2.0, high_neg=3.0)
    assert taper(ratios, tensor([0.0]), wide)[0].tolist() == [0.5, 2.0]
    assert taper(ratios, tensor([-1.0]), wide)[0].tolist() == [0.25, 3.0]


@pytest.mark.parametrize(
    ("clip", "rising", "falling"),
    [
        ("none", [1, 1, 1, 1], [1, 1, 1, 1]),
        ("one-side", [1, 1, 1, 0], [0, 0, 1, 1]),
        ("two-side", [0, 0, 1, 0], [0, 0, 1, 0]),
        ("ring", [1, 0, 1, 0], [0, 0, 1, 1]),
    ],
)
def test_rec_keeps(clip, rising, falling) -> None:
    ratios, ones = row(0.25, 0.5, 1.0, 4.0), torch.ones(1, 4, dtype=DOUBLE)
    settings = RECSettings(clip=clip, low=0.25, high=0.25, ring_low=0.75, ring_high=2.0)
    assert rec_kept(ratios, ones, settings)[0].int().tolist() == rising
    assert rec_kept(ratios, -ones, settings)[0].int().tolist() == falling


def test_rec_weights_and_regularizers() -> None:
    ratios, advantages = row(2.0, 0.5), row(1.0, -1.0)
    free = {"clip": "none", "tau": 0.25}
    assert gradient("rec", ratios, advantages, weight="is", **free) == pytest.approx([2.0, -0.5])
    assert gradient("rec", ratios, advantages, weight="advantage", **free) == pytest.approx([math.e, -1 / math.e])
    # The forward-KL term adds tau to every token; k2 takes 2 tau log r.
    assert gradient("rec", ratios, advantages, regularizer="forward-kl", **free) == pytest.approx([1.25, -0.75])
    pulled = gradient("rec", ratios, advantages, regularizer="k2", **free)
    assert pulled == pytest.approx([1.0 - 0.5 * LN2, -1.0 + 0.5 * LN2])
    assert gradient("rec", ratios, advantages, divide_by_one_plus_tau=True, **free) == pytest.approx([0.8, -0.8])


def test_dppo_goes_by_probability() -> None:
    # A ratio of 4 on a rare token moves little mass: kept. From .5 to .75 is ratio 1.5 only: dropped.
    old, new = row(0.0625, 0.5, 0.5, 0.5), row(0.25, 0.75, 0.25, 0.25)
    advantages, tv = row(1.0, 1.0, -1.0, 1.0), DPPOSettings(low=0.1875, high=0.1875)
    assert kept(old, new, advantages, tv)[0].tolist() == [True, False, False, True]
    # KL(1/2 || 3/4) = ln(2/3)/2 + ln 2 / 2 = ln(4/3) / 2
    assert float(binary_kl(tensor(0.5), tensor(0.75))) == pytest.approx(0.5 * math.log(4.0 / 3.0), rel=1e-6)
    limit = DPPOSettings(divergence="kl", high=0.14)
    assert kept(tensor(0.5), tensor(0.75), tensor(1.0), limit).tolist() is False
    assert kept(tensor(0.5), tensor(0.75), tensor(-1.0), limit).tolist() is True


def test_dppo_caps_its_weight_and_bears_certain_tokens() -> None:
    assert gradient("dppo", row(2.0), row(1.0), low=1.0, high=1.0, cap=1.5) == pytest.approx([1.5])
    assert math.isfinite(binary_kl(tensor(0.9999), tensor(1.0)))
    assert float(binary_kl(tensor(1.0), tensor(1.0))) == 0.0


def test_sapo_gate() -> None:
    assert gate(tensor([1.0, 100.0, 0.0]), 4.0).tolist() == pytest.approx([0.5, 1.0, 1.0 / (1.0 + math.exp(4.0))])
    # slope 4 s (1 - s), s = sigmoid(1) at ratio 2, times the ratio; steeper for A < 0
    s, t = 1.0 / (1.0 + math.exp(-1.0)), 1.0 / (1.0 + math.exp(-2.0))
    found = gradient("sapo", row(2.0, 2.0), row(1.0, -1.0), tau_pos=1.0, tau_neg=2.0)
    assert found == pytest.approx([8.0 * s * (1.0 - s), -8.0 * t * (1.0 - t)])


def test_aepo_has_ppos_value_and_keeps_the_gradient() -> None:
    ratios, advantages = row(4.0, 4.0, 0.25, 0.25, 5.0), row(2.0, -2.0, 2.0, -2.0, -2.0)
    _, inputs = inputs_at(ratios, advantages)
    bounds = {"low": 0.5, "high": 0.5, "dual": 4.5}
    assert per_token("aepo", inputs, **bounds).per_token.equal(per_token("clip", inputs, **bounds).per_token)
    assert gradient("aepo", ratios, advantages, **bounds) == pytest.approx([3.0, -8.0, 0.5, 0.0, 0.0])
    assert gradient("clip", ratios, advantages, **bounds) == pytest.approx([0.0, -8.0, 0.5, 0.0, 0.0])
    assert keep_gradient(row(4.0, 1.0, 0.25), 0.5, 0.5)[0].tolist() == [1.5, 1.0, 0.5]


# --- HAPO ----------------------------------------------------------------------------------------------------------

POWERS = [math.exp(x) for x in (-2.0, -1.0, 0.0, 4.0)]
"""Entropies with logarithms -2, -1, 0, 4: around pivot -1 (rank 1 of 0..3 at 1/3) the distances are -1, 0, 1, 5."""


def test_hapo_scale_by_hand() -> None:
    scale = entropy_scale(tensor(POWERS, dtype=DOUBLE), 1 / 3)
    assert (float(scale.pivot), float(scale.spread)) == pytest.approx((-1.0, math.sqrt(27 / 4)))
    entropy, mask = row(*POWERS, math.nan), row(1, 1, 1, 1, 0)
    assert token_entropy_scale(entropy, mask, 1 / 3)[0].tolist() == pytest.approx([-1.0, 0.0, 0.2, 1.0, 0.0])
    slipped = token_entropy_scale(entropy, mask, 1 / 3, released=True)[0].tolist()
    assert slipped == pytest.approx([1.0, 0.0, 0.2, 1.0, 0.0])


@pytest.mark.parametrize("entropies", [[0.5, 0.5, 0.5], [0.0, 0.0], [2.0]])
def test_hapo_scale_is_zero_without_spread(entropies) -> None:
    assert token_entropy_scale(row(*entropies), torch.ones(1, len(entropies)), 0.8).abs().max() == 0.0
    assert token_entropy_scale(row(*entropies), torch.zeros(1, len(entropies)), 0.8).abs().max() == 0.0


def test_hapo_ranges_and_redistribution() -> None:
    h = row(-1.0, -0.5, 0.5, 1.0)
    low, high = clip_ranges(h, 0.25, 0.5)
    assert low[0].tolist() == [0.5, 0.375, 0.25, 0.25]
    assert high[0].tolist() == [0.5, 0.5, 0.75, 1.0]
    ones = torch.ones_like(h)
    assert redistribute(ones, h, ones, low, high)[0].tolist() == [0.0, 0.5, 1.0, 1.0]  # all inside the band
    assert redistribute(ones, h, 4.0 * ones, low, high)[0].tolist() == [1.0, 1.0, 1.5, 2.0]  # all outside
    assert sampling_temperature(row(-2.0, 0.0, 1.0), 2.0, 0.25)[0].tolist() == [1.5, 2.0, 2.5]


def test_hapo_does_not_depend_on_how_the_batch_is_cut() -> None:
    generator = torch.Generator().manual_seed(0)
    ratios = torch.rand(4, 3, dtype=DOUBLE, generator=generator) + 0.5
    advantages, entropies = (torch.randn(4, 3, dtype=DOUBLE, generator=generator) for _ in range(2))
    entropies = entropies.abs()
    _, whole = inputs_at(ratios, advantages, entropies=entropies)
    parts = [
        inputs_at(ratios[[i]], advantages[[i]], entropies=entropies[[i]], entropy_pool=entropies.flatten())[1]
        for i in range(4)
    ]
    assert torch.cat([per_token("hapo", part).per_token for part in parts]).equal(per_token("hapo", whole).per_token)


def test_hapo_needs_entropies() -> None:
    with pytest.raises(ValueError, match=r"needs the entropy of every trained token .* got None"):
        per_token("hapo", inputs_at(row(1.0), row(1.0))[1])
    with pytest.raises(ValueError, match="at least one token"):
        entropy_scale(tensor([]), 0.5)


# --- what all of them promise --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(GUARDS))
def test_settings_are_frozen_records_with_defaults(name) -> None:
    record = GUARDS[name].settings()
    assert dataclasses.is_dataclass(record) and type(record).__doc__
    assert type(record).__dataclass_params__.frozen


@pytest.mark.parametrize("name", sorted(set(GUARDS) - {"hapo"}))
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6))
def test_on_policy_every_guard_is_the_policy_gradient(name, advantages) -> None:
    found = gradient(name, torch.ones(1, len(advantages), dtype=DOUBLE), row(*advantages))
    assert found == pytest.approx(advantages, abs=1e-12)


LOOSE = {
    "geometric": {"low": 0.1, "high": 10.0},
    "trm": {"delta": 9.0},
    "seq_mean_k3": {"delta": 9.0},
    "opsm": {"delta": 9.0},
    "clip": {"low": 0.9, "high": 9.0},
    "dppo": {"low": 0.9, "high": 0.9},
    "rec": {"clip": "none", "weight": "is", "regularizer": "k2"},
}
"""Settings under which something is left of three random samples."""


def poisoned_loss(guard: str, ratio: str, correction: str, poison: float | None) -> tuple[Tensor, Tensor]:
    """Loss and gradient of three samples, one of them without trained tokens, with `poison` outside the mask."""
    generator = torch.Generator().manual_seed(1)
    mask = tensor([[True, True, True, False], [True, False, False, True], [False] * 4])

    def column() -> Tensor:
        values = -torch.rand(3, 4, dtype=DOUBLE, generator=generator)
        return values if poison is None else values.masked_fill(~mask, poison)

    logprobs, old, sampler, advantages, entropies = (column() for _ in range(5))
    logprobs.requires_grad_()
    returns = tensor([1.0, -1.0, 0.0 if poison is None else poison], dtype=DOUBLE)
    values = LossInputs(
        logprobs=logprobs,
        old_logprobs=old,
        ratio=RATIOS[ratio](logprobs, old, mask),
        advantages=advantages + 0.5,
        mask=mask,
        returns=returns,
        entropies=-entropies,
    )
    gap = CorrectionInputs(trainer=old, sampler=sampler, mask=mask, advantages=advantages + 0.5, new=logprobs)
    weights, figures = combined({correction: CORRECTIONS[correction].settings(**LOOSE.get(correction, {}))}, gap)
    assert all(bool(torch.isfinite(value)) for value in figures.values())
    loss = weighted_sum(
        per_token(guard, values, **LOOSE.get(guard, {})).per_token * weights, token_weights(mask, "token-mean")
    )
    loss.backward()
    return loss.detach(), logprobs.grad


@pytest.mark.parametrize("correction", sorted(CORRECTIONS))
@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_what_stands_outside_the_mask_does_not_matter(guard, correction) -> None:
    for ratio in RATIOS:
        clean_loss, clean = poisoned_loss(guard, ratio, correction, None)
        assert torch.isfinite(clean_loss) and clean.abs().max() > 0.0
        for poison in (math.nan, -math.inf, 1e300):
            loss, found = poisoned_loss(guard, ratio, correction, poison)
            assert loss.equal(clean_loss)
            assert found.equal(clean)


@pytest.mark.parametrize("name", sorted(GUARDS))
def test_a_guard_alone_is_clean_too(name) -> None:
    mask = row(1, 0)
    fields = {"mask": mask, "entropies": row(1.0, math.nan)}
    logprobs, inputs = inputs_at(row(1.25, math.nan), row(1.0, math.nan), **fields)
    loss = per_token(name, inputs)
    assert torch.isfinite(loss.per_token).all() and loss.clipped.dtype == loss.lower_clipped.dtype == torch.bool
    loss.per_token.sum().backward()
    assert torch.isfinite(logprobs.grad).all() and logprobs.grad[0, 1] == 0.0


def test_inputs_must_line_up() -> None:
    with pytest.raises(ValueError, match=r"one shape \[N, T\] and returns \[N\]: got \[1, 1\], \[1, 2\] and \[1\]"):
        inputs_at(row(1.0, 1.0), row(1.0, 1.0), mask=row(1))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("clip", {"low": 1.5}, r"low is a finite number in \[0, 1\]"),
        ("aepo", {"dual": 1.0}, "dual is a finite number"),
        ("cispo", {"high": -0.1}, "high is a finite number"),
        ("topr", {"low_neg": 2.0}, "high_neg is a finite number"),
        ("rec", {"clip": "oneside"}, "did you mean 'one-side'"),
        ("rec", {"temp": 0.0}, "temp is a finite number"),
        ("dppo", {"divergence": "js"}, "divergence is one of tv, kl"),
        ("sapo", {"tau_pos": 0.0}, "tau_pos is a finite number"),
        ("hapo", {"adv_beta": 2.0}, "adv_beta is a finite number"),
    ],
)
def test_bad_settings_are_refused(name, settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        GUARDS[name].settings(**settings)
