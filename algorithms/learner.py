"""The weights and all that moves with them: optimiser, running mean, reference, critic, noise, and the update."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.agents.lora import LoraSettings, add_adapters, has_adapters, merged
from turnwise.algorithms.activations import keep_inputs_alone
from turnwise.algorithms.ahead import ahead
from turnwise.algorithms.batch import Batch, to_device
from turnwise.algorithms.checks import NotFinite
from turnwise.algorithms.compiled import active_layers
from turnwise.algorithms.critic import ValueNet, value_loss
from turnwise.algorithms.followers import fill, frozen_copy, paired, pull, share_kept
from turnwise.algorithms.layouts import choose_layout
from turnwise.algorithms.noise import LayerNoise
from turnwise.algorithms.noise_settings import LayerNoiseSettings
from turnwise.algorithms.objective import (
    Whole,
    mismatch,
    mismatch_tail,
    policy_objective,
    whole_batch,
    worst_thousandth,
)
from turnwise.algorithms.old_logprobs import needs_pass
from turnwise.algorithms.optimiser import allocate, make_optimiser, set_rate
from turnwise.algorithms.pieces import in_order, ready_piece, share, slices
from turnwise.algorithms.policy import Scores, body_and_head, require_plain_head, score
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation
from turnwise.algorithms.sharding import (
    Found,
    Item,
    clip,
    decoder_layers,
    laid_out,
    local,
    spread,
    spreader,
    take_over,
    whole,
)
from turnwise.algorithms.shards import load_shards
from turnwise.algorithms.world import ALONE, World

HELD_BACK = ("clip_fraction", "correction_weight", "correction_masked")
"""Metrics of guard and corrections. In the first epoch new and old policy are one, and there is little to hold back."""


class Learner:
    """Updates one model. Its `state` is all that a resumed run needs.

    Alone in its process it trains the model that it was given. One rank of several, it trains a copy that is spread
    over all of them: every rank makes the same calls with the same batches, and computes a share of each.
    """

    def __init__(
        self,
        model: Any,
        optimisation: Optimisation,
        objective: Objective,
        magnet: Magnet,
        *,
        temperature: float,
        clock: ModelClock,
        critic: Critic | None = None,
        noise: LayerNoiseSettings | None = None,
        keep_reference: bool = False,
        lora: LoraSettings | None = None,
        seed: int = 0,
        world: World = ALONE,
    ) -> None:
        """`temperature`: the sampler's, so that the ratio compares like with like. `clock` counts time in the model.

        `keep_reference`: keep a reference policy, whole on each rank, even where the magnet pulls towards none.
        `seed`: of the adapters' first weights.
        """
        self.optimisation, self.objective, self.magnet = optimisation, objective, magnet
        self.temperature, self.clock, self.world = temperature, clock, world
        self.critic_settings = critic or Critic()
        self.updates, self.device = 0, model.device
        self.shares_model = world.size == 1 and not optimisation.offload
        """Whether the model it was given is the one it trains."""
        self.replica = model
        """The model it was given, whole on each rank: to sample from."""
        take_over(model, world)
        self.layout = choose_layout(model, optimisation.layout)
        self._ready = partial(ready_piece, layout=self.layout.name, device=self.device)
        self.model = model if self.shares_model else copy.deepcopy(model)
        require_plain_head(self.model)
        kind = self.critic_settings.kind
        self.critic = None if kind == "none" else ValueNet(self.model, own_body=kind == "own")
        if lora is not None and lora.rank:
            add_adapters(self.model, lora, seed)
        if optimisation.activation_checkpointing:
            for part in filter(None, (self.model, self.critic)):
                keep_inputs_alone(decoder_layers(part))
        self.noise = None if noise is None else LayerNoise(body_and_head(self.model)[0].layers, noise)
        self._active = active_layers(self.model, optimisation, self.noise, alone=self.shares_model)
        self._surround(keep_reference)
        self._gaps: list[Tensor] = []
        """Mismatch of this rank's tokens since the update began, in nats."""
        self._filled: int | None = None
        """The update whose weights the whole copy of the reported ones holds."""
        self._parameters: list[Tensor] = [p for p in self.model.parameters() if p.requires_grad]
        self._optimiser = self._make_optimiser()

    def _surround(self, keep_reference: bool) -> None:
        """Set reference and running mean beside the model, and spread over the ranks what is not used whole."""
        if self.noise is not None and not self.shares_model:
            raise ValueError(
                "layer noise (algorithm.noise, ALP) is trained in one process, in place: train without torchrun and "
                "with algorithm.optimisation.offload=false"
            )
        spread_out = _as_it_is if self.shares_model else spreader(self.world, self.device, self.optimisation.offload)
        reference = frozen_copy(self.model) if self.magnet.needs_model or keep_reference else None
        self.reference = reference if keep_reference else spread_out(reference)
        self.mean = frozen_copy(self.model) if self.optimisation.mean_decay else None
        self._reported = self.model if self.mean is None else self.mean
        if not self.shares_model:
            plain = self.mean is None and not has_adapters(self.model)
            self._reported = self.replica if plain else frozen_copy(self._reported)
        for module in (self.mean, self.critic, self.model):
            spread_out(module)
        self._behind = {copy: paired(copy, self.model) for copy in (self.mean, self.reference) if copy is not None}

    def _make_optimiser(self) -> torch.optim.Optimizer:
        """Over the policy's weights, and, at steps of their own, the critic's and the noise's."""
        groups: list[dict[str, Any]] = [{"params": self._parameters}]
        if self.critic is not None:
            groups.append({"params": list(self.critic.parameters()), "lr": self.critic_settings.learning_rate})
        if self.noise is not None:
            groups.append(self.noise.parameter_group())
        return make_optimiser(groups, self.optimisation)

    @property
    def reported(self) -> Any:
        """The weights that are evaluated and kept: the running mean where there is one, else the last.

        Where the weights are spread over ranks, it is a whole copy as of the last `fill_reported`.
        """
        return self._reported

    @torch.no_grad()
    def fill_reported(self) -> None:
        """Bring `reported` and `replica` up to date. All ranks call it alike."""
        if self.shares_model or self._filled == self.updates:
            return
        fill(self.replica, self.weights())
        if self._reported is not self.replica:
            source = self.model if self.mean is None else self.mean
            with self.world.waiting("the reported weights"):
                fill(self._reported, ((name, whole(parameter)) for name, parameter in source.named_parameters()))
        self._filled = self.updates

    @torch.no_grad()
    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Every weight of the policy under its Hugging Face name, whole, with adapters merged into what they stand by.

        All ranks go through it to its end.
        """
        with self.world.waiting("the weights for the engine"):
            yield from merged(self.model, whole)

    def alone(self) -> Learner:
        """The policy as this rank can judge with it while the others do something else: by `replica`."""
        if self.shares_model:
            return self
        apart = copy.copy(self)
        apart.model, apart.world, apart.critic, apart.reference = self.replica, ALONE, None, None
        return apart

    def update(self, batch: Batch, progress: float, begin: Callable[[], None] = lambda: None) -> dict[str, float]:
        """One update (all epochs) on a batch; returns the metrics of the first epoch, those in `HELD_BACK` of the last.

        begin: called right before the first change of a weight.
        Raises NotFinite instead of a step (in the first epoch: before the weights are touched).
        """
        batch = self._prepared(in_order(batch, self.layout.name))
        pieces, counts = share(self._slices(batch), self.world.rank, self.world.size), whole_batch(batch, self.device)
        weight = self.magnet.weight_at(progress)
        metrics: dict[str, float] = {}
        self._gaps = []
        rate = self.optimisation.learning_rate_at(progress, self.updates)
        for epoch in range(self.optimisation.epochs):
            with self.world.waiting(f"the gradients of update {self.updates}"):
                found, pieces = self._epoch(counts, pieces, weight, epoch)
            found = self.world.total(found, f"the loss of update {self.updates}")
            norm = self._step(rate, found["loss"], begin)
            if epoch == 0:
                metrics = found | {"grad_norm": norm, "mismatch_kl_p999": self._mismatch_tail()}
        metrics |= {name: found[name] for name in HELD_BACK if name in found}
        if self.objective.corrections:
            metrics |= mismatch_tail(batch)
        self._follow()
        self.updates += 1
        return metrics | {"learning_rate": rate, "magnet_weight": weight}

    def pieces(self, batch: Batch) -> list[Batch]:
        """The batch in parts of at most `micro_batch_tokens`, as many as keep all ranks busy, ready to compute with."""
        return list(map(self._ready, self._slices(batch)))

    def _slices(self, batch: Batch) -> list[Batch]:
        return slices(batch, self.optimisation.micro_batch_tokens, self.world.size, self.layout.name)

    def spread(self, items: Sequence[Item], compute: Callable[[Item], Found]) -> list[Found]:
        """`compute` of every item, in order, on all ranks, each of which does a share. The model's time is counted."""
        what = f"their share of {len(items)} forward passes before update {self.updates}"
        with self.clock.running(), self.world.waiting(what):
            return spread(items, compute, self.world, what)

    def _prepared(self, batch: Batch) -> Batch:
        """The batch with the trainer's log-probs where they are asked for, less the tokens that are left out."""
        drawn = self.noise is not None or self.model.training
        if batch.train_logprobs is None and needs_pass(self.optimisation, self.objective, drawn=drawn):
            batch = replace(batch, train_logprobs=self._logprobs(batch)[batch.token_index])
        if self.objective.probability_mask is None:
            return batch
        kept = (self._old_logprobs(batch).exp() <= self.objective.probability_mask) | batch.demonstrated[:, None]
        return replace(batch, mask=batch.mask & kept)

    def _with_old(self, piece: Batch, scores: Scores) -> Batch:
        """The part with the log-probs that later epochs divide by, where no pass before the first one found them."""
        if self.optimisation.old_logprobs == "sampler" or piece.train_logprobs is not None:
            return piece
        return replace(piece, train_logprobs=scores.logprobs.detach()[piece.token_index])

    def _old_logprobs(self, batch: Batch) -> Tensor:
        """[N, T] of the ratio's denominator."""
        if self.optimisation.old_logprobs == "sampler":
            return batch.sampled_logprobs
        assert batch.train_logprobs is not None  # `_prepared` or `_with_old` made them
        return batch.train_logprobs

    @torch.no_grad()
    def _logprobs(self, batch: Batch) -> Tensor:
        """[M] of the current weights, where the batch is."""
        compute = lambda piece: score(self.model, piece, temperature=self.temperature).logprobs  # noqa: E731
        return torch.cat(self.spread(self.pieces(batch), compute)).to(batch.ids.device)

    def _epoch(
        self, counts: Whole, pieces: Sequence[Batch], weight: float, epoch: int
    ) -> tuple[dict[str, float], list[Batch]]:
        """Gradients of the whole batch, part by part; its figures, and the parts with their old log-probs.

        Of several ranks, each adds its own pieces' share of the figures; the gradients meet in the backward pass.
        """
        totals, after = dict[str, float](), list[Batch]()
        coming = pieces if epoch else ahead(pieces, self._ready, beside=self.device.type != "cpu")
        for index, piece in enumerate(coming):
            reference = self._reference_logprobs(piece, weight)
            scores = self._scores(piece, weight, (self.updates * self.optimisation.epochs + epoch, index))
            after.append(self._with_old(piece, scores))
            loss, metrics = self._loss_of(scores, reference, after[-1], counts, weight)
            with self.clock.running():
                loss.backward()
            for name, value in (metrics | {"loss": loss.detach()}).items():
                totals[name] = totals.get(name, 0.0) + float(value)
        return totals, after

    def loss(self, piece: Batch, counts: Whole, weight: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss with gradient and metrics of a part of a batch, as their shares of the whole. weight: of the magnet."""
        reference, scores = self._reference_logprobs(piece, weight), self._scores(piece, weight, (0, 0))
        return self._loss_of(scores, reference, self._with_old(piece, scores), counts, weight)

    def _scores(self, piece: Batch, weight: float, place: tuple[int, int]) -> Scores:
        """What the policy says of a part's tokens, with gradient, and how far from an exact magnet's reference it is.

        place: number of the pass and of the part in it; the layers' noise follows from it.
        """
        compared = self.reference if weight and self.magnet.needs_model and self.magnet.estimator == "exact" else None
        with self.clock.running(), self._active(*place):
            return score(self.model, piece, temperature=self.temperature, entropy=True, reference=compared)

    def _loss_of(
        self, scores: Scores, reference: Tensor | None, piece: Batch, counts: Whole, weight: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        self._gaps.append(mismatch(scores, piece))
        loss, metrics = policy_objective(
            scores,
            reference,
            piece,
            self._old_logprobs(piece),
            objective=self.objective,
            magnet=self.magnet,
            magnet_weight=weight,
            whole=counts,
            gaps=self._gaps[-1],
        )
        if self.critic is None:
            return loss, metrics
        return self._with_critic(loss, metrics, scores, piece, counts.valued)

    def _mismatch_tail(self) -> float:
        """The worst thousandth of the mismatch between sampler and trainer, over all ranks' tokens, in nats."""
        found = self.world.gather([gaps.cpu() for gaps in self._gaps], "the mismatch of their tokens")
        every = [gaps for of_rank in found for gaps in of_rank]
        return worst_thousandth(torch.cat(every)) if every else 0.0

    def is_finite(self, batch: Batch) -> bool:
        """Whether a batch's loss and gradient are: tried out, the weights stay as they are."""
        batch = self._prepared(to_device(batch, self.device))
        loss, _ = self.loss(batch, whole_batch(batch), self.magnet.weight)
        loss.backward()
        gradients = [p.grad for group in self._optimiser.param_groups for p in group["params"] if p.grad is not None]
        finite = bool(loss.isfinite()) and all(bool(gradient.isfinite().all()) for gradient in local(gradients))
        self._optimiser.zero_grad(set_to_none=True)
        return all(self.world.gather(finite, "whether a gradient is finite"))

    def _with_critic(
        self, loss: Tensor, metrics: dict[str, Tensor], scores: Scores, piece: Batch, count: int
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert self.critic is not None
        settings = self.critic_settings
        with self.clock.running():
            predictions = self.critic(piece, scores.hidden)
        valued, _ = value_loss(predictions, piece, clip=settings.clip, valued=count)
        if self.updates < settings.warmup_steps:
            loss = loss * 0.0
        weight = settings.weight if settings.kind == "shared" else 1.0
        return loss + weight * valued, metrics | {"value_loss": valued.detach()}

    def _step(self, rate: float, loss: float, begin: Callable[[], None]) -> float:
        longest = self.optimisation.max_grad_norm
        groups = [group["params"] for group in self._optimiser.param_groups]
        norm, *others = [clip(parameters, longest) for parameters in groups]
        if not all(math.isfinite(number) for number in (loss, norm, *others)):
            self._optimiser.zero_grad(set_to_none=True)
            raise NotFinite(
                f"the loss is {loss} and its gradient's norm {norm} at update {self.updates}; no step was made"
            )
        set_rate(self._optimiser, rate)
        begin()
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return norm

    def _follow(self) -> None:
        """The running mean and a moving reference."""
        if self.mean is not None:
            pull(*self._behind[self.mean], 1.0 - share_kept(self.updates, self.optimisation.mean_decay))
        if self.reference is not None and self.magnet.reference == "moving":
            pull(*self._behind[self.reference], 1.0 - self.magnet.reference_decay)

    @torch.no_grad()
    def _reference_logprobs(self, piece: Batch, weight: float) -> Tensor | None:
        """[M] nats, where the magnet's KL is estimated from them."""
        if not weight or not self.magnet.needs_model or self.magnet.estimator == "exact":
            return None
        with self.clock.running():
            return score(self.reference, piece, temperature=self.temperature).logprobs

    def state(self) -> dict[str, Any]:
        """Weights, running mean, reference, critic, noise, optimiser and counter. Live tensors: save them before the
        next update."""
        return {
            "model": self.model.state_dict(),
            **{name: _state(getattr(self, name)) for name in _BESIDE},
            "optimiser": self._optimiser.state_dict(),
            "updates": self.updates,
        }

    def load(self, state: dict[str, Any] | Path) -> None:
        """Go on from `state()` of a learner with the same settings, or from a folder of its shards, on any number of
        ranks."""
        if isinstance(state, Path) or (not self.shares_model and state["optimiser"]["state"]):
            allocate(self._optimiser)
        own = self.state()
        state = load_shards(state, own) if isinstance(state, Path) else laid_out(state, own)
        self.model.load_state_dict(state["model"])
        for name in _BESIDE:
            mine = getattr(self, name)
            if mine is not None:
                mine.load_state_dict(state[name])
        self._optimiser.load_state_dict(state["optimiser"])
        self.updates = state["updates"]
        self._filled = None


_BESIDE = ("mean", "reference", "critic", "noise")
"""What may stand beside the model."""


def _as_it_is(module: Any) -> Any:
    return module


def _state(module: Any) -> Any:
    return None if module is None else module.state_dict()
