"""Layerwise perturbation on the tiny model: inactive, reproducible, learnable."""

import math

import pytest
import torch
from torch import nn, tensor
from torch.utils.checkpoint import checkpoint

from turnwise.algorithms.noise import LayerNoise, LayerNoiseSettings, chosen_layers, perturbed, standard_normal

IDS = tensor([[3, 5, 7, 9], [2, 4, 6, 8]])


@pytest.fixture
def model(new_model):
    return new_model()


def noise_for(model, **settings) -> LayerNoise:
    return LayerNoise(model.model.layers, LayerNoiseSettings(**{"sigma": 0.1} | settings))


def logits(model) -> torch.Tensor:
    return model(input_ids=IDS, use_cache=False).logits


def test_perturbed_by_hand() -> None:
    assert perturbed(tensor([1.0, 2.0]), tensor(0.5).log(), tensor([2.0, -1.0])).tolist() == [2.0, 1.5]
    assert perturbed(torch.zeros(2, dtype=torch.bfloat16), tensor(0.0), torch.ones(2)).dtype == torch.bfloat16


def test_inactive_is_bit_for_bit_the_model(model) -> None:
    before = logits(model)
    noise = noise_for(model)
    assert logits(model).equal(before)
    with noise.active(seed=0):
        assert not logits(model).equal(before)
    assert logits(model).equal(before)
    with pytest.raises(RuntimeError, match="in the middle"), noise.active(seed=0):
        raise RuntimeError("in the middle")
    assert logits(model).equal(before)


def test_noise_follows_from_seed_and_part_alone(model) -> None:
    def drawn(seed: int, part: int) -> torch.Tensor:
        with noise.active(seed, part):
            torch.randn(3)  # the process-wide generator does not matter
            return logits(model)

    noise = noise_for(model)
    assert drawn(1, 2).equal(drawn(1, 2))
    assert not drawn(1, 2).equal(drawn(2, 2))
    assert not drawn(1, 2).equal(drawn(1, 3))
    like = torch.zeros(4000)
    z = standard_normal(like, 1, 2, 3)
    assert abs(float(z.mean())) < 0.1 and abs(float(z.std()) - 1.0) < 0.1
    assert not z.equal(standard_normal(like, 1, 3, 2))


def test_sigma_learns_and_so_does_the_model(model) -> None:
    noise = noise_for(model)
    with noise.active(seed=0):
        logits(model).log_softmax(-1)[..., 0].sum().backward()
    assert noise.log_sigma.grad.abs().min() > 0.0
    assert model.model.layers[0].self_attn.q_proj.weight.grad.abs().max() > 0.0


def test_gradient_of_sigma_is_the_slope_of_the_loss(model) -> None:
    """Finite differences of the same draw: the noise must not change with sigma."""
    model, noise = model.double(), noise_for(model)

    def loss() -> torch.Tensor:
        with noise.active(seed=3):
            return logits(model).square().mean()

    loss().backward()
    slope = float(noise.log_sigma.grad[0])
    values = []
    for step in (1e-3, -1e-3):
        with torch.no_grad():
            noise.log_sigma[0] += step
            values.append(float(loss()))
            noise.log_sigma[0] -= step
    assert (values[0] - values[1]) / 2e-3 == pytest.approx(slope, rel=1e-2)


def test_checkpoints_compute_with_the_same_noise() -> None:
    layers, passes = nn.ModuleList([nn.Linear(3, 3)]), []
    layers[0].register_forward_pre_hook(lambda *_: passes.append(1))
    noise = LayerNoise(layers, LayerNoiseSettings(sigma=0.5))
    hidden = torch.ones(2, 3, requires_grad=True)

    def gradient(call) -> list[float]:
        noise.zero_grad()
        with noise.active(seed=0):
            call(hidden).square().sum().backward()
        return noise.log_sigma.grad.tolist()

    plain = gradient(layers[0])
    assert gradient(lambda x: checkpoint(layers[0], x, use_reentrant=False)) == plain
    assert len(passes) == 3, "the backward pass computed the layer again"


@pytest.mark.parametrize(
    ("depth", "layers", "expected"),
    [
        (28, "all", range(28)),
        (28, "early", range(6)),
        (28, "middle", range(12, 18)),
        (28, "late", range(23, 28)),
        (2, "all", range(2)),
        (2, "early", range(1)),
        (2, "middle", range(1, 2)),
        (2, "late", range(1, 2)),
        (1, "middle", range(1)),
        (1, "late", range(1)),
    ],
)
def test_which_layers(depth, layers, expected) -> None:
    assert chosen_layers(depth, layers) == expected


def test_only_the_chosen_layers_are_touched(model) -> None:
    depth = len(model.model.layers)
    late = noise_for(model, layers="late")
    assert list(late.sigmas()) == list(chosen_layers(depth, "late"))
    seen = {}
    for index, layer in enumerate(model.model.layers):
        layer.register_forward_hook(lambda module, args, out, index=index: seen.setdefault(index, []).append(out))
    logits(model)
    with late.active(seed=0):
        logits(model)
    touched = {index for index, (first, second) in seen.items() if not first.equal(second)}
    assert touched == set(chosen_layers(depth, "late"))


def test_hidden_states_may_come_by_name() -> None:
    class Layer(nn.Module):
        def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
            return 2.0 * hidden_states

    layers = nn.ModuleList([Layer()])
    noise = LayerNoise(layers, LayerNoiseSettings(sigma=0.5))
    hidden = torch.ones(3)
    with noise.active(seed=1):
        by_name, by_place = layers[0](hidden_states=hidden), layers[0](hidden)
    assert by_name.equal(by_place)
    assert by_name.tolist() == pytest.approx((2.0 + standard_normal(hidden, 1, 0, 0)).tolist())


def test_state_and_optimiser(model) -> None:
    noise = noise_for(model, sigma=0.25, learning_rate=0.5)
    assert list(noise.state_dict()) == ["log_sigma"]
    group = noise.parameter_group()
    assert group["lr"] == 0.5 and group["weight_decay"] == 0.0
    optimiser = torch.optim.AdamW([{"params": list(model.parameters())}, group], lr=1e-3)
    with noise.active(seed=0):
        logits(model).square().mean().backward()
    optimiser.step()
    # Adam's first step is its rate: log sigma moves by 0.5.
    assert (noise.log_sigma - math.log(0.25)).abs().tolist() == pytest.approx([0.5] * len(noise.sigmas()), rel=1e-3)
    other = noise_for(model)
    other.load_state_dict(noise.state_dict())
    assert other.sigmas() == noise.sigmas()


def test_refusals() -> None:
    with pytest.raises(ValueError, match="needs a model with decoder layers"):
        LayerNoise(nn.ModuleList(), LayerNoiseSettings())
    with pytest.raises(ValueError, match="sigma is a finite number"):
        LayerNoiseSettings(sigma=0.0)
    with pytest.raises(ValueError, match="did you mean 'late'"):
        LayerNoiseSettings(layers="later")
