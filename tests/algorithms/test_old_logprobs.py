"""The pass before an update: where it is left out, the update is what it would have been with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.compose import options
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.noise_settings import LayerNoiseSettings
from turnwise.algorithms.old_logprobs import needs_pass
from turnwise.algorithms.recipe_list import read_recipe
from turnwise.algorithms.recipes import Magnet, Objective, Optimisation
from turnwise.records import Episode

TRAINER = Optimisation(old_logprobs="trainer")


@pytest.fixture(scope="module")
def batch(spoken: Callable[..., Episode]) -> Batch:
    draw = torch.Generator().manual_seed(0)
    talks = [
        spoken(("a", (5, *torch.randint(1, 24, (size,), generator=draw).tolist()), (7 + size, 2)))
        for size in range(1, 6)
    ]
    found = pack(talks, [[1.0], [-1.0], [0.5], [-0.5], [2.0]], pad_id=0)
    assert found is not None
    return found


def new_learner(model: Any, objective: Objective, **settings: Any) -> Learner:
    noise = settings.pop("noise", None)
    magnet = Magnet(weight=0.3, final_weight=0.3)
    rates = {"learning_rate": 0.05, "final_learning_rate": 0.05, "old_logprobs": "trainer"}
    optimisation, clock = Optimisation(**(rates | settings)), ModelClock(torch.device("cpu"))
    return Learner(model, optimisation, objective, magnet, temperature=1.0, clock=clock, noise=noise)


def passes(learner: Learner) -> list[bool]:
    """Filled with whether each of the body's passes to come carries a gradient."""
    found: list[bool] = []
    learner.model.model.register_forward_hook(lambda module, args, out: found.append(torch.is_grad_enabled()))
    return found


@pytest.mark.parametrize("guard", ["clip", "sapo", "hapo"])
@pytest.mark.parametrize("ratio", ["token", "sequence"])
@pytest.mark.parametrize(("epochs", "tokens"), [(1, 16_384), (3, 16_384), (3, 12)])
def test_without_the_pass_the_update_is_the_same(
    epochs: int, tokens: int, ratio: str, guard: str, batch: Batch, new_model: Callable[..., Any]
) -> None:
    """Beside a learner that is told the log-probs of a pass of its own: metrics, gradients (by the steps) and all."""
    batch = replace(batch, entropies=batch.mask * 1.5)
    objective = Objective(ratio=ratio, guard=guard)
    learners = [new_learner(new_model(), objective, epochs=epochs, micro_batch_tokens=tokens) for _ in range(2)]
    without, beside = learners
    for _ in range(2):
        told = replace(batch, train_logprobs=beside._logprobs(batch)[batch.token_index])
        found, expected = without.update(batch, 0.0), beside.update(told, 0.0)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)
        for mine, theirs in zip(without.model.parameters(), beside.model.parameters(), strict=True):
            assert torch.equal(mine, theirs)
    assert epochs == 1 or found["clip_fraction"] > 0.0 or guard == "sapo"  # later epochs divide by the old ones


@pytest.mark.parametrize(
    ("objective", "settings", "expected"),
    [
        (Objective(), {}, [True] * 2),
        (Objective(), {"old_logprobs": "sampler"}, [True] * 2),
        (Objective(probability_mask=0.9), {}, [False] + [True] * 2),
        (Objective(corrections={"tis": {}}), {"old_logprobs": "sampler"}, [False] + [True] * 2),
        (Objective(), {"noise": LayerNoiseSettings()}, [False] + [True] * 2),
    ],
)
def test_passes_over_the_body(
    objective: Objective, settings: dict[str, Any], expected: list[bool], batch: Batch, new_model: Callable[..., Any]
) -> None:
    """Two epochs, and one before them where something asks for it. Whether a batch is finite takes no more."""
    learner = new_learner(new_model(), objective, epochs=2, **settings)
    seen = passes(learner)
    learner.update(batch, 0.0)
    assert seen == expected
    seen.clear()
    assert learner.is_finite(batch)
    assert seen == expected[:-1]


def test_a_model_in_training_mode_draws_numbers(batch: Batch, new_model: Callable[..., Any]) -> None:
    learner = new_learner(new_model().train(), Objective())
    seen = passes(learner)
    learner.update(batch, 0.0)
    assert seen == [False, True]


@pytest.mark.parametrize(
    ("optimisation", "objective", "drawn", "needed"),
    [
        (TRAINER, Objective(), False, False),
        (TRAINER, Objective(), True, True),
        (TRAINER, Objective(probability_mask=0.9), False, True),
        (TRAINER, Objective(corrections={"tis": {}}), False, True),
        (Optimisation(), Objective(), True, False),
        (Optimisation(), Objective(probability_mask=0.9), True, False),
        (Optimisation(), Objective(corrections={"tis": {}}), False, True),
    ],
)
def test_what_asks_for_a_pass(optimisation: Optimisation, objective: Objective, drawn: bool, needed: bool) -> None:
    assert needs_pass(optimisation, objective, drawn=drawn) is needed


def test_recipes_that_take_a_pass() -> None:
    """Those that compare the trainer's log-probs with the sampler's, or look at them to leave tokens out."""
    needing, spared = set(), set()
    for name in options("algorithm"):
        recipe = read_recipe(name, "").settings
        if needs_pass(recipe.optimisation, recipe.objective, drawn=recipe.noise is not None):
            needing.add(name)
        elif recipe.optimisation.old_logprobs == "trainer":
            spared.add(name)
    assert needing == {"icepop", "mis", "spo_chain", "tis", "trust_masks"}
    assert spared == {"optimal_token_baseline", "ppo", "tppo"}
