"""The critic: its loss by hand, what it learns, and that it goes on to the bit."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.batch import Batch, pack
from turnwise.algorithms.critic import ValueNet, value_loss
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation
from turnwise.algorithms.samples import DEMONSTRATION
from turnwise.records import Episode

Spoken = Callable[..., Episode]


def batch_of(spoken: Spoken, targets: list[Any], values: tuple[float, ...] = (0.0, 0.0)) -> Batch:
    """Two turns of two tokens in one row."""
    episode = spoken(("a", (5, 6), (7, 2)), ("a", (5, 6, 7, 2, 9), (8, 2)))
    turns = tuple(replace(turn, token_values=values) for turn in episode.turns)
    found = pack([replace(episode, turns=turns)], [[0.0, 0.0]], pad_id=0, targets=[targets])
    assert found is not None
    return found


def test_one_target_of_a_turn_is_that_of_its_first_token(spoken: Spoken) -> None:
    batch = batch_of(spoken, [1.0, (2.0, 3.0)])
    assert batch.targets is not None
    assert batch.targets.isnan().tolist() == [[False, True, False, False]]
    assert batch.targets[~batch.targets.isnan()].tolist() == [1.0, 2.0, 3.0]
    late = batch_of(spoken, [None, 4.0])
    assert late.targets is not None and late.targets.isnan().tolist() == [[True, True, False, True]]


def test_targets_that_ask_nothing_leave_nothing_to_learn(spoken: Spoken) -> None:
    """As where windows cut every reply after its first token, or a step has demonstrations alone."""
    batch = batch_of(spoken, [None, None])
    assert batch.targets is not None and batch.targets.isnan().all()
    loss, _ = value_loss(torch.zeros(4, requires_grad=True), batch, clip=0.5, valued=0)
    assert float(loss) == 0.0


def test_demonstrations_need_no_values(spoken: Spoken) -> None:
    played = spoken(("a", (5, 6), (7, 2)))
    played = replace(played, turns=(replace(played.turns[0], token_values=(0.25, 0.5)),))
    shown = replace(spoken(("a", (5, 6), (8, 2))), metadata={DEMONSTRATION: True})
    batch = pack([played, shown], [[1.0], [1.0]], pad_id=0, targets=[[1.0], [None]])
    assert batch is not None and batch.values is not None
    assert batch.values.tolist() == [[0.25, 0.5], [0.0, 0.0]]
    unvalued = pack([replace(shown, metadata={}), played], [[1.0], [1.0]], pad_id=0)
    assert unvalued is not None and unvalued.values is None


def test_the_loss_by_hand(spoken: Spoken) -> None:
    """Half the squared error: (0 - 1)^2, (0 - 2)^2, (0 - 3)^2 over three targets; the token without one counts not."""
    batch = batch_of(spoken, [1.0, (2.0, 3.0)])
    predictions = torch.zeros(4, requires_grad=True)
    loss, _ = value_loss(predictions, batch, clip=None, valued=3)
    assert float(loss) == pytest.approx((1 + 4 + 9) / 2 / 3)
    loss.backward()
    assert predictions.grad is not None
    assert predictions.grad.tolist() == pytest.approx([-1 / 3, 0.0, -2 / 3, -1.0])


def test_a_step_beyond_the_clip_lowers_nothing(spoken: Spoken) -> None:
    """Old value 0, clip 0.5: at 0.8 towards 1 the clipped error (0.5 - 1)^2 is the larger one, without gradient."""
    batch = batch_of(spoken, [1.0, None])
    predictions = torch.tensor([0.8, 0.0, 0.0, 0.0], requires_grad=True)
    loss, _ = value_loss(predictions, batch, clip=0.5, valued=1)
    assert float(loss) == pytest.approx(0.125)
    loss.backward()
    assert predictions.grad is not None and predictions.grad.tolist() == [0.0] * 4


def test_what_is_missing_is_said(spoken: Spoken) -> None:
    batch = batch_of(spoken, [1.0, None])
    with pytest.raises(ValueError, match="gives no targets"):
        value_loss(torch.zeros(4), replace(batch, targets=None), clip=None, valued=1)
    with pytest.raises(ValueError, match=r"set critic\.clip=null"):
        value_loss(torch.zeros(4), replace(batch, values=None), clip=0.5, valued=1)


@pytest.mark.parametrize("own_body", [True, False])
def test_it_starts_at_zero_and_draws_no_random_numbers(own_body: bool, new_model: Callable[..., Any], spoken) -> None:
    state = torch.get_rng_state()
    net = ValueNet(new_model(), own_body=own_body)
    assert torch.equal(state, torch.get_rng_state())
    before, after = net.everywhere(new_model(), batch_of(spoken, [1.0, None]))
    assert before.tolist() == [0.0] * 4 and after.tolist() == [0.0]


def learner_of(new_model: Callable[..., Any], kind: str, **settings: Any) -> Learner:
    rates = {"learning_rate": 1e-9, "final_learning_rate": 1e-9}
    return Learner(
        new_model(),
        Optimisation(**rates),
        Objective(),
        Magnet(),
        temperature=1.0,
        clock=ModelClock(torch.device("cpu")),
        critic=Critic(kind=kind, clip=None, learning_rate=0.01, **settings),
    )


@pytest.mark.parametrize("kind", ["own", "shared"])
def test_it_learns_its_targets(kind: str, new_model: Callable[..., Any], spoken: Spoken) -> None:
    learner, batch = learner_of(new_model, kind), batch_of(spoken, [(1.0, -1.0), (0.5, 2.0)])
    losses = [learner.update(batch, 0.0)["value_loss"] for _ in range(200)]
    assert losses[-1] < 0.05 * losses[0]


def test_a_warm_up_moves_the_critic_alone(new_model: Callable[..., Any], spoken: Spoken) -> None:
    learner = learner_of(new_model, "own", warmup_steps=1)
    learner.optimisation = replace(learner.optimisation, learning_rate=0.01, final_learning_rate=0.01)
    batch = replace(batch_of(spoken, [1.0, 1.0]), advantages=torch.ones(1, 4))
    start = [p.detach().clone() for p in learner.model.parameters()]
    head = learner.critic.head.weight.detach().clone()
    learner.update(batch, 0.0)
    assert all(torch.equal(a, b) for a, b in zip(start, learner.model.parameters(), strict=True))
    assert not torch.equal(head, learner.critic.head.weight)
    learner.update(batch, 0.0)
    assert not all(torch.equal(a, b) for a, b in zip(start, learner.model.parameters(), strict=True))


def test_a_loaded_critic_goes_on_to_the_bit(new_model: Callable[..., Any], spoken: Spoken) -> None:
    batch = batch_of(spoken, [1.0, -1.0])
    first, second = learner_of(new_model, "own"), learner_of(new_model, "own")
    first.update(batch, 0.0)
    second.load(first.state())
    assert second.update(batch, 0.5) == first.update(batch, 0.5)
    assert math.isfinite(first.update(batch, 1.0)["value_loss"])
