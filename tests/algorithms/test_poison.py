"""Poison: what stands on tokens that the policy did not sample, or that are left out, reaches no loss and no gradient.

A tiny model and a whole step: episodes, credit, packing, scores, ratio, guard, corrections, pulls and critic.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.batch import PER_TOKEN, Batch, pack
from turnwise.algorithms.corrections import CORRECTIONS
from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.guards import GUARDS
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.objective import policy_objective, whole_batch
from turnwise.algorithms.policy import Scores, score
from turnwise.algorithms.ratios import RATIOS
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation
from turnwise.kernels.logprobs import scores_of_logits
from turnwise.records import Episode, Turn

VOCABULARY = 24
PULLED = Magnet(weight=0.3, final_weight=0.3, reference="initial", estimator="k3")
CORRECTED: list[dict[str, Any]] = [
    {},
    {"tis": {}, "opsm": {}},
    {"mis": {}, "icepop": {}, "veto": {}},
    {"sequence_mis": {"cap": 9.0}, "trm": {"delta": 9.0}, "seq_mean_k3": {"delta": 9.0}},
    {"sequence_tis": {}, "geometric": {"low": 0.1, "high": 9.0}},
]
"""Corrections of the objectives that are tried, loose enough to leave something."""


class Said(NamedTuple):
    """A turn of a conversation in a few words."""

    seat: str
    before: tuple[int, ...]
    """What the seat read since its last turn, beside what the other said."""
    completion: tuple[int, ...]


# In the first, third and fourth the prompts grow; in the second each starts anew. `b` is an opponent.
TALKS: dict[str, list[Said]] = {
    "grown": [Said("a", (3, 4, 5), (6, 7)), Said("b", (8,), (9, 10, 11)), Said("a", (12,), (13,))],
    "anew": [Said("a", (14, 15), (16, 17, 18)), Said("b", (19,), (20,)), Said("a", (21, 22), (23, 3))],
    "long": [Said("a", (4, 6), (8,)), Said("b", (5,), (7,)), Said("a", (9, 9), (10, 2, 11)), Said("a", (12,), (13, 2))],
    "short": [Said("a", (22,), (5,))],
    "cut": [Said("a", (20, 4), (9, 3, 7)), Said("b", (1,), (2,))],
}


def episodes(poison: float | None) -> list[Episode]:
    """The talks; on all that the opponent said, and what is known of it, stands the poison."""
    return [episode_of(name, said, poison) for name, said in TALKS.items()]


def episode_of(name: str, said: list[Said], poison: float | None) -> Episode:
    heard: dict[str, tuple[int, ...]] = {"a": (), "b": ()}
    turns = []
    for place, (seat, before, completion) in enumerate(said):
        prompt = (() if name == "anew" else heard[seat]) + before
        heard = {who: prompt + completion if who == seat else ids + completion for who, ids in heard.items()}
        turns.append(turn_of(seat, prompt, completion, place, poison if seat == "b" else None))
    return Episode(
        id=name,
        env_id="Game",
        seats={"a": "policy", "b": "random"},
        turns=tuple(turns),
        returns={"a": sum(turn.reward for turn in turns if turn.seat == "a"), "b": 0.0},
        group="g",
        status="truncated" if name == "cut" else "ok",
        end_values={"a": 0.5, "b": 0.25 if poison is None else poison},
    )


def turn_of(seat: str, prompt: tuple[int, ...], said: tuple[int, ...], place: int, poison: float | None) -> Turn:
    def column(start: float, step: float) -> tuple[float, ...]:
        return tuple(start + step * ((place + token) % 3) if poison is None else poison for token in range(len(said)))

    return Turn(
        seat=seat,
        observation=(),
        text="",
        reward=1.0 if (place + len(said)) % 2 else -0.5,
        prompt_ids=prompt,
        completion_ids=said,
        logprobs=column(-2.5, 0.5) if poison is None else (-math.inf,) * len(said),
        train_logprobs=column(-2.25, 0.25),
        token_entropy=column(0.5, 0.75),
        token_values=column(-0.5, 0.5),
        squared_probs=column(0.25, 0.125),
        value=0.25 if poison is None else poison,
    )


def packed(poison: float | None = None, **chosen: Any) -> Batch:
    """The batch of the talks with GAE's advantages and targets."""
    games = episodes(poison)
    result = CREDITS["gae"].function(games, {}, CREDITS["gae"].settings(**({"per": "token"} | chosen)), "policy")
    batch = pack(games, result.advantages, pad_id=0, targets=result.targets)
    assert batch is not None
    return batch


