"""KL and entropy, by hand and against torch's own distributions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor
from torch.distributions import Categorical, kl_divergence

from turnwise.algorithms.regularize import sampled_kl, uniform_kl
from turnwise.kernels.logprobs import scores_of_logits

logits = st.lists(st.floats(-8, 8), min_size=5, max_size=5)


def test_sampled_kl_by_hand() -> None:
    # d = log q - log p = log 2, 0, -1
    logprobs, reference = tensor([math.log(0.25), -1.0, -1.0]), tensor([math.log(0.5), -1.0, -2.0])
    assert sampled_kl(logprobs, reference, "k1").tolist() == pytest.approx([-math.log(2), 0.0, 1.0])
    assert sampled_kl(logprobs, reference, "k2").tolist() == pytest.approx([math.log(2) ** 2 / 2, 0.0, 0.5])
    assert sampled_kl(logprobs, reference, "k3").tolist() == pytest.approx([1 - math.log(2), 0.0, math.exp(-1)])


def test_cut_offs() -> None:
    far = tensor([0.0]), tensor([-99.0])
    assert sampled_kl(*far, "k1").tolist() == [20.0]
    assert sampled_kl(*far, "k2").tolist() == [200.0]
    assert sampled_kl(*far, "k3").tolist() == [10.0]


def test_masked_tokens_carry_neither_value_nor_gradient() -> None:
    logprobs = tensor([-1.0, math.nan], requires_grad=True)
    kl = sampled_kl(logprobs, tensor([-2.0, -math.inf]), "k2", mask=tensor([1, 0]))
    kl.sum().backward()
    assert kl.tolist() == [0.5, 0.0]
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [1.0, 0.0]


def exact(log_p: torch.Tensor, log_q: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """KL(p || q) and the entropy of p, of [V] logits."""
    found = scores_of_logits(log_p[None], tensor([0]), entropy=True, reference=log_q[None])
    assert found.kl is not None and found.entropy is not None
    return found.kl[0], found.entropy[0]


@given(logits, logits)
def test_exact_values_agree_with_torch_and_with_the_sampled_mean(first, second) -> None:
    p = Categorical(logits=tensor(first, dtype=torch.float64))
    q = Categorical(logits=tensor(second, dtype=torch.float64))
    kl, entropy = map(float, exact(p.logits, q.logits))
    assert kl == pytest.approx(float(kl_divergence(p, q)), abs=1e-9)
    assert entropy == pytest.approx(float(p.entropy()), abs=1e-9)
    # k1 is unbiased: its mean under p is the KL
    assert float((p.probs * sampled_kl(p.logits, q.logits, "k1")).sum()) == pytest.approx(kl, abs=1e-9)


@given(logits, logits)
def test_k2_has_the_gradient_of_the_exact_kl(first, second) -> None:
    weights = tensor(first, dtype=torch.float64, requires_grad=True)
    log_q = torch.log_softmax(tensor(second, dtype=torch.float64), dim=-1)
    log_p = torch.log_softmax(weights, dim=-1)
    (expected,) = torch.autograd.grad(exact(log_p, log_q)[0], weights, retain_graph=True)
    (sampled,) = torch.autograd.grad((log_p.exp().detach() * sampled_kl(log_p, log_q, "k2")).sum(), weights)
    assert sampled.tolist() == pytest.approx(expected.tolist(), abs=1e-9)


def test_the_kl_to_uniform_is_what_the_entropy_lacks() -> None:
    assert uniform_kl(tensor([math.log(3), math.log(2), 0.0]), 3).tolist() == pytest.approx(
        [0.0, math.log(1.5), math.log(3)]
    )


def test_unknown_estimator_is_refused() -> None:
    with pytest.raises(ValueError, match="estimator is one of k1, k2, k3: got 'k4'"):
        sampled_kl(tensor([0.0]), tensor([0.0]), "k4")
