"""The objective on distributions that a reader can check: what pulls, what is cut off, and what never counts."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, tensor

from turnwise.algorithms.aggregate import AGGREGATIONS
from turnwise.algorithms.batch import Batch, blocks, pack, take_rows
from turnwise.algorithms.objective import masked_mean, policy_objective, whole_batch
from turnwise.algorithms.policy import Scores, score
from turnwise.algorithms.recipes import Magnet, Objective
from turnwise.kernels.logprobs import scores_of_logits
from turnwise.records import Episode

Spoken = Callable[..., Episode]
UNIFORM = Magnet(weight=1.0, final_weight=1.0, reference="uniform")


def scores_of(logits: Tensor, batch: Batch, reference: Tensor | None = None) -> Scores:
    """Scores from [M, V] logits, as the policy's forward pass would give them."""
    tokens = batch.ids[batch.token_row, batch.token_position]
    found = scores_of_logits(logits, tokens, entropy=True, reference=reference)
    return Scores(*found, vocabulary=logits.shape[-1])


def loss_of(
    logits: Tensor,
    batch: Batch,
    *,
    old: Tensor | None = None,
    reference: Tensor | None = None,
    objective: Objective | None = None,
    magnet: Magnet | None = None,
    weight: float = 0.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The objective with `old` (default: the scores themselves, so ratio 1) in the denominator.

    reference: [M, V] nats.
    """
    magnet = magnet or Magnet()
    exact = magnet.estimator == "exact"
    scores = scores_of(logits, batch, reference if exact else None)
    tokens = batch.ids[batch.token_row, batch.token_position]
    return policy_objective(
        scores,
        None if reference is None or exact else reference.gather(1, tokens[:, None])[:, 0],
        batch,
        scores.logprobs.detach()[batch.token_index] if old is None else old,
        objective=objective or Objective(),
        magnet=magnet,
        magnet_weight=weight,
        whole=whole_batch(batch),
    )


def gradient(logits: Tensor, batch: Batch, **options: Any) -> Tensor:
    """d loss / d logits, [M, V]."""
    leaf = logits.clone().requires_grad_()
    loss_of(leaf, batch, **options)[0].backward()
    assert leaf.grad is not None
    return leaf.grad


@pytest.fixture(scope="module")
def batch(spoken: Spoken) -> Batch:
    """Tokens 1, 0 and 2 out of a vocabulary of three, in samples of two and one: advantages 1, 1 and -2."""
    found = pack([spoken(("a", (2,), (1, 0))), spoken(("a", (0,), (2,)))], [[1.0], [-2.0]], pad_id=0)
    assert found is not None
    assert found.advantages.tolist() == [[-2.0, 0.0], [1.0, 1.0]]  # the shorter row first: tokens 2 | 1, 0
    return found


LOGITS = tensor([[0.0, 1.0, -1.0], [0.5, 0.0, 0.0], [2.0, 0.0, 1.0]])


# --- the surrogate -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aggregation", "weights"),
    [
        ("token-mean", [1 / 3, 1 / 3, 1 / 3]),
        ("seq-mean-token-sum", [1 / 2, 1 / 2, 1 / 2]),
        ("seq-mean-token-mean", [1 / 2, 1 / 4, 1 / 4]),
        ("seq-mean-token-sum-norm", [1 / 2, 1 / 2, 1 / 2]),  # the width of the batch, 2
    ],
)
def test_at_ratio_one_the_gradient_is_the_plain_policy_gradient(
    aggregation: str, weights: list[float], batch: Batch
) -> None:
    """d/dz of -w A log p(token) is -w A (onehot - p)."""
    advantages, tokens = [-2.0, 1.0, 1.0], [2, 1, 0]
    onehot = torch.eye(3)[tokens]
    scale = tensor([-w * a for w, a in zip(weights, advantages, strict=True)])
    expected = scale[:, None] * (onehot - LOGITS.softmax(-1))
    found = gradient(LOGITS, batch, objective=Objective(aggregation=aggregation))
    assert torch.allclose(found, expected, atol=1e-6)
    loss, _ = loss_of(LOGITS, batch, objective=Objective(aggregation=aggregation))
    assert float(loss) == pytest.approx(float(scale.sum()), abs=1e-6)  # the ratio is 1: the loss is -sum w A


def old_for(batch: Batch, ratios: list[float]) -> Tensor:
    """Denominators that give the M tokens these ratios."""
    logprobs = scores_of(LOGITS, batch).logprobs
    return (logprobs - tensor(ratios).log())[batch.token_index]


def test_a_ratio_beyond_the_clip_has_no_gradient(batch: Batch) -> None:
    """A = -2 at ratio 0.5, A = 1 at ratio 1.5: both went far enough. A = 1 at ratio 0.5 has to come back."""
    found = gradient(LOGITS, batch, old=old_for(batch, [0.5, 1.5, 0.5]))
    assert found[:2].tolist() == [[0.0] * 3, [0.0] * 3]
    expected = -0.5 / 3 * (torch.eye(3)[0] - LOGITS[2].softmax(-1))
    assert torch.allclose(found[2], expected, atol=1e-6)
    loss, metrics = loss_of(LOGITS, batch, old=old_for(batch, [0.5, 1.5, 0.5]))
    assert float(loss) == pytest.approx((2 * 0.8 - 1.2 - 0.5) / 3, abs=1e-6)
    assert float(metrics["clip_fraction"]) == pytest.approx(2 / 3, abs=1e-6)


def test_the_clips_are_set_apart(batch: Batch) -> None:
    objective = Objective(guard_settings={"low": 0.1, "high": 0.4})
    loss, _ = loss_of(LOGITS, batch, old=old_for(batch, [0.5, 1.5, 1.3]), objective=objective)
    assert float(loss) == pytest.approx((2 * 0.9 - 1.4 - 1.3) / 3, abs=1e-6)


def test_the_dual_clip_caps_what_a_bad_token_costs(batch: Batch) -> None:
    """A = -2 at ratio 5 costs 10 without, 2 * 3 with it, and has no gradient then."""
    old = old_for(batch, [5.0, 1.0, 1.0])
    free, _ = loss_of(LOGITS, batch, old=old)
    capped, _ = loss_of(LOGITS, batch, old=old, objective=Objective(guard_settings={"dual": 3.0}))
    assert float(free) == pytest.approx((10 - 2) / 3, abs=1e-5)
    assert float(capped) == pytest.approx((6 - 2) / 3, abs=1e-5)
    found = gradient(LOGITS, batch, old=old, objective=Objective(guard_settings={"dual": 3.0}))
    assert found[0].tolist() == [0.0] * 3
    assert found[1].abs().sum() > 0


# --- pulls ---------------------------------------------------------------------------------------------------------

AT_THE_START = Magnet(weight=1.0, final_weight=1.0, reference="initial")


def test_at_its_reference_nothing_pulls(batch: Batch) -> None:
    reference = torch.log_softmax(LOGITS, dim=-1)
    plain = gradient(LOGITS, batch)
    pulled = gradient(LOGITS, batch, reference=reference, magnet=AT_THE_START, weight=3.0)
    assert torch.allclose(plain, pulled, atol=1e-6)
    _, metrics = loss_of(LOGITS, batch, reference=reference, magnet=AT_THE_START, weight=3.0)
    assert float(metrics["magnet_kl"]) == pytest.approx(0.0, abs=1e-6)


def test_away_from_its_reference_the_pull_is_the_kl_by_hand(batch: Batch) -> None:
    """KL((1/2, 1/4, 1/4) || uniform) = log 3 - 3/2 log 2, at one of three tokens; a step goes towards the reference."""
    quiet = dataclasses.replace(batch, advantages=torch.zeros_like(batch.advantages))
    logits = torch.zeros(3, 3)
    logits[1] = tensor([0.5, 0.25, 0.25]).log()
    reference = torch.full((3, 3), -math.log(3))
    options: dict[str, Any] = {"reference": reference, "magnet": AT_THE_START, "weight": 2.0}
    loss, metrics = loss_of(logits, quiet, **options)
    kl = math.log(3) - 1.5 * math.log(2)
    assert float(loss) == pytest.approx(2.0 * kl / 3, abs=1e-6)
    assert float(metrics["magnet_kl"]) == pytest.approx(kl / 3, abs=1e-6)
    step = gradient(logits, quiet, **options)
    assert step[1, 0] > 0 > step[1, 1]  # descent lowers the likely token and lifts the others
    assert step[[0, 2]].abs().max() < 1e-6
    assert float(loss_of(logits - step, quiet, **options)[0]) < float(loss)


@given(st.lists(st.floats(-4, 4), min_size=9, max_size=9), st.floats(0.01, 2.0))
def test_a_uniform_reference_is_an_entropy_bonus(batch: Batch, numbers: list[float], weight: float) -> None:
    """KL(p || uniform) = log V - H(p): the same gradient, and a loss that is higher by the weight times log V."""
    logits = tensor(numbers).reshape(3, 3)
    bonus = Objective(entropy_weight=weight)
    assert torch.allclose(
        gradient(logits, batch, magnet=UNIFORM, weight=weight), gradient(logits, batch, objective=bonus), atol=1e-6
    )
    by_magnet, _ = loss_of(logits, batch, magnet=UNIFORM, weight=weight)
    by_bonus, _ = loss_of(logits, batch, objective=bonus)
    assert float(by_magnet - by_bonus) == pytest.approx(weight * math.log(3), abs=1e-5)


def test_a_pull_without_what_it_pulls_to_is_refused(batch: Batch) -> None:
    with pytest.raises(ValueError, match="a pull to the initial reference needs what it says of the tokens"):
        loss_of(LOGITS, batch, magnet=AT_THE_START, weight=1.0)


@pytest.mark.parametrize(
    ("estimator", "by_hand"),
    [("k1", lambda d: -d), ("k2", lambda d: d * d / 2), ("k3", lambda d: math.exp(d) - d - 1)],
)
def test_sampled_estimators_look_at_the_token_alone(
    estimator: str, by_hand: Callable[[float], float], batch: Batch
) -> None:
    reference = torch.log_softmax(LOGITS.flip(0), dim=-1)
    mine = torch.log_softmax(LOGITS, dim=-1)
    differences = [float(reference[row, token] - mine[row, token]) for row, token in enumerate([2, 1, 0])]
    _, metrics = loss_of(
        LOGITS, batch, reference=reference, magnet=Magnet(weight=1.0, final_weight=1.0, estimator=estimator), weight=1.0
    )
    assert float(metrics["magnet_kl"]) == pytest.approx(sum(map(by_hand, differences)) / 3, abs=1e-5)


def test_entropy_and_mismatch_by_hand(batch: Batch) -> None:
    """Uniform over three: log 3 nats. Ratio 2 at one of three tokens: k3 = 2 - 1 - log 2 there."""
    logits = torch.zeros(3, 3)
    old = tensor([-math.log(3) - math.log(2), -math.log(3), -math.log(3)])[batch.token_index]
    _, metrics = loss_of(logits, dataclasses.replace(batch, sampled_logprobs=old))
    assert float(metrics["entropy"]) == pytest.approx(math.log(3), abs=1e-6)
    assert float(metrics["mismatch_kl"]) == pytest.approx((1 - math.log(2)) / 3, abs=1e-6)


# --- parts, and what never counts ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide(spoken: Spoken) -> Batch:
    """Seven samples in six rows of 3 to 9 tokens; the numbers come from one fixed generator."""
    draw = torch.Generator().manual_seed(0)
    episodes, advantages = [], []
    for size in (1, 2, 3, 4, 5):
        prompt, first, bridge, second = (
            tuple(torch.randint(1, 24, (n,), generator=draw).tolist()) for n in (size, 2, 1, 1)
        )
        turns = (
            ("a", prompt, first, (-3.0,) * 2),
            ("a", prompt + first + bridge, second, (-3.0,)),
            ("b", (9, size), (3,), (-2.5,)),
        )
        episodes.append(spoken(*turns))
        values = torch.randn(2, generator=draw).tolist()
        advantages.append([values[0], values[1], None if size % 2 else -1.0])
    found = pack(episodes, advantages, pad_id=0)
    assert found is not None and len(found.sample_row) == 7
    return found


def model_gradients(
    model: Any, parts: list[Batch], whole: Batch, objective: Objective, magnet: Magnet
) -> tuple[Any, ...]:
    """(gradients of all weights, loss, metrics) of the parts' losses added up."""
    model.zero_grad()
    total: dict[str, float] = {}
    loss_sum = 0.0
    for part in parts:
        loss, metrics = policy_objective(
            score(model, part, temperature=1.0, entropy=True),
            None,
            part,
            part.sampled_logprobs,
            objective=objective,
            magnet=magnet,
            magnet_weight=0.5,
            whole=whole_batch(whole),
        )
        loss.backward()
        loss_sum += float(loss.detach())
        for name, value in metrics.items():
            total[name] = total.get(name, 0.0) + float(value)
    return torch.cat([p.grad.flatten() for p in model.parameters()]), loss_sum, total


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_parts_add_up_to_the_whole(aggregation: str, wide: Batch, new_model: Callable[..., Any]) -> None:
    model = new_model()
    objective = Objective(aggregation=aggregation, entropy_weight=0.1)
    magnet = UNIFORM
    whole, loss, metrics = model_gradients(model, [wide], wide, objective, magnet)
    for limit in (1, 12, 20):
        parts = [take_rows(wide, first, last) for first, last in blocks(wide, limit)]
        assert len(parts) > 1
        cut, cut_loss, cut_metrics = model_gradients(model, parts, wide, objective, magnet)
        assert torch.allclose(cut, whole, atol=1e-6)
        assert cut_loss == pytest.approx(loss, abs=1e-6)
        assert cut_metrics == pytest.approx(metrics, abs=1e-5)


def test_the_gradient_is_that_of_a_loss_made_by_hand(
    wide: Batch, new_model: Callable[..., Any], forward: Callable[..., Tensor]
) -> None:
    """Each sample's row alone through the plain forward pass, the loss at its trained tokens alone."""
    model, twin = new_model(), new_model()
    objective = Objective(guard_settings={"low": 1.0, "high": 1e6})
    found, loss, _ = model_gradients(model, [wide], wide, objective, UNIFORM)
    total = torch.zeros(())
    count = int(wide.mask.sum())
    for sample, row in enumerate(wide.sample_row.tolist()):
        logprobs = forward(twin, wide.ids[row, : int(wide.lengths[row])].tolist())
        for index in range(int(wide.mask[sample].sum())):
            position = int(wide.token_position[wide.token_index[sample, index]])
            before = logprobs[position - 1]
            ratio = (before[wide.ids[row, position]] - wide.sampled_logprobs[sample, index]).exp()
            kl = (before.exp() * (before + math.log(24))).sum()
            total = total + (0.5 * kl - ratio * wide.advantages[sample, index]) / count
    total.backward()
    assert loss == pytest.approx(float(total.detach()), abs=1e-5)
    assert torch.allclose(found, torch.cat([p.grad.flatten() for p in twin.parameters()]), atol=1e-5)


@pytest.mark.parametrize("poison", [1e6, math.nan])
def test_what_is_not_trained_never_counts(poison: float, wide: Batch, new_model: Callable[..., Any]) -> None:
    """Poisoned advantages, log-probs indices outside the mask, and padding: the same gradient to the bit."""
    padding = torch.arange(wide.ids.shape[1]) >= wide.lengths[:, None]
    poisoned = dataclasses.replace(
        wide,
        ids=wide.ids.masked_fill(padding, 17),
        advantages=wide.advantages.masked_fill(~wide.mask, poison),
        sampled_logprobs=wide.sampled_logprobs.masked_fill(~wide.mask, poison),
        token_index=wide.token_index.masked_fill(~wide.mask, len(wide.token_row) - 1),
    )
    assert padding.any() and not wide.mask.all()
    model = new_model()
    objective = Objective(entropy_weight=0.1, guard_settings={"dual": 3.0})
    magnet = UNIFORM
    clean, loss, metrics = model_gradients(model, [wide], wide, objective, magnet)
    found, poisoned_loss, poisoned_metrics = model_gradients(model, [poisoned], wide, objective, magnet)
    assert torch.equal(found, clean)
    assert (poisoned_loss, poisoned_metrics) == (loss, metrics)


def test_only_the_places_before_trained_tokens_reach_the_head(wide: Batch, new_model: Callable[..., Any]) -> None:
    """The gradient at the body's output is 0 wherever the next token is an environment's, an opponent's or padding."""
    model, kept = new_model(), []
    hook = model.model.register_forward_hook(lambda module, args, out: kept.append(out.last_hidden_state))
    scores = score(model, wide, temperature=1.0, entropy=True)
    hook.remove()
    kept[0].retain_grad()
    loss, _ = policy_objective(
        scores,
        None,
        wide,
        wide.sampled_logprobs,
        objective=Objective(guard_settings={"low": 1.0, "high": 1e6}),
        magnet=UNIFORM,
        magnet_weight=1.0,
        whole=whole_batch(wide),
    )
    loss.backward()
    touched = {tuple(place) for place in kept[0].grad.abs().sum(-1).nonzero().tolist()}
    trained = zip(wide.token_row.tolist(), (wide.token_position - 1).tolist(), strict=True)
    assert touched == set(trained)


def test_masked_mean_by_hand() -> None:
    values, mask = tensor([[1.0, math.nan], [3.0, 8.0]]), tensor([[True, False], [True, True]])
    assert float(masked_mean(values, mask)) == 4.0
    assert float(masked_mean(values, torch.zeros_like(mask))) == 0.0


# --- settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"guard_settings": {"low": 1.5}}, "guard_settings: low is a finite number in"),
        ({"guard_settings": {"dual": 1.0}}, "guard_settings: dual is a finite number in"),
        ({"aggregation": "token-maen"}, "did you mean 'token-mean'"),
        ({"constant": 5.0}, "belong to .*seq-mean-token-sum-norm"),
        ({"aggregation": "seq-mean-token-sum-norm", "constant": 0.0}, "constant is a finite number in"),
        ({"entropy_weight": -0.1}, "entropy_weight is a finite number in"),
    ],
)
def test_impossible_objectives_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Objective(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": -1.0}, "weight and final_weight are at least 0"),
        ({"weight": 1.0, "weight_shape": "geometric"}, "neither starts from 0 nor reaches it"),
        ({"reference": "intial"}, "did you mean 'initial'"),
        ({"reference": "uniform", "estimator": "k3"}, "a uniform reference needs estimator exact"),
        ({"reference_decay": 1.5}, "reference_decay is a finite number in"),
    ],
)
def test_impossible_magnets_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Magnet(**settings)


def test_a_second_set_of_weights_is_kept_only_where_something_pulls_to_it() -> None:
    assert not Magnet().needs_model
    assert not UNIFORM.needs_model
    assert AT_THE_START.needs_model
    off = Magnet(weight=0.0, final_weight=1.0, weight_shape="geometric")
    assert not off.needs_model
    assert [off.weight_at(progress) for progress in (0.0, 0.5, 1.0)] == [0.0, 0.0, 0.0]
