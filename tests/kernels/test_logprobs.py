"""Scores from hidden states: chunks, tiles and Triton's kernels beside the logits written out, gradients too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from turnwise.kernels import logprobs
from turnwise.kernels.logprobs import Reference, TokenScores, scores_of_logits, token_scores


@pytest.fixture(params=["kept", "again"])
def chunked(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of two tokens of thirteen choices; the backward pass finds the probabilities, or computes them again."""
    monkeypatch.setattr(logprobs, "CHUNK_ENTRIES", 26)
    monkeypatch.setattr(logprobs, "LEAST_ROWS", {"cpu": 1, "cuda": 1})
    monkeypatch.setattr(logprobs, "KEPT_ENTRIES", 2**24 if request.param == "kept" else 0)


class Case:
    """Random inputs of M tokens, V choices and width H; `bias` and `reference` where asked for."""

    def __init__(
        self, tokens: int, choices: int = 13, *, bias: bool, reference: bool = False, dtype: torch.dtype = torch.float32
    ) -> None:
        draw = torch.Generator().manual_seed(tokens)

        def normal(*size: int) -> Tensor:
            return torch.randn(*size, generator=draw, dtype=torch.float64).to(dtype)

        self.hidden, self.weight = normal(tokens, 5).requires_grad_(), normal(choices, 5).requires_grad_()
        self.bias = normal(choices).requires_grad_() if bias else None
        self.tokens = torch.randint(choices, (tokens,), generator=draw)
        self.reference = Reference(normal(tokens, 3), normal(choices, 3), normal(choices), 4.0) if reference else None
        self.weights = normal(4, tokens)
        """Of the four scores, in the sum whose gradient is compared."""

    @property
    def leaves(self) -> list[Tensor]:
        return [each for each in (self.hidden, self.weight, self.bias) if each is not None]

    def written_out(self, softcap: float | None, temperature: float) -> TokenScores:
        other = None
        if self.reference is not None:
            hidden, weight, bias, cap = self.reference
            assert bias is not None and cap is not None
            other = cap * torch.tanh((hidden @ weight.t() + bias) / cap) / temperature
        logits = self.hidden @ self.weight.t()
        logits = logits if self.bias is None else logits + self.bias
        logits = logits if softcap is None else softcap * torch.tanh(logits / softcap)
        return scores_of_logits(logits / temperature, self.tokens, entropy=True, squares=True, reference=other)

    def gradients(self, found: TokenScores) -> list[Tensor]:
        total = sum(((w * s).sum() for w, s in zip(self.weights, found, strict=True) if s is not None), torch.zeros(()))
        return list(torch.autograd.grad(total, self.leaves))


def furthest(mine: Any, theirs: Any) -> float:
    pairs = [(a.detach(), b.detach()) for a, b in zip(mine, theirs, strict=True) if b is not None]
    return max(float((a.double() - b.double()).abs().max()) if b.numel() else 0.0 for a, b in pairs)


# --- chunks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "bias", "softcap", "temperature", "reference"),
    list(itertools.product([0, 1, 7], [False, True], [None, 3.0], [1.0, 2.5], [False, True])),
)
@pytest.mark.usefixtures("chunked")
def test_chunks_say_what_the_logits_say(
    tokens: int, bias: bool, softcap: float | None, temperature: float, reference: bool
) -> None:
    case = Case(tokens, bias=bias, reference=reference)
    options: dict[str, Any] = {"temperature": temperature, "softcap": softcap, "entropy": True, "squares": True}
    found = token_scores(case.hidden, case.weight, case.tokens, bias=case.bias, reference=case.reference, **options)
    expected = case.written_out(softcap, temperature)
    assert [s is None for s in found] == [s is None for s in expected]
    assert furthest(found, expected) < 2e-6
    assert furthest(case.gradients(found), case.gradients(expected)) < 1e-5


@pytest.mark.usefixtures("chunked")
@pytest.mark.parametrize("softcap", [None, 2.0])
def test_the_gradient_is_that_of_finite_differences(softcap: float | None) -> None:
    case = Case(3, bias=True, reference=True, dtype=torch.float64)

    def scores(hidden: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor | None, ...]:
        options: dict[str, Any] = {"temperature": 1.5, "softcap": softcap, "entropy": True, "squares": True}
        return tuple(token_scores(hidden, weight, case.tokens, bias=bias, reference=case.reference, **options))

    assert torch.autograd.gradcheck(scores, case.leaves)


@pytest.mark.usefixtures("chunked")
def test_only_what_is_asked_for_is_computed_and_gets_a_gradient() -> None:
    """Log-probs alone: (1[j = token] - p) weight to the hidden state, and nothing to a frozen head."""
    case = Case(7, bias=False)
    weight = case.weight.detach()
    found = token_scores(case.hidden, weight, case.tokens)
    assert found[1:] == (None, None, None)
    found.logprobs.sum().backward()
    expected = (torch.eye(13)[case.tokens] - (case.hidden @ weight.t()).softmax(-1)) @ weight
    assert furthest([case.hidden.grad], [expected]) < 1e-6


