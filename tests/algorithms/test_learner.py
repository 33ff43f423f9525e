"""The learner: one update by hand, what follows the weights, and a state that goes on to the bit."""

import copy
import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.checks import NotFinite
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.policy import score
from turnwise.algorithms.recipes import Magnet, Objective, Optimisation
from turnwise.records import Episode

Learners = Callable[..., Learner]
MOVING = Magnet(weight=0.3, final_weight=0.3, reference="moving", reference_decay=0.75)


@pytest.fixture(scope="module")
def learner(new_model: Callable[..., Any]) -> Learners:
    """`learner(magnet=..., frozen=("embed",), **optimisation)`: a learner of a fresh model."""

    def build(*, magnet: Magnet | None = None, frozen: tuple[str, ...] = (), seed: int = 0, **settings: Any) -> Learner:
        model = new_model(seed)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not any(part in name for part in frozen))
        rates = {"learning_rate": 0.01, "final_learning_rate": 0.01, "old_logprobs": "trainer"}
        optimisation = Optimisation(**(rates | settings))
        clock = ModelClock(torch.device("cpu"))
        return Learner(model, optimisation, Objective(), magnet or Magnet(), temperature=1.0, clock=clock)

    return build


@pytest.fixture(scope="module")
def batches(spoken: Callable[..., Episode]) -> list[Batch]:
    """Three batches of five rows each."""
    draw = torch.Generator().manual_seed(0)
    found = []
    for _ in range(3):
        episodes = [
            spoken(("a", (5, *torch.randint(1, 24, (size,), generator=draw).tolist()), (7 + size, 2)))
            for size in range(1, 6)
        ]
        packed = pack(episodes, [[value] for value in torch.randn(5, generator=draw).tolist()], pad_id=0)
        assert packed is not None
        found.append(packed)
    return found


def weights(model: Any) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def equal(left: list[Tensor], right: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def close(left: list[Tensor], right: list[Tensor], atol: float = 1e-6) -> bool:
    return all(torch.allclose(a, b, atol=atol) for a, b in zip(left, right, strict=True))


# --- the update ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 3])
def test_an_update_is_adam_on_the_clipped_loss(
    epochs: int, learner: Learners, batches: list[Batch], forward: Callable[..., Tensor]
) -> None:
    """The same by hand: plain forward passes, the clip written out, torch's own AdamW, old log-probs from the start."""
    rates = {"learning_rate": 1e-3, "final_learning_rate": 1e-3, "weight_decay": 0.1}
    subject, batch = learner(epochs=epochs, max_grad_norm=0.5, **rates), batches[0]
    model = copy.deepcopy(subject.model)
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    old: Tensor | None = None
    norms = []
    for _ in range(epochs):
        terms, advantages = [], []
        for sample, row in enumerate(batch.sample_row.tolist()):
            length = int(batch.lengths[row])
            ids = batch.ids[row, :length]
            terms.append(forward(model, ids.tolist())[length - 3 : length - 1].gather(1, ids[-2:, None])[:, 0])
            advantages.append(batch.advantages[sample])
        new = torch.stack(terms)
        old = new.detach() if old is None else old
        ratio, advantage = (new - old).exp(), torch.stack(advantages)
        loss = torch.maximum(-advantage * ratio, -advantage * ratio.clamp(0.8, 1.2)).mean()
        adam.zero_grad()
        loss.backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)))
        adam.step()
    metrics = subject.update(batch, 0.0)
    assert min(norms) > 0.01  # no epoch was clipped to nothing
    assert close(weights(subject.model), weights(model), atol=2e-5)  # Adam blows the rounding of tiny gradients up
    assert metrics["grad_norm"] == pytest.approx(norms[0], rel=1e-4)
    assert metrics["grad_norm"] > 0.5  # what is reported is the length before the cut
    assert metrics["loss"] == pytest.approx(-float(batch.advantages.sum()) / 10, abs=1e-5)


