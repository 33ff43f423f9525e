"""The forward pass over a batch against the plain forward pass of each row."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import Gemma2Config, Gemma2ForCausalLM, GraniteConfig, GraniteForCausalLM

from turnwise.agents.lora import LoraSettings, add_adapters
from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.policy import require_plain_head, score
from turnwise.kernels import logprobs
from turnwise.kernels.logprobs import scores_of_logits
from turnwise.records import Episode

Spoken, Models = Callable[..., Episode], Callable[..., Any]
SIZES = {
    "vocab_size": 24,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "pad_token_id": 0,
}


@pytest.fixture(scope="module")
def batch(spoken: Spoken) -> Batch:
    """Rows of 3, 5 and 8 tokens, one of them two turns of a conversation, one held by two samples."""
    talk = spoken(("player_0", (1, 2, 3), (4, 5)), ("player_0", (1, 2, 3, 4, 5, 6, 7), (8,)))
    short, long = spoken(("player_0", (3, 9), (10,))), spoken(("player_0", (3,), (7, 11, 12, 2)))
    found = pack([talk, short, long, short], [[1.0, -2.0], [0.5], [3.0], [-1.0]], pad_id=0)
    assert found is not None and len(found.lengths) == 3
    return found


def by_hand(forward: Callable[..., torch.Tensor], model: Any, batch: Batch, temperature: float) -> torch.Tensor:
    """[M, V] nats: what the plain forward pass of the unpadded row says right before each trained token."""
    found = []
    for row, position in zip(batch.token_row.tolist(), batch.token_position.tolist(), strict=True):
        ids = batch.ids[row, : int(batch.lengths[row])].tolist()
        found.append(torch.log_softmax(forward(model, ids)[position - 1] / temperature, dim=-1))
    return torch.stack(found)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_scores_and_their_gradients_are_those_of_the_plain_forward_pass(
    temperature: float, batch: Batch, new_model: Models, forward: Callable[..., torch.Tensor]
) -> None:
    """Padding and the rest of the batch count for nothing; positions are right to the token."""
    model, twin = new_model(), new_model()
    scores = score(model, batch, temperature=temperature, entropy=True, squares=True)
    expected = by_hand(forward, twin, batch, temperature)
    assert torch.allclose(scores.entropy, -(expected.exp() * expected).sum(-1), atol=1e-5)
    assert torch.allclose(scores.squares, (2.0 * expected).exp().sum(-1), atol=1e-5)
    assert (scores.kl, scores.vocabulary) == (None, 24)
    tokens = torch.tensor([8, 11, 12, 2, 7, 10, 4, 5]).sort().values
    found = batch.ids[batch.token_row, batch.token_position]
    assert found.sort().values.tolist() == tokens.tolist()
    assert torch.allclose(scores.logprobs, expected[range(len(found)), found], atol=1e-5)
    weights = torch.linspace(-1.0, 2.0, len(found))
    (scores.logprobs * weights).sum().backward()
    (expected[range(len(found)), found] * weights).sum().backward()
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-5)


def test_temperature_zero_scores_untempered(batch: Batch, new_model: Models) -> None:
    model = new_model()
    assert torch.equal(score(model, batch, temperature=0).logprobs, score(model, batch, temperature=1.0).logprobs)


def test_a_soft_cap_of_the_logits_is_kept(batch: Batch, forward: Callable[..., torch.Tensor]) -> None:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        model = Gemma2ForCausalLM(Gemma2Config(**SIZES, final_logit_softcapping=0.5)).eval()
        model.model.embed_tokens.weight.mul_(20)
    require_plain_head(model)
    found, expected = score(model, batch, temperature=1.0, entropy=True), by_hand(forward, model, batch, 1.0)
    tokens = batch.ids[batch.token_row, batch.token_position]
    assert torch.allclose(found.logprobs, expected[range(len(tokens)), tokens], atol=1e-5)
    assert torch.allclose(found.entropy, -(expected.exp() * expected).sum(-1), atol=1e-5)


def test_a_model_that_scales_its_logits_is_refused(new_model: Models) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GraniteForCausalLM(GraniteConfig(**SIZES, logits_scaling=8.0)).eval()
    with pytest.raises(ValueError, match=r"logits of GraniteForCausalLM .* changes them further"):
        require_plain_head(model)
    require_plain_head(new_model())


def test_a_model_without_a_head_is_refused(batch: Batch, new_model: Models) -> None:
    with pytest.raises(ValueError, match="a body and a head: got Qwen3Model"):
        score(new_model().model, batch, temperature=1.0)


# --- a reference, and heads that are no plain linear layer -----------------------------------------------------------


def adapted(new_model: Models) -> Any:
    """A fresh model with an adapter beside its head that says something."""
    model = new_model()
    model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())  # no longer the embedding's
    model.config.tie_word_embeddings = False
    add_adapters(model, LoraSettings(rank=2, targets="lm_head"), seed=0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0.0, 0.1, generator=torch.Generator().manual_seed(1))
    return model


class Doubled(nn.Linear):
    """A head that `nn.Linear` alone does not describe."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return 2.0 * super().forward(hidden)


