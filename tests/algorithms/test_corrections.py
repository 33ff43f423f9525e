"""Weights and masks between trainer and sampler, by hand; how they combine; what is refused."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, tensor

from turnwise.algorithms.corrections import CORRECTIONS, CorrectionInputs, refuse_double_correction
from turnwise.algorithms.corrections.combined import combined
from turnwise.algorithms.corrections.mismatch import average_k3, geometric_rho, k3, largest_k3, sequence_rho

RHO = [[4.0, 0.5, 1.0], [0.25, 0.5, 99.0]]
"""Trainer over sampler; the last token of the second row is outside the mask. Products 2 and 1/8."""
MASK = tensor([[1, 1, 1], [1, 1, 0]])


def gap(
    rho: list[list[float]] = RHO, mask: Tensor = MASK, advantage: float = 1.0, **columns: Tensor
) -> CorrectionInputs:
    trainer = tensor(rho, dtype=torch.float64).log()
    zeros = torch.zeros_like(trainer)
    return CorrectionInputs(trainer=trainer, sampler=zeros, mask=mask, advantages=zeros + advantage, **columns)


def weights(name: str, inputs: CorrectionInputs, **settings) -> list[list[float]]:
    entry = CORRECTIONS[name]
    return (entry.function(inputs, entry.settings(**settings)) * inputs.mask).tolist()


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("tis", {"cap": 2.0}, [[2.0, 0.5, 1.0], [0.25, 0.5, 0.0]]),
        ("mis", {"cap": 2.0}, [[0.0, 0.5, 1.0], [0.25, 0.5, 0.0]]),
        ("icepop", {"low": 0.5, "high": 2.0}, [[0.0, 0.5, 1.0], [0.0, 0.5, 0.0]]),
        ("sequence_tis", {"cap": 1.5}, [[1.5, 1.5, 1.5], [0.125, 0.125, 0.0]]),
        ("sequence_mis", {"cap": 1.5}, [[0.0, 0.0, 0.0], [0.125, 0.125, 0.0]]),
        ("geometric", {"low": 0.5, "high": 1.5}, [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]),
        # k3 of 4: 3 - 2 ln 2 = 1.614; of 1/4: 2 ln 2 - 3/4 = .636; of 1/2: ln 2 - 1/2 = .193
        ("trm", {"delta": 1.0}, [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]),
        ("seq_mean_k3", {"delta": 0.5}, [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]),
        ("veto", {"threshold": 0.3}, [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]),
    ],
)
def test_by_hand(name, settings, expected) -> None:
    assert weights(name, gap(), **settings) == [pytest.approx(line, rel=1e-12) for line in expected]


def test_figures_of_a_sequence() -> None:
    ln2, inputs = math.log(2.0), gap()
    assert sequence_rho(inputs)[:, 0].tolist() == pytest.approx([2.0, 0.125])
    assert geometric_rho(inputs)[:, 0].tolist() == pytest.approx([2.0 ** (1 / 3), 0.125**0.5])
    assert largest_k3(inputs)[:, 0].tolist() == pytest.approx([3.0 - 2.0 * ln2, 2.0 * ln2 - 0.75])
    assert average_k3(inputs)[:, 0].tolist() == pytest.approx([(2.5 - ln2) / 3.0, (3.0 * ln2 - 1.25) / 2.0])


def test_opsm_drops_only_what_is_bad_and_off() -> None:
    # log(sampler / new) has means -ln 2 / 3 and 3 ln 2 / 2: the second sequence has drifted away.
    assert weights("opsm", gap(advantage=-1.0), delta=0.5) == [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    assert weights("opsm", gap(advantage=1.0), delta=0.5) == [[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]]
    # Against the trainer nothing has moved yet; with `new` far below it, both have.
    assert weights("opsm", gap(advantage=-1.0), delta=0.5, old="trainer") == MASK.double().tolist()
    far = torch.full((2, 3), -9.0, dtype=torch.float64)
    assert weights("opsm", gap(advantage=-1.0, new=far), delta=0.5, old="trainer") == [[0.0] * 3] * 2


@pytest.mark.parametrize("name", sorted(CORRECTIONS))
@given(rows=st.lists(st.lists(st.floats(-60, 0), min_size=3, max_size=3), min_size=1, max_size=3))
def test_every_weight_is_finite_not_negative_and_one_without_a_gap(name, rows) -> None:
    trainer = tensor(rows, dtype=torch.float64, requires_grad=True)
    mask = torch.ones_like(trainer)
    entry = CORRECTIONS[name]
    for sampler in (trainer.detach().flip(-1), trainer.detach()):
        inputs = CorrectionInputs(trainer=trainer, sampler=sampler, mask=mask, advantages=-mask)
        found = entry.function(inputs, entry.settings())
        assert found.shape == trainer.shape and not found.requires_grad
        assert torch.isfinite(found).all() and (found >= 0.0).all()
    assert found.eq(1.0).all()


def test_combined_multiplies_and_reports() -> None:
    names = {"tis": {"cap": 2.0}, "veto": {"threshold": 0.3}}
    product, figures = combined({name: CORRECTIONS[name].settings(**kw) for name, kw in names.items()}, gap())
    assert product.tolist() == [[2.0, 0.5, 1.0], [0.0, 0.0, 1.0]]
    gaps = k3(gap())[MASK.bool()]
    expected = {
        "correction_weight": 3.5 / 5,
        "correction_masked": 2 / 5,
        "mismatch_k3": float(gaps.mean()),
        "mismatch_k3_p999": float(gaps.max()),
    }
    assert {name: float(value) for name, value in figures.items()} == pytest.approx(expected)


def test_combined_of_nothing_and_of_an_empty_batch() -> None:
    product, figures = combined({}, gap())
    assert product.eq(1.0).all() and figures["correction_weight"] == 1.0
    _, figures = combined({}, gap(mask=torch.zeros(2, 3)))
    assert all(value == 0.0 for value in figures.values())
    with pytest.raises(ValueError, match="did you mean 'tis'"):
        combined({"tiss": None}, gap())


def test_percentile_is_by_rank() -> None:
    d = torch.linspace(0.0, 1.0, 2001, dtype=torch.float64)[None]
    inputs = CorrectionInputs(trainer=d, sampler=torch.zeros_like(d), mask=torch.ones_like(d), advantages=d)
    _, figures = combined({}, inputs)
    assert figures["mismatch_k3_p999"] == k3(inputs)[0, 1998]  # rank ceil(.999 * 2001) = 1999


def test_the_gap_is_corrected_once() -> None:
    refuse_double_correction("trainer", ["tis", "sequence_mis", "veto"])
    refuse_double_correction("sampler", ["veto", "geometric", "opsm", "trm", "seq_mean_k3"])
    for name in ("tis", "mis", "icepop", "sequence_tis", "sequence_mis"):
        with pytest.raises(ValueError, match=rf"corrections {name} weigh by trainer / sampler.*corrected twice"):
            refuse_double_correction("sampler", ["veto", name])
    with pytest.raises(ValueError, match="old_logprobs is one of sampler, trainer"):
        refuse_double_correction("engine", [])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("tis", {"cap": 0.0}, "cap is a finite number"),
        ("icepop", {"low": 3.0}, "high is a finite number in"),
        ("geometric", {"low": 0.0}, "low is a finite number"),
        ("trm", {"delta": -1.0}, "delta is a finite number"),
        ("opsm", {"old": "reference"}, "old is one of sampler, trainer"),
        ("veto", {"threshold": -1.0}, "threshold is a finite number"),
    ],
)
def test_bad_settings_are_refused(name, settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        CORRECTIONS[name].settings(**settings)


def test_columns_must_line_up() -> None:
    with pytest.raises(ValueError, match=r"new and mask of one shape \[N, T\]: got \[2, 2\] and \[2, 3\]"):
        gap(new=torch.zeros(2, 2))
