"""The lean forward pass against transformers' own, over families, precisions and adapters."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from transformers import GPT2Config, GPT2LMHeadModel

from turnwise.agents.decoder import Decoder, decoder_of
from turnwise.agents.engine import Ask
from turnwise.agents.local import LocalEngine
from turnwise.agents.lora import LoraSettings, add_adapters
from turnwise.agents.precision import computing_in
from turnwise.agents.sampling import Sampling

SIZES = {
    "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}
LEAN: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen3": ("Qwen3", {"head_dim": 16, "tie_word_embeddings": True}),
    "qwen3 with biases": ("Qwen3", {"attention_bias": True}),
    "qwen3 stretched": ("Qwen3", {"rope_parameters": YARN}),
    "qwen2": ("Qwen2", {}),
    "llama": ("Llama", {"attention_bias": True, "mlp_bias": True}),
    "llama 3": ("Llama", {"rope_parameters": LLAMA3 | {"original_max_position_embeddings": 16}}),
    "mistral": ("Mistral", {"sliding_window": None}),
}
OTHER: dict[str, tuple[str, dict[str, Any], str]] = {
    "windows": ("Mistral", {"sliding_window": 4}, "attends within a window"),
    "some windows": ("Qwen2", {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}, "a window"),
    "dynamic": ("Llama", {"rope_parameters": YARN | {"rope_type": "dynamic"}}, "of the kind dynamic"),
    "capped": ("Gemma2", {"head_dim": 8}, "caps its logits"),
    "experts": ("Qwen3Moe", {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 8}, "no gated layer"),
}


def built(family: str, options: dict[str, Any], seed: int = 0) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = getattr(transformers, f"{family}Config")(**SIZES | options)
        model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "bias" in name:
                    weight.normal_()
                elif weight.dim() == 1:
                    weight.uniform_(0.5, 1.5)
                else:
                    weight.mul_(8)
    return model


def engine_of(model: Any, **options: Any) -> LocalEngine:
    return LocalEngine(model, end_id=-1, pad_id=0, decode=str, **options)


def farthest(model: Any, engine: LocalEngine, asks: list[Ask]) -> float:
    """The largest difference of a log-prob to the model's own forward pass."""
    numbers = engine.submit(asks)
    worst, found = 0.0, dict[int, Any]()
    while len(found) < len(asks):
        found |= engine.receive(1.0)
    for number, ask in zip(numbers, asks, strict=True):
        ids = found[number].ids
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*ask.prompt, *ids]])).logits[0, len(ask.prompt) - 1 : -1]
        wanted = torch.log_softmax(logits.float(), dim=-1)[range(len(ids)), list(ids)]
        worst = max(worst, float((wanted - torch.tensor(found[number].logprobs)).abs().max()))
    return worst


ASKS = [
    Ask((*range(3, 3 + length), 40 + seed), seed, Sampling(max_tokens=6)) for seed, length in enumerate((1, 30, 30))
]
ASKS += [Ask(tuple(range(3, 53)), seed, Sampling(max_tokens=6)) for seed in range(20)]


@pytest.mark.parametrize("name", sorted(LEAN))
def test_families_that_are_computed_lean(name: str) -> None:
    model = built(*LEAN[name])
    engine = engine_of(model)
    assert engine.forward_pass == "lean"
    assert farthest(model, engine, ASKS) <= 1e-5


@pytest.mark.parametrize("name", sorted(OTHER))
def test_families_that_are_computed_by_their_own_modules(name: str) -> None:
    family, options, reason = OTHER[name]
    engine = engine_of(built(family, options))
    assert reason in engine.forward_pass
    with pytest.raises(ValueError, match="the lean forward pass is for models like Llama and Qwen3"):
        Decoder(engine.model)


def test_another_family_streams_too() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(GPT2Config(vocab_size=96, n_positions=64, n_embd=32, n_layer=1, n_head=2)).eval()
    engine = engine_of(model)
    assert "has no model.embed_tokens" in engine.forward_pass
    assert farthest(model, engine, ASKS) <= 1e-5
    assert engine.sampled == 6 * len(ASKS)


def test_a_model_that_computes_something_else_shows_in_the_comparison() -> None:
    model = built("Llama", {})
    model.model.layers[1].self_attn.o_proj.register_forward_hook(lambda module, args, out: 1.01 * out)
    said = decoder_of(model)
    assert isinstance(said, str) and "its logits differ by" in said
    engine = engine_of(model)
    assert engine.forward_pass == said
    assert farthest(model, engine, ASKS) <= 1e-5


def test_adapters_that_come_later_are_computed() -> None:
    model = built("Qwen3", {})
    engine = engine_of(model)
    (before,) = engine.generate([ASKS[1].prompt], [1], Sampling(max_tokens=6))
    add_adapters(model, LoraSettings(rank=4), seed=0)
    assert engine.generate([ASKS[1].prompt], [1], Sampling(max_tokens=6)) == [before]  # fresh ones change nothing
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.2)
    assert engine.forward_pass == "lean"
    assert farthest(model, engine, ASKS) <= 1e-5
    (after,) = engine.generate([ASKS[1].prompt], [1], Sampling(max_tokens=6))
    assert after.ids != before.ids


@pytest.mark.parametrize("buckets", [False, True])
def test_bfloat16_products_are_those_of_the_model(buckets: bool) -> None:
    """Under autocast both round; their log-probs are as close as rounding lets them be."""
    model = built("Qwen3", {})
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.5 if weight.dim() == 2 else 1)
    with computing_in(torch.bfloat16, torch.device("cpu")):
        engine = engine_of(model, buckets=buckets)
        assert farthest(model, engine, ASKS) <= 0.1
        assert engine._rows.pool.cache.dtype == torch.bfloat16  # type: ignore[union-attr]
    assert farthest(model, engine, ASKS) <= 1e-5  # and back


def test_training_in_place_is_seen_at_once() -> None:
    model = built("Qwen2", {})
    engine = engine_of(model)
    for _ in range(2):
        assert farthest(model, engine, ASKS) <= 1e-5
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(1.05)


def test_a_copy_of_a_model_is_a_model_of_its_own(model: Any, engine: Callable[..., LocalEngine]) -> None:
    twin = copy.deepcopy(model)
    assert engine().forward_pass == engine_of(twin).forward_pass == "lean"