def test_good_tokens_become_likelier_and_bad_ones_less_likely(learner: Learners, batches: list[Batch]) -> None:
    subject, batch = learner(learning_rate=1e-4), batches[0]
    before = score(subject.model, batch, temperature=1.0).logprobs.detach()[batch.token_index]
    subject.update(batch, 0.0)
    after = score(subject.model, batch, temperature=1.0).logprobs.detach()[batch.token_index]
    assert float(((after - before) * batch.advantages).sum()) > 0


def test_micro_batches_change_nothing(learner: Learners, batches: list[Batch]) -> None:
    """Weights to rounding: Adam divides by the gradient's own size, so compare after steps of one length."""
    whole, cut = learner(magnet=MOVING), learner(magnet=MOVING, micro_batch_tokens=8)
    for batch in batches:
        expected, found = whole.update(batch, 0.0), cut.update(batch, 0.0)
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-5)
    assert close(weights(whole.model), weights(cut.model), atol=1e-3)  # a tenth of one step


def test_the_sampler_or_the_trainer_is_the_denominator(learner: Learners, batches: list[Batch]) -> None:
    """The sampler claims log p = -1 everywhere, which is not so: many ratios are clipped."""
    trainer = learner().update(batches[0], 0.0)
    sampler = learner(old_logprobs="sampler").update(batches[0], 0.0)
    assert (trainer["clip_fraction"], sampler["clip_fraction"] > 0) == (0.0, True)
    for found in (trainer, sampler):  # how far the two are apart does not depend on who stands in the denominator
        assert found["mismatch_kl_p999"] > found["mismatch_kl"] > 0.1
    assert trainer["mismatch_kl"] == pytest.approx(sampler["mismatch_kl"], rel=1e-6)


def test_what_was_clipped_is_that_of_the_last_epoch(learner: Learners, batches: list[Batch]) -> None:
    rates = {"learning_rate": 0.05, "final_learning_rate": 0.05}
    once, often = (learner(epochs=epochs, **rates).update(batches[0], 0.0) for epochs in (1, 4))
    assert once["clip_fraction"] == 0.0 < often["clip_fraction"]
    assert once["loss"] == often["loss"]


def test_learning_rate_and_magnet_weight_are_those_of_the_schedule(learner: Learners, batches: list[Batch]) -> None:
    magnet = Magnet(weight=0.4, final_weight=0.1, weight_shape="geometric")
    subject = learner(magnet=magnet, learning_rate=0.02, final_learning_rate=0.0, warmup_steps=2)
    reported = [subject.update(batches[0], progress) for progress in (0.0, 0.5, 1.0)]
    assert [m["learning_rate"] for m in reported] == pytest.approx([0.01, 0.01, 0.0])
    assert [m["magnet_weight"] for m in reported] == pytest.approx([0.4, 0.2, 0.1])


def test_at_learning_rate_zero_nothing_moves(learner: Learners, batches: list[Batch]) -> None:
    subject = learner(final_learning_rate=0.0, weight_decay=0.5)
    before = weights(subject.model)
    subject.update(batches[0], 1.0)
    assert equal(weights(subject.model), before)


def test_time_in_the_model_is_counted(learner: Learners, batches: list[Batch]) -> None:
    subject = learner()
    subject.update(batches[0], 0.0)
    assert subject.clock.seconds > 0.0


# --- what follows the weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("decay", "shares"), [(0.9, (1 / 15, 4 / 15, 10 / 15)), (0.1, (0.01, 0.09, 0.9))])
def test_the_running_mean_by_hand(
    decay: float, shares: tuple[float, ...], learner: Learners, batches: list[Batch]
) -> None:
    """Its first updates count 1, 4, 10, ... until that would forget more slowly than the decay."""
    subject = learner(mean_decay=decay)
    assert subject.reported is subject.mean
    seen = []
    for batch in batches:
        subject.update(batch, 0.0)
        seen.append(weights(subject.model))
    expected = [sum(s * w for s, w in zip(shares, three, strict=True)) for three in zip(*seen, strict=True)]
    assert close(weights(subject.mean), expected)  # type: ignore[arg-type]
    assert not close(weights(subject.mean), seen[-1])