def test_a_head_tied_to_its_input_gets_both_gradients() -> None:
    table = torch.randn(13, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    tokens = torch.tensor([3, 0, 12])
    token_scores(table[tokens], table, tokens).logprobs.sum().backward()
    found, table.grad = table.grad, None
    scores_of_logits(table[tokens] @ table.t(), tokens).logprobs.sum().backward()
    assert found is not None and furthest([found], [table.grad]) < 1e-6


def test_equal_inputs_give_equal_results() -> None:
    case = Case(7, bias=True)
    first, second = (token_scores(case.hidden, case.weight, case.tokens, bias=case.bias, entropy=True) for _ in "12")
    assert torch.equal(first.logprobs, second.logprobs)
    assert all(torch.equal(a, b) for a, b in zip(case.gradients(first), case.gradients(second), strict=True))


def test_at_its_reference_the_kl_is_zero_to_the_bit() -> None:
    case = Case(7, bias=True)
    reference = Reference(case.hidden.detach(), case.weight.detach(), case.bias)
    found = token_scores(case.hidden, case.weight, case.tokens, bias=case.bias, reference=reference)
    assert found.kl is not None and found.kl.tolist() == [0.0] * 7


@pytest.mark.usefixtures("chunked")
def test_extreme_logits_stay_finite() -> None:
    """Logits of 1e4, 0 and -1e4: the second token is 1e4 nats away, and nothing overflows or is NaN."""
    hidden = torch.tensor([[1e4], [1e4], [-1e4]], requires_grad=True)
    weight = torch.tensor([[1.0], [0.0], [-1.0]], requires_grad=True)
    found = token_scores(hidden, weight, torch.tensor([0, 1, 0]), entropy=True, squares=True)
    assert found.logprobs.tolist() == [0.0, -1e4, -2e4]
    assert found.entropy is not None and found.squares is not None
    assert found.entropy.tolist() == [0.0] * 3
    assert found.squares.tolist() == [1.0] * 3
    (found.logprobs + found.entropy + found.squares).sum().backward()
    assert hidden.grad is not None and hidden.grad.tolist() == [[0.0], [-1.0], [2.0]]


def ruled_out(found: TokenScores, bias: Tensor) -> None:
    """Two choices alike and one that a bias of -inf rules out: log 2 nats, half the squares."""
    assert found.logprobs.tolist() == pytest.approx([-math.log(2), -math.inf])
    assert found.entropy is not None and found.squares is not None
    assert found.entropy.tolist() == pytest.approx([math.log(2)] * 2)
    assert found.squares.tolist() == pytest.approx([0.5] * 2)
    (found.logprobs[0] + found.entropy.sum() + found.squares.sum()).backward()
    assert bias.grad is not None and bias.grad.tolist() == pytest.approx([0.5, 0.0, -0.5])


@pytest.mark.usefixtures("chunked")
def test_a_choice_that_is_ruled_out_counts_for_nothing() -> None:
    bias = torch.tensor([1.0, -math.inf, 1.0], requires_grad=True)
    hidden, weight, tokens = torch.zeros(2, 4), torch.zeros(3, 4), torch.tensor([0, 1])
    reference = Reference(hidden, weight, torch.tensor([0.0, -math.inf, 0.0]))
    found = token_scores(hidden, weight, tokens, bias=bias, entropy=True, squares=True, reference=reference)
    assert found.kl is not None and found.kl.tolist() == [0.0, 0.0]
    ruled_out(found, bias)
    other = Reference(hidden, weight, torch.tensor([-math.inf, 0.0, 0.0]))
    impossible = token_scores(hidden, weight, tokens, bias=bias, reference=other).kl
    assert impossible is not None and impossible.tolist() == [math.inf] * 2


def test_halves_multiply_and_float32_adds_up() -> None:
    """Of bfloat16 the products are exact in float32: all that is rounded is the gradients, on their way out."""
    halves, case = Case(7, bias=False, dtype=torch.bfloat16), Case(7, bias=False)
    case.hidden, case.weight = (each.detach().float().requires_grad_() for each in halves.leaves)
    mine = token_scores(halves.hidden, halves.weight, halves.tokens)
    theirs = token_scores(case.hidden, case.weight, case.tokens)
    assert torch.equal(mine.logprobs, theirs.logprobs)
    mine.logprobs.sum().backward()
    theirs.logprobs.sum().backward()
    for half, full in zip(halves.leaves, case.leaves, strict=True):
        assert half.grad is not None and full.grad is not None
        assert torch.equal(half.grad, full.grad.bfloat16())


def test_no_more_than_a_chunk_of_logits_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,024 tokens of 6,000 choices are 24 MB of logits; two chunks and the gradients are under 2 MB."""
    monkeypatch.setattr(logprobs, "CHUNK_ENTRIES", 2**17)
    monkeypatch.setattr(logprobs, "LEAST_ROWS", {"cpu": 1})
    monkeypatch.setattr(logprobs, "KEPT_ENTRIES", 0)
    hidden, weight = torch.randn(1024, 16, requires_grad=True), torch.randn(6000, 16, requires_grad=True)
    tokens = torch.zeros(1024, dtype=torch.int64)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        token_scores(hidden, weight, tokens, entropy=True).logprobs.sum().backward()
    held = most = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    assert most < 4 * (2.1 * 2**17 + weight.numel() + hidden.numel() + 8 * 1024)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": torch.zeros(13, 4)}, r"hidden is \[M, H\] and weight \[V, H\]: got \[7, 5\] and \[13, 4\]"),
        ({"tokens": torch.zeros(6, dtype=torch.int64)}, r"tokens is \[7\] int64, one a row: got \[6\]"),
        ({"tokens": torch.zeros(7)}, "int64, one a row: got .* torch.float32"),
        ({"bias": torch.zeros(12)}, r"bias is \[13\], one a choice: got \[12\]"),
        ({"temperature": 0.0}, "temperature and softcap are above 0: got 0.0"),
        ({"softcap": 0.0}, "temperature and softcap are above 0: got 1.0 and 0.0"),
        ({"reference": Reference(torch.zeros(6, 5), torch.zeros(13, 5))}, "same 7 tokens and 13 choices: got 6"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    case = Case(7, bias=False)
    given: dict[str, Any] = {"hidden": case.hidden, "weight": case.weight, "tokens": case.tokens}
    with pytest.raises(ValueError, match=message):
        token_scores(**(given | change))


# --- kernels --------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiled(device: torch.device, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TokenScores]:
    """`token_scores` by the kernels, in tiles of four tokens and sixteen choices that a program reads by eights."""
    from turnwise.kernels import logprobs_triton

    monkeypatch.setattr(logprobs_triton, "TILE", (4, 16))
    monkeypatch.setattr(logprobs_triton, "BLOCK", 8)

    def scores(hidden: Tensor, weight: Tensor, tokens: Tensor, bias: Tensor | None, **options: Any) -> TokenScores:
        moved = [None if each is None else each.to(device) for each in (hidden, weight, bias, tokens)]
        found = logprobs_triton.token_scores(*moved, entropy=True, squares=True, **options)
        return TokenScores(*(None if each is None else each.cpu() for each in found))

    return scores


@pytest.mark.parametrize(
    ("tokens", "choices", "bias", "softcap", "temperature"),
    [
        (0, 13, True, None, 1.0),
        (1, 1, False, None, 1.0),
        (1, 3, True, 3.0, 2.5),
        (4, 8, False, None, 1.0),
        (7, 13, True, None, 2.5),
        (7, 13, False, 3.0, 1.0),
        (9, 19, True, 3.0, 1.0),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernels_say_what_chunks_say(
    tokens: int,
    choices: int,
    bias: bool,
    softcap: float | None,
    temperature: float,
    dtype: torch.dtype,
    tiled: Callable[..., TokenScores],
) -> None:
    """A size of one, odd sizes, past a block and past a tile. Gradients of halves to their own rounding."""
    case = Case(tokens, choices, bias=bias)
    for each in case.leaves:
        each.data = each.data.to(dtype).float()
    found = tiled(
        case.hidden, case.weight, case.tokens, case.bias, softcap=softcap, temperature=temperature, dtype=dtype
    )
    options: dict[str, Any] = {"temperature": temperature, "softcap": softcap, "entropy": True, "squares": True}
    expected = token_scores(case.hidden, case.weight, case.tokens, bias=case.bias, **options)
    assert furthest(found, expected) < 2e-6
    assert furthest(case.gradients(found), case.gradients(expected)) < (1e-5 if dtype == torch.float32 else 0.05)


def test_kernels_give_equal_results_for_equal_inputs(tiled: Callable[..., TokenScores]) -> None:
    case = Case(5, 19, bias=True)
    first, second = (tiled(case.hidden, case.weight, case.tokens, case.bias) for _ in "12")
    assert all(torch.equal(a, b) for a, b in zip(first[:3], second[:3], strict=True))  # type: ignore[arg-type]
    assert all(torch.equal(a, b) for a, b in zip(case.gradients(first), case.gradients(second), strict=True))


def test_kernels_stand_extreme_logits(tiled: Callable[..., TokenScores]) -> None:
    hidden = torch.tensor([[1e4], [1e4], [-1e4]], requires_grad=True)
    weight = torch.tensor([[1.0], [0.0], [-1.0]], requires_grad=True)
    found = tiled(hidden, weight, torch.tensor([0, 1, 0]), None)
    assert found.logprobs.tolist() == [0.0, -1e4, -2e4]
    assert found.entropy is not None and found.entropy.tolist() == [0.0] * 3
    (found.logprobs + found.entropy).sum().backward()
    assert hidden.grad is not None and hidden.grad.tolist() == [[0.0], [-1.0], [2.0]]


def test_kernels_leave_out_what_is_ruled_out(tiled: Callable[..., TokenScores]) -> None:
    bias = torch.tensor([1.0, -math.inf, 1.0], requires_grad=True)
    ruled_out(tiled(torch.zeros(2, 4), torch.zeros(3, 4), torch.tensor([0, 1]), bias), bias)
