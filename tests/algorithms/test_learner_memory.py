"""What saves memory changes little or nothing else: checkpointed activations, 8-bit moments, adapters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.agents.lora import LoraSettings
from turnwise.algorithms.activations import keep_inputs_alone
from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.policy import score
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation
from turnwise.algorithms.sharding import decoder_layers
from turnwise.records import Episode

Learners = Callable[..., Learner]
PULL = Magnet(weight=0.3, final_weight=0.3)
RATES = {"learning_rate": 0.01, "final_learning_rate": 0.01, "old_logprobs": "trainer"}


@pytest.fixture(scope="module")
def learner(new_model: Callable[..., Any]) -> Learners:
    """`learner(lora=..., magnet=..., critic=..., **optimisation)`: a learner of a fresh model."""

    def build(
        *,
        lora: LoraSettings | None = None,
        magnet: Magnet | None = None,
        critic: Critic | None = None,
        seed: int = 0,
        **settings: Any,
    ) -> Learner:
        clock = ModelClock(torch.device("cpu"))
        rest: dict[str, Any] = {"temperature": 1.0, "clock": clock, "critic": critic, "lora": lora, "seed": seed}
        optimisation = Optimisation(**(RATES | settings))
        return Learner(new_model(), optimisation, Objective(), magnet or Magnet(), **rest)

    return build


@pytest.fixture(scope="module")
def batch(spoken: Callable[..., Episode]) -> Batch:
    draw = torch.Generator().manual_seed(0)
    episodes = [
        spoken(("a", (5, *torch.randint(1, 24, (size,), generator=draw).tolist()), (7 + size, 2)))
        for size in range(1, 6)
    ]
    found = pack(episodes, [[1.0], [-1.0], [0.5], [-0.5], [2.0]], pad_id=0)
    assert found is not None
    return found


def weights(model: Any) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def equal(left: list[Tensor], right: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


# --- activation checkpointing --------------------------------------------------------------------------------------


def test_checkpointed_activations_give_the_same_gradients_and_are_computed_twice(
    new_model: Callable[..., Any], batch: Batch
) -> None:
    plain, thrifty = new_model(), new_model()
    calls = []
    for layer in decoder_layers(thrifty):
        layer.mlp.register_forward_pre_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    keep_inputs_alone(decoder_layers(thrifty))
    for model in (plain, thrifty):
        score(model, batch, temperature=1.0).logprobs.sum().backward()
    assert len(calls) == 2 * len(decoder_layers(thrifty))
    for mine, theirs in zip(thrifty.parameters(), plain.parameters(), strict=True):
        assert mine.grad is not None and theirs.grad is not None
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-6)
    calls.clear()
    with torch.no_grad():
        score(thrifty, batch, temperature=1.0)
    assert calls == [False] * len(decoder_layers(thrifty))


def test_a_copy_of_a_checkpointed_model_computes_with_its_own_weights(
    new_model: Callable[..., Any], batch: Batch
) -> None:
    model = new_model()
    keep_inputs_alone(decoder_layers(model))
    other = copy.deepcopy(model)
    before = score(model, batch, temperature=1.0).logprobs.detach()
    with torch.no_grad():
        for parameter in model.model.layers.parameters():
            parameter.zero_()
    assert torch.equal(score(other, batch, temperature=1.0).logprobs, before)
    assert not torch.equal(score(model, batch, temperature=1.0).logprobs, before)


def test_updates_with_checkpointed_activations_are_the_same(learner: Learners, batch: Batch) -> None:
    settings: dict[str, Any] = {"magnet": PULL, "critic": None, "mean_decay": 0.9, "layout": "rows"}  # by its modules
    plain, thrifty = learner(**settings), learner(**settings, activation_checkpointing=True)
    for _ in range(3):
        assert thrifty.update(batch, 0.0) == pytest.approx(plain.update(batch, 0.0), abs=1e-6)
    for mine, theirs in zip(weights(thrifty.reported), weights(plain.reported), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


# --- 8-bit Adam ----------------------------------------------------------------------------------------------------


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """Torchao compiles its step, for half a minute. What it computes is the same without."""
    with torch.compiler.set_stance("force_eager"):
        yield


def moment_bytes(subject: Learner) -> int:
    """Of all moments but the steps' counters."""
    found = 0
    for state in subject.state()["optimiser"]["state"].values():
        for name in ("exp_avg", "exp_avg_sq"):
            tensor = state[name]
            parts = [tensor.codes, tensor.scale] if hasattr(tensor, "codes") else [tensor]
            found += sum(part.nbytes for part in parts)
    return found