def with_doubled_head(new_model: Models) -> Any:
    model = new_model()
    head = Doubled(*reversed(model.lm_head.weight.shape), bias=False)
    head.weight = nn.Parameter(model.lm_head.weight.detach().clone())
    model.set_output_embeddings(head)
    return model


KINDS: dict[str, Models] = {"plain": lambda new: new(5), "adapter": adapted, "other": with_doubled_head}


@pytest.mark.parametrize("reference", KINDS)
@pytest.mark.parametrize("policy", KINDS)
def test_every_head_says_what_its_logits_say(
    policy: str,
    reference: str,
    batch: Batch,
    new_model: Models,
    forward: Callable[..., torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In chunks of three tokens: log-probs, entropy and exact KL, and their gradients."""
    monkeypatch.setattr(logprobs, "CHUNK_ENTRIES", 72)
    monkeypatch.setattr(logprobs, "LEAST_ROWS", {"cpu": 1})
    model, twin, other = KINDS[policy](new_model), KINDS[policy](new_model), KINDS[reference](new_model)
    found = score(model, batch, temperature=1.5, entropy=True, reference=other)
    log_p = by_hand(forward, twin, batch, 1.5)
    with torch.no_grad():
        log_q = by_hand(forward, other, batch, 1.5)
    expected = scores_of_logits(log_p, batch.ids[batch.token_row, batch.token_position], entropy=True, reference=log_q)
    weights = torch.linspace(-1.0, 2.0, len(log_p))
    for mine, theirs in zip(found[:4], expected, strict=True):
        assert (mine is None) == (theirs is None)
        assert mine is None or torch.allclose(mine, theirs, atol=1e-5)
    sum((each * weights).sum() for each in found[:4] if each is not None).backward()
    sum((each * weights).sum() for each in expected if each is not None).backward()
    assert all(parameter.grad is None for parameter in other.parameters())
    trained = [pair for pair in zip(model.parameters(), twin.parameters(), strict=True) if pair[1].grad is not None]
    assert len(trained) == (2 if policy == "adapter" else len(list(model.parameters())))
    for mine, theirs in trained:
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-5)


def test_another_head_is_called_a_chunk_at_a_time_and_again_in_the_backward_pass(
    batch: Batch, new_model: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logprobs, "CHUNK_ENTRIES", 72)
    monkeypatch.setattr(logprobs, "LEAST_ROWS", {"cpu": 1})
    model, calls = with_doubled_head(new_model), []
    model.lm_head.register_forward_hook(lambda module, args, out: calls.append(len(out)))
    scores = score(model, batch, temperature=1.0)
    assert calls == [3, 3, 2]
    scores.logprobs.sum().backward()
    assert sorted(calls[3:]) == [2, 3, 3]