@pytest.fixture(scope="module")
def batch(new_model: Callable[..., Any]) -> Batch:
    """The talks with log-probs near those of the model, so that no ratio is out of reach."""
    found = packed()
    with torch.no_grad():
        own = score(new_model(), found, temperature=1.0).logprobs[found.token_index]
    noise = torch.Generator().manual_seed(0)
    trainer, sampler = (own + 0.2 * torch.randn(own.shape, generator=noise) for _ in range(2))
    return replace(
        found,
        train_logprobs=trainer.masked_fill(~found.mask, 0.0),
        sampled_logprobs=sampler.masked_fill(~found.mask, 0.0),
    )


def spoilt(batch: Batch, poison: float) -> Batch:
    """The poison on all that is outside the mask, other ids behind the rows' ends, other indices outside the mask."""
    columns = {name: getattr(batch, name).masked_fill(~batch.mask, poison) for name in PER_TOKEN}
    padding = torch.arange(batch.ids.shape[1]) >= batch.lengths[:, None]
    index = batch.token_index.masked_fill(~batch.mask, len(batch.token_row) - 1)
    return replace(batch, ids=batch.ids.masked_fill(padding, 17), token_index=index, **columns)


def thinned(batch: Batch) -> Batch:
    """The batch without every third of its trained tokens, and without one sample altogether."""
    places = torch.arange(batch.mask.numel()).reshape(batch.mask.shape)
    left_out = (places % 3 == 1) | (batch.sample_row == 1)[:, None]
    return replace(batch, mask=batch.mask & ~left_out)


@pytest.fixture(scope="module")
def learner(new_model: Callable[..., Any]) -> Callable[..., Learner]:
    """`learner(objective, critic="own")`: a learner of the fixture's model, its reference another one."""

    def build(objective: Objective, magnet: Magnet = PULLED, critic: str = "shared", **settings: Any) -> Learner:
        found = Learner(
            new_model(),
            Optimisation(old_logprobs="trainer", **settings),
            objective,
            magnet,
            temperature=1.0,
            clock=ModelClock(torch.device("cpu")),
            critic=Critic(kind=critic),
        )
        if found.reference is not None:
            found.reference.load_state_dict(new_model(1).state_dict())
        if found.critic is not None:
            torch.nn.init.normal_(found.critic.head.weight, generator=torch.Generator().manual_seed(2))
        return found

    return build


class Outcome(NamedTuple):
    """What one pass leaves behind."""

    loss: float
    metrics: dict[str, float]
    gradient: Tensor
    """Of all weights, critic and all."""
    touched: set[tuple[int, int]]
    """(row, position) at which the body's output has a gradient."""


def outcome(learner: Learner, batch: Batch) -> Outcome:
    kept: list[Tensor] = []

    def keep(module: Any, args: Any, out: Any) -> None:
        out.last_hidden_state.retain_grad()
        kept.append(out.last_hidden_state)

    parameters = [p for part in (learner.model, learner.critic) if part is not None for p in part.parameters()]
    for parameter in parameters:
        parameter.grad = None
    hook = learner.model.model.register_forward_hook(keep)
    loss, metrics = learner.loss(batch, whole_batch(batch), learner.magnet.weight)
    hook.remove()
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    places = kept[0].grad.abs().sum(-1).nonzero().tolist()
    figures = {name: float(value) for name, value in metrics.items()}
    return Outcome(float(loss.detach()), figures, gradient, {tuple(place) for place in places})