def test_a_moving_reference_follows_and_an_initial_one_stands(learner: Learners, batches: list[Batch]) -> None:
    moving, standing = learner(magnet=MOVING), learner(magnet=Magnet(weight=0.3, final_weight=0.3))
    start = weights(moving.model)
    expected = start
    for batch in batches:
        moving.update(batch, 0.0)
        standing.update(batch, 0.0)
        expected = [0.75 * r + 0.25 * w for r, w in zip(expected, weights(moving.model), strict=True)]
    assert close(weights(moving.reference), expected)
    assert equal(weights(standing.reference), start)
    assert not equal(weights(standing.model), start)


def test_without_mean_the_last_weights_are_reported(learner: Learners) -> None:
    subject = learner()
    assert subject.mean is None and subject.reference is None
    assert subject.reported is subject.model


@pytest.mark.parametrize("frozen", [("embed_tokens",), ("layers.0", "norm")])
def test_frozen_parameters_stay_and_the_others_are_followed_by_name(
    frozen: tuple[str, ...], learner: Learners, batches: list[Batch]
) -> None:
    """The mean and the reference pair what is trained with itself, not with whatever has its number."""
    subject = learner(magnet=MOVING, mean_decay=0.9, frozen=frozen)
    start = {name: p.detach().clone() for name, p in subject.model.named_parameters()}
    subject.update(batches[0], 0.0)
    mean, reference = (dict(m.named_parameters()) for m in (subject.mean, subject.reference))
    for name, p in subject.model.named_parameters():
        if p.requires_grad:
            assert not torch.equal(p, start[name])
        else:
            assert torch.equal(p, start[name])
        assert torch.equal(mean[name], p)  # after one update the mean is the weights
        assert torch.allclose(reference[name], 0.75 * start[name] + 0.25 * p.detach(), atol=1e-6)


# --- state ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [{}, {"magnet": MOVING, "mean_decay": 0.9}, {"frozen": ("embed_tokens",)}])
def test_a_loaded_learner_goes_on_to_the_bit(
    settings: dict[str, Any], learner: Learners, batches: list[Batch], tmp_path: Any
) -> None:
    whole, first, second = learner(**settings), learner(**settings), learner(**settings, seed=9)
    uninterrupted = [whole.update(batch, step / 3) for step, batch in enumerate(batches)]
    for step, batch in enumerate(batches[:2]):
        first.update(batch, step / 3)
    torch.save(first.state(), tmp_path / "state.pt")
    second.load(torch.load(tmp_path / "state.pt", weights_only=True))
    assert second.updates == 2
    assert second.update(batches[2], 2 / 3) == uninterrupted[2]
    assert equal(weights(second.model), weights(whole.model))
    for mine, theirs in ((second.mean, whole.mean), (second.reference, whole.reference)):
        assert (mine is None) == (theirs is None)
        assert mine is None or equal(weights(mine), weights(theirs))


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_touches_nothing(value: float, learner: Learners, batches: list[Batch]) -> None:
    """Nor does it leave a trace: the next good update is the one of a learner that never saw the bad one."""
    subject, spared = learner(magnet=MOVING, mean_decay=0.9), learner(magnet=MOVING, mean_decay=0.9)
    advantages = batches[0].advantages.clone()
    advantages[1, 0] = value
    before = weights(subject.model)
    with pytest.raises(NotFinite, match="at update 0; no step was made"):
        subject.update(dataclasses.replace(batches[0], advantages=advantages), 0.0)
    assert equal(weights(subject.model), before)
    assert subject.updates == 0
    subject.update(batches[1], 0.0)
    spared.update(batches[1], 0.0)
    assert equal(weights(subject.model), weights(spared.model))
    assert equal(weights(subject.mean), weights(spared.mean))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": -1e-3}, "learning_rate is a finite number in"),
        ({"learning_rate_hold": 1.0}, "learning_rate_hold lies in"),
        ({"mean_decay": 1.0}, "mean_decay is a finite number in"),
        ({"max_grad_norm": 0.0}, "max_grad_norm is a finite number in"),
        ({"epochs": 0}, "epochs is a finite number in"),
        ({"old_logprobs": "trainee"}, "old_logprobs is sampler or trainer: got 'trainee'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Optimisation(**settings)
