"""The forward pass over a batch against the plain forward pass of each row."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import Gemma2Config, Gemma2ForCausalLM, GraniteConfig, GraniteForCausalLM

from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.policy import require_plain_head, score
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
    scores = score(model, batch, temperature=temperature)
    expected = by_hand(forward, twin, batch, temperature)
    assert torch.allclose(scores.distribution, expected, atol=1e-5)
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
    assert torch.allclose(
        score(model, batch, temperature=1.0).distribution, by_hand(forward, model, batch, 1.0), atol=1e-5
    )


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
