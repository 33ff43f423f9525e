"""The lean forward pass over a tree: as the model's own modules compute it, and left alone where they do more."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch

from turnwise.agents.lora import LoraSettings, add_adapters
from turnwise.algorithms.activations import keep_inputs_alone
from turnwise.algorithms.batch import Batch, pack_samples
from turnwise.algorithms.forward import hidden_states, place
from turnwise.algorithms.layouts import choose_layout
from turnwise.algorithms.lean import is_lean, states_at
from turnwise.algorithms.pieces import as_tree
from turnwise.algorithms.samples import Sample

SIZES = {
    "vocab_size": 29,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "Qwen3": {"attention_bias": True},
    "Llama": {"attention_bias": True, "mlp_bias": True},
    "Mistral": {"sliding_window": None, "num_key_value_heads": 1},
}


def built(family: str, **settings: Any) -> Any:
    """A small model of a family in the layout of a tree, weights that tell inputs apart."""
    import transformers

    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForCausalLM")(getattr(transformers, f"{family}Config")(**SIZES | settings))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("norm.weight", "bias")):
                weight.add_(torch.randn_like(weight) * 0.2)
    assert choose_layout(model).name == "tree"
    return model


def forked() -> Batch:
    """Rows with one beginning that part at several places, some of them inside a reply."""
    draw, samples = torch.Generator().manual_seed(0), []
    for _ in range(12):
        said = torch.randint(1, 3, (40,), generator=draw).tolist()
        sample = Sample()
        sample.add(tuple(range(1, 25)) * 2, tuple(said), [-1.0] * 40, 1.0)
        samples.append(sample)
    return as_tree(pack_samples(samples, pad_id=0))


@pytest.mark.parametrize("family", FAMILIES)
def test_states_and_gradients_are_those_of_the_modules(family: str) -> None:
    model, batch = built(family, **FAMILIES[family]).double(), forked()
    assert batch.tree is not None and batch.tree.attention.trunks
    assert is_lean(model)
    tokens = place(batch, batch.token_row, batch.token_position - 1)
    states = hidden_states(model.model, batch)[tokens], states_at(model, batch.tree, tokens)
    assert (states[0] - states[1]).abs().max() < 1e-5  # the modules norm in float32
    given = torch.randn_like(states[0])
    weights = dict(model.model.named_parameters())
    theirs, mine = (torch.autograd.grad(each, list(weights.values()), given) for each in states)
    for name, one, other in zip(weights, theirs, mine, strict=True):
        assert (one - other).abs().max() < 1e-5 * max(1.0, float(one.abs().max())), name


def hooked(model: Any) -> None:
    model.model.layers[0].register_forward_pre_hook(lambda *_: None)


def replaced(model: Any) -> None:
    model.model.layers[1].forward = model.model.layers[1].forward


CHANGES: dict[str, Callable[[Any], object]] = {
    "noise": hooked,
    "compiled": replaced,
    "checkpoints": lambda model: keep_inputs_alone(model.model.layers),
    "adapters": lambda model: add_adapters(model, LoraSettings(rank=2), 0),
    "dropout": lambda model: setattr(model.train().config, "attention_dropout", 0.5),
    "another gate": lambda model: setattr(model.config, "hidden_act", "gelu"),
    "half precision": lambda model: model.bfloat16(),
    "padded rows": lambda model: model.set_attn_implementation("sdpa"),
    "spread over ranks": lambda model: setattr(model, "within", None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_model_that_computes_more_is_left_to_its_modules(name: str) -> None:
    model = built("Qwen3").eval()
    assert is_lean(model) and is_lean(copy.deepcopy(model))
    CHANGES[name](model)
    assert not is_lean(model)


def test_within_autocast_the_modules_compute() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_lean(built("Qwen3"))