@pytest.mark.usefixtures("uncompiled")
def test_eight_bit_adam_learns_with_a_third_of_the_moments(learner: Learners, batch: Batch, tmp_path: Path) -> None:
    """The small model's moments of 4,096 entries or more are stored in a byte each, and one scale for 256."""
    plain, subject = learner(), learner(optimiser="adamw8bit")

    def gain(which: Learner) -> float:
        before = score(which.model, batch, temperature=1.0).logprobs.detach()
        for _ in range(10):
            which.update(batch, 0.5)
        after = score(which.model, batch, temperature=1.0).logprobs.detach()
        return float(((after - before)[batch.token_index] * batch.advantages).sum())

    assert gain(subject) == pytest.approx(gain(plain), rel=0.2)
    small = sum(p.numel() for p in subject.model.parameters() if p.numel() < 4096)
    large = sum(p.numel() for p in subject.model.parameters()) - small
    assert moment_bytes(plain) == 8 * (small + large)
    assert moment_bytes(subject) == 8 * small + 2 * (large + 4 * large // 256)
    torch.save(subject.state(), tmp_path / "state.pt")
    again = learner(optimiser="adamw8bit", seed=3)
    again.load(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again.update(batch, 1.0) == subject.update(batch, 1.0)
    assert equal(weights(again.model), weights(subject.model))


def test_a_missing_package_of_eight_bit_adam_is_named(learner: Learners, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torchao.optim", None)
    with pytest.raises(ValueError, match=r"adamw8bit needs torchao: pip install 'turnwise\[adam8bit\]'"):
        learner(optimiser="adamw8bit")


def test_an_unknown_optimiser_is_refused() -> None:
    with pytest.raises(ValueError, match="optimiser is one of adamw, adamw8bit: got 'lion'"):
        Optimisation(optimiser="lion")


# --- adapters ------------------------------------------------------------------------------------------------------


def test_adapters_learn_beside_frozen_weights(learner: Learners, batch: Batch, new_model: Callable[..., Any]) -> None:
    subject = learner(lora=LoraSettings(rank=4), magnet=PULL, mean_decay=0.9)
    before = score(subject.model, batch, temperature=1.0).logprobs.detach()[batch.token_index]
    assert subject.update(batch, 0.0)["magnet_kl"] == 0.0  # the reference is the model without what adapters say
    assert subject.update(batch, 0.0)["magnet_kl"] > 0.0
    after = score(subject.model, batch, temperature=1.0).logprobs.detach()[batch.token_index]
    assert float(((after - before) * batch.advantages).sum()) > 0.01
    start = dict(new_model().named_parameters())
    for which in (subject.model, subject.reference, subject.mean):
        kept = {n.replace(".base_layer", ""): p for n, p in which.named_parameters() if ".lora_" not in n}
        assert all(torch.equal(kept[name], start[name]) for name in start)
    base = subject.model.model.layers[0].self_attn.q_proj.base_layer.weight
    assert base is subject.reference.model.layers[0].self_attn.q_proj.base_layer.weight  # kept once
    assert len(subject.state()["optimiser"]["state"]) == 2 * 2 * 7  # moments of A and B alone


def test_the_engine_s_weights_are_merged(learner: Learners, batch: Batch, new_model: Callable[..., Any]) -> None:
    subject = learner(lora=LoraSettings(rank=4))
    subject.update(batch, 0.0)
    plain = new_model()
    plain.load_state_dict(dict(subject.weights()), strict=False)
    expected = score(subject.model, batch, temperature=1.0).logprobs
    assert torch.allclose(score(plain, batch, temperature=1.0).logprobs, expected, atol=1e-5)
    assert not torch.allclose(score(new_model(), batch, temperature=1.0).logprobs, expected, atol=1e-2)


def test_a_learner_of_adapters_goes_on_to_the_bit(learner: Learners, batch: Batch, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"lora": LoraSettings(rank=4), "magnet": PULL, "mean_decay": 0.9}
    whole, first, second = learner(**settings), learner(**settings), learner(**settings, seed=9)
    expected = [whole.update(batch, step / 3) for step in range(3)]
    assert [first.update(batch, step / 3) for step in range(2)] == expected[:2]
    torch.save(first.state(), tmp_path / "state.pt")
    second.load(torch.load(tmp_path / "state.pt", weights_only=True))
    assert second.update(batch, 2 / 3) == expected[2]
    assert equal(weights(second.model), weights(whole.model))
    assert equal(weights(second.mean), weights(whole.mean))


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_a_critic_of_its_own_body_is_no_adapter(kind: str, learner: Learners, batch: Batch) -> None:
    targets = batch.advantages.clone()
    valued = batch.__class__(**{n: getattr(batch, n) for n in batch.__slots__} | {"targets": targets})
    subject = learner(lora=LoraSettings(rank=4), critic=Critic(kind=kind, learning_rate=0.01, clip=None))
    assert subject.critic is not None
    losses = [subject.update(valued, 0.0)["value_loss"] for _ in range(5)]
    assert losses[-1] < losses[0]
    assert not any(".lora_" in name for name, _ in subject.critic.named_parameters())