def before_sampled(batch: Batch) -> set[tuple[int, int]]:
    """(row, position) in front of every token of the mask."""
    index = batch.token_index[batch.mask]
    return set(zip(batch.token_row[index].tolist(), (batch.token_position[index] - 1).tolist(), strict=True))


def sampled_by_hand(batch: Batch) -> set[tuple[int, int]]:
    """The same, read off the talks: where a row begins like a learner's prompt and completion."""
    found = set()
    rows = [tuple(ids[:length].tolist()) for ids, length in zip(batch.ids, batch.lengths, strict=True)]
    for turn in (turn for game in episodes(None) for turn in game.turns if turn.seat == "a"):
        start, whole = len(turn.prompt_ids), turn.prompt_ids + turn.completion_ids
        for number, row in enumerate(rows):
            if row[: len(whole)] == whole:
                found |= {(number, start + index - 1) for index in range(len(turn.completion_ids))}
    return found


# --- the whole step ------------------------------------------------------------------------------------------------


def test_the_opponents_poison_is_gone_once_the_batch_is_packed() -> None:
    for chosen in ({}, {"per": "turn"}):
        clean, spoiled = packed(None, **chosen), packed(math.nan, **chosen)
        for field in fields(Batch):
            if field.name == "tree":
                continue
            mine, theirs = getattr(clean, field.name), getattr(spoiled, field.name)
            assert torch.equal(torch.nan_to_num(mine, 7.0), torch.nan_to_num(theirs, 7.0)), field.name
        assert all(getattr(spoiled, name)[spoiled.mask].isfinite().all() for name in PER_TOKEN if name != "targets")


def test_the_corrections_that_are_tried_are_all_there_are() -> None:
    assert {name for chosen in CORRECTED for name in chosen} == set(CORRECTIONS)


@pytest.mark.parametrize("ratio", sorted(RATIOS))
@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_poison_outside_the_mask_changes_nothing(guard: str, ratio: str, batch: Batch, learner: Any) -> None:
    subject = learner(Objective())
    for number, corrections in enumerate(CORRECTED):
        kept = thinned(batch) if number % 2 else batch
        subject.objective = Objective(guard=guard, ratio=ratio, corrections=corrections, entropy_weight=0.1)
        clean, found = outcome(subject, kept), outcome(subject, spoilt(kept, math.nan))
        assert clean.gradient.isfinite().all() and clean.gradient.abs().max() > 0.0
        assert torch.equal(found.gradient, clean.gradient), corrections
        assert (found.loss, found.metrics) == (clean.loss, clean.metrics), corrections
        assert found.touched == before_sampled(kept), "the gradient is 0 in front of every other token"


def test_poison_beside_a_demonstration_changes_nothing(batch: Batch, learner: Any) -> None:
    shown = replace(batch, demonstrated=torch.arange(len(batch.mask)) % 2 == 0)
    subject = learner(Objective(sft_weight=0.5))
    clean, found = outcome(subject, shown), outcome(subject, spoilt(shown, math.nan))
    assert clean.metrics["sft_loss"] != 0.0 and clean.gradient.isfinite().all()
    assert torch.equal(found.gradient, clean.gradient)
    assert (found.loss, found.metrics) == (clean.loss, clean.metrics)
    assert found.touched == before_sampled(shown)


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("kind", ["shared", "own"])
@pytest.mark.parametrize("per", ["token", "turn"])
def test_a_critic_learns_nothing_from_poison(
    per: str, kind: str, clip: float | None, batch: Batch, learner: Any
) -> None:
    """Neither outside the mask nor, with targets per turn, at the tokens that nothing is asked of."""
    targets = packed(per=per).targets
    assert targets is not None
    kept = thinned(replace(batch, targets=targets))
    subject = learner(Objective(), Magnet(), critic=kind)
    subject.critic_settings = replace(subject.critic_settings, clip=clip)
    poison = spoilt(kept, math.nan)
    assert poison.values is not None
    poison = replace(poison, values=poison.values.masked_fill(targets.isnan(), math.nan))
    clean, found = outcome(subject, kept), outcome(subject, poison)
    assert clean.metrics["value_loss"] > 0.0 and clean.gradient.isfinite().all()
    assert subject.critic.head.weight.grad.abs().max() > 0.0
    assert torch.equal(found.gradient, clean.gradient)
    assert (found.loss, found.metrics) == (clean.loss, clean.metrics)


