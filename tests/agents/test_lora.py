"""Adapters: they begin by changing nothing, are the same merged, and are saved as other programs load them."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from turnwise.agents.lora import LoraSettings, add_adapters, has_adapters, merged, save_adapter
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer, save_model

IDS = torch.tensor([[5, 3, 17, 9, 2, 11]])
SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Letters(SimpleNamespace):
    """What `build_model` asks of a tokenizer."""

    def __len__(self) -> int:
        return 24


@pytest.fixture
def model() -> Any:
    return build_model(TinyModel(hidden=32, heads=2, intermediate=64), Letters(eos_token_id=2, pad_token_id=0), 0)


@pytest.fixture
def adapted(model: Any) -> Any:
    """The same with adapters that say something."""
    found = copy.deepcopy(model)
    add_adapters(found, LoraSettings(rank=4, alpha=8), seed=1)
    with torch.no_grad():
        for name, parameter in found.named_parameters():
            if ".lora_B." in name:
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name))))
    return found


def logits(model: Any) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(input_ids=IDS, use_cache=False).logits
    return found


def test_fresh_adapters_change_nothing_and_alone_are_trained(model: Any) -> None:
    before, weights = logits(model), sum(p.numel() for p in model.parameters())
    add_adapters(model, LoraSettings(rank=4), seed=0)
    assert torch.equal(logits(model), before)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".")[4] for name in trained} == set(SEVEN)
    assert all(".lora_A." in name or ".lora_B." in name for name in trained)
    # Two layers; per layer rank * (in + out): four of 32 + 32, two of 32 + 64, one of 64 + 32.
    assert sum(p.numel() for p in trained.values()) == 2 * 4 * (4 * 64 + 3 * 96)
    assert sum(p.numel() for p in model.parameters() if not p.requires_grad) == weights


def test_the_seed_decides_and_the_run_s_own_chance_is_left_alone(model: Any) -> None:
    models = [copy.deepcopy(model) for _ in range(3)]
    before = torch.random.get_rng_state()
    for seed, each in zip((1, 1, 2), models, strict=True):
        add_adapters(each, LoraSettings(rank=2), seed)
    assert torch.equal(torch.random.get_rng_state(), before)
    first, again, other = (each.model.layers[0].self_attn.q_proj.lora_A["default"].weight for each in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_only_the_named_layers_get_one(model: Any) -> None:
    add_adapters(model, LoraSettings(rank=2, targets="q_proj, v_proj"), seed=0)
    assert {name.split(".")[4] for name, p in model.named_parameters() if p.requires_grad} == {"q_proj", "v_proj"}


def test_merged_weights_say_what_the_adapters_say(model: Any, adapted: Any) -> None:
    plain = copy.deepcopy(model)
    weights = dict(merged(adapted))
    assert weights.keys() == dict(model.named_parameters()).keys()
    plain.load_state_dict(weights, strict=False)  # the head is tied: it has no weight of its own
    assert (logits(adapted) - logits(model)).abs().max() > 0.1
    assert torch.allclose(logits(plain), logits(adapted), atol=1e-5)


def test_a_model_without_adapters_is_its_own_weights(model: Any) -> None:
    assert not has_adapters(model)
    assert all(torch.equal(tensor, dict(model.named_parameters())[name]) for name, tensor in merged(model))


def test_saved_models_are_plain_and_saved_adapters_are_peft_s(model: Any, adapted: Any, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    save_model(adapted, build_tokenizer(["[bet]"], 300), tmp_path / "model")
    save_adapter(adapted, tmp_path / "adapter")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    assert type(plain) is type(model)
    assert torch.allclose(logits(plain), logits(adapted), atol=1e-5)
    found = PeftModel.from_pretrained(copy.deepcopy(model), str(tmp_path / "adapter")).eval()
    assert torch.equal(logits(found), logits(adapted))
    assert has_adapters(adapted)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": -1}, r"model\.lora\.rank is 0 or more, alpha 1 or more: got -1 and 32"),
        ({"alpha": 0}, "got 0 and 0"),
        ({"targets": " ,"}, "targets is all-linear or names of layers"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoraSettings(**settings)


def test_names_that_no_layer_has_are_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="nothing_proj"):
        add_adapters(model, LoraSettings(rank=2, targets="nothing_proj"), seed=0)


def test_a_missing_package_is_named(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(ValueError, match=r"needs peft: pip install 'turnwise\[lora\]'"):
        add_adapters(model, LoraSettings(rank=2), seed=0)