def test_an_update_makes_the_same_step(batch: Batch, learner: Any) -> None:
    """Two passes in several parts, tokens that are all but certain left out."""
    objective = Objective(guard="aepo", probability_mask=0.5, corrections={"tis": {}})
    after = []
    for given in (batch, spoilt(batch, math.nan)):
        subject = learner(objective, critic="own", epochs=2, micro_batch_tokens=20)
        assert len(subject.pieces(given)) > 1
        metrics = subject.update(given, 0.5)
        weights = [p.detach() for part in (subject.model, subject.critic) for p in part.parameters()]
        after.append((metrics, torch.cat([p.flatten() for p in weights])))
    (clean_metrics, clean), (metrics, found) = after
    assert metrics == clean_metrics
    assert torch.equal(found, clean)


# --- logits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guard", sorted(GUARDS))
def test_logits_in_front_of_what_others_said_have_no_gradient(guard: str, batch: Batch, new_model: Any) -> None:
    """Of the plain forward pass over whole rows; in front of every sampled token there is one."""
    logits = new_model()(input_ids=batch.ids).logits.detach().float().requires_grad_()
    tokens = batch.ids[batch.token_row, batch.token_position]
    loss, _ = policy_objective(
        Scores(*scores_of_logits(logits[batch.token_row, batch.token_position - 1], tokens, entropy=True)),
        None,
        batch,
        batch.sampled_logprobs,
        objective=Objective(guard=guard, entropy_weight=0.1),
        magnet=Magnet(),
        magnet_weight=0.0,
        whole=whole_batch(batch),
    )
    loss.backward()
    touched = {tuple(place) for place in logits.grad.abs().sum(-1).nonzero().tolist()}
    assert touched == sampled_by_hand(batch) == before_sampled(batch)


# --- causality -----------------------------------------------------------------------------------------------------


def each_place(batch: Batch) -> Iterator[tuple[int, int]]:
    """(row, position) of every token that is not padding."""
    return ((row, place) for row, length in enumerate(batch.lengths.tolist()) for place in range(length))


@torch.no_grad()
def test_a_log_prob_sees_what_stood_before_and_nothing_else(batch: Batch, new_model: Any) -> None:
    """Token by token, of the policy, the environment or the opponent: only what comes later in its row is moved."""
    model = new_model()
    plain = score(model, batch, temperature=1.0).logprobs
    sampled = sampled_by_hand(batch)
    for row, place in each_place(batch):
        ids = batch.ids.clone()
        ids[row, place] = (ids[row, place] + 5) % VOCABULARY
        moved = (score(model, replace(batch, ids=ids), temperature=1.0).logprobs - plain).abs()
        later = (batch.token_row == row) & (batch.token_position > place)
        itself = (batch.token_row == row) & (batch.token_position == place)
        assert bool(itself.any()) == ((row, place - 1) in sampled)
        assert (moved[later | itself] > 1e-5).all(), (row, place)
        assert (moved[~(later | itself)] < 1e-6).all(), (row, place)


@torch.no_grad()
def test_what_comes_after_a_token_never_counts(batch: Batch, new_model: Any) -> None:
    """All that follows replaced at once, padding included."""
    model = new_model()
    plain = score(model, batch, temperature=1.0).logprobs
    for start in range(1, batch.ids.shape[1]):
        ids = batch.ids.clone()
        ids[:, start:] = (ids[:, start:] + 7) % VOCABULARY
        found = score(model, replace(batch, ids=ids), temperature=1.0).logprobs
        early = batch.token_position < start
        assert torch.allclose(found[early], plain[early], atol=1e-6)
