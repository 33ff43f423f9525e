"""The weights and all that moves with them: optimiser, running mean, reference, critic, noise, and the update."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.batch import Batch, blocks, take_rows, to_device
from turnwise.algorithms.checks import NotFinite
from turnwise.algorithms.critic import ValueNet, value_loss
from turnwise.algorithms.noise import LayerNoise
from turnwise.algorithms.noise_settings import LayerNoiseSettings
from turnwise.algorithms.objective import Whole, policy_objective, whole_batch
from turnwise.algorithms.policy import Scores, body_and_head, require_plain_head, score
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation

HELD_BACK = ("clip_fraction", "correction_weight", "correction_masked")
"""Metrics of guard and corrections. In the first epoch new and old policy are one, and there is little to hold back."""


class Learner:
    """Updates one model. Its `state` is all that a resumed run needs."""

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
    ) -> None:
        """`temperature`: the sampler's, so that the ratio compares like with like. `clock` counts time in the model.

        `keep_reference`: keep a reference policy even where the magnet pulls towards none.
        """
        self.model, self.optimisation, self.objective, self.magnet = model, optimisation, objective, magnet
        self.temperature, self.clock = temperature, clock
        self.critic_settings = critic or Critic()
        self.updates = 0
        require_plain_head(model)
        kind = self.critic_settings.kind
        self.critic = None if kind == "none" else ValueNet(model, own_body=kind == "own")
        self.noise = None if noise is None else LayerNoise(body_and_head(model)[0].layers, noise)
        self._parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self._optimiser = self._make_optimiser()
        self.reference = _frozen_copy(model) if magnet.needs_model or keep_reference else None
        self.mean = _frozen_copy(model) if optimisation.mean_decay else None

    def _make_optimiser(self) -> torch.optim.Optimizer:
        """AdamW over the policy's weights, and, at steps of their own, the critic's and the noise's."""
        settings = self.optimisation
        groups: list[dict[str, Any]] = [{"params": self._parameters}]
        if self.critic is not None:
            groups.append({"params": list(self.critic.parameters()), "lr": self.critic_settings.learning_rate})
        if self.noise is not None:
            groups.append(self.noise.parameter_group())
        return torch.optim.AdamW(
            groups,
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            weight_decay=settings.weight_decay,
            fused=True,
        )

    @property
    def reported(self) -> Any:
        """The weights that are evaluated and kept: the running mean where there is one, else the last."""
        return self.model if self.mean is None else self.mean

    def update(self, batch: Batch, progress: float) -> dict[str, float]:
        """One update (all epochs) on a batch; returns the metrics of the first epoch, those in `HELD_BACK` of the last.

        Raises NotFinite instead of a step (in the first epoch: before the weights are touched).
        """
        batch = self._prepared(to_device(batch, self.model.device))
        pieces, whole = self.pieces(batch), whole_batch(batch)
        weight = self.magnet.weight_at(progress)
        metrics: dict[str, float] = {}
        rate = self.optimisation.learning_rate_at(progress, self.updates)
        for epoch in range(self.optimisation.epochs):
            found = self._epoch(whole, pieces, weight, epoch)
            norm = self._step(rate, found["loss"])
            if epoch == 0:
                metrics = found | {"grad_norm": norm}
        metrics |= {name: found[name] for name in HELD_BACK if name in found}
        self._follow()
        self.updates += 1
        return metrics | {"learning_rate": rate, "magnet_weight": weight}

    def pieces(self, batch: Batch) -> list[Batch]:
        """The batch in parts of at most `micro_batch_tokens`."""
        parts = blocks(batch, self.optimisation.micro_batch_tokens)
        return [batch] if len(parts) == 1 else [take_rows(batch, first, last) for first, last in parts]

    def _prepared(self, batch: Batch) -> Batch:
        """The batch with the trainer's log-probs where they are asked for, less the tokens that are left out."""
        needed = self.optimisation.old_logprobs == "trainer" or bool(self.objective.corrections)
        if needed and batch.train_logprobs is None:
            batch = replace(batch, train_logprobs=self._logprobs(batch)[batch.token_index])
        limit = self.objective.probability_mask
        if limit is None:
            return batch
        kept = (self._old_logprobs(batch).exp() <= limit) | batch.demonstrated[:, None]
        return replace(batch, mask=batch.mask & kept)

    def _old_logprobs(self, batch: Batch) -> Tensor:
        """[N, T] of the ratio's denominator."""
        if self.optimisation.old_logprobs == "sampler":
            return batch.sampled_logprobs
        assert batch.train_logprobs is not None  # `_prepared` made them
        return batch.train_logprobs

    @torch.no_grad()
    def _logprobs(self, batch: Batch) -> Tensor:
        """[M] of the current weights."""
        with self.clock.running():
            parts = [score(self.model, piece, temperature=self.temperature).logprobs for piece in self.pieces(batch)]
        return torch.cat(parts)

    def _epoch(self, whole: Whole, pieces: Sequence[Batch], weight: float, epoch: int) -> dict[str, float]:
        """Gradients of the whole batch, piece by piece: no more than one piece's distributions are held at a time."""
        totals: dict[str, float] = {}
        for index, piece in enumerate(pieces):
            loss, metrics = self.loss(piece, whole, weight, (self.updates * self.optimisation.epochs + epoch, index))
            with self.clock.running():
                loss.backward()
            for name, value in (metrics | {"loss": loss.detach()}).items():
                totals[name] = totals.get(name, 0.0) + float(value)
        return totals

    def loss(
        self, piece: Batch, whole: Whole, weight: float, place: tuple[int, int] = (0, 0)
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss with gradient and metrics of a part of a batch, as their shares of the whole.

        weight: of the magnet. place: number of the pass and of the part in it; the layers' noise follows from it.
        """
        reference = self._reference_scores(piece, weight)
        with self.clock.running():
            active = nullcontext() if self.noise is None else self.noise.active(*place)
            with active:
                scores = score(self.model, piece, temperature=self.temperature)
        loss, metrics = policy_objective(
            scores,
            reference,
            piece,
            self._old_logprobs(piece),
            objective=self.objective,
            magnet=self.magnet,
            magnet_weight=weight,
            whole=whole,
        )
        if self.critic is None:
            return loss, metrics
        return self._with_critic(loss, metrics, scores, piece, whole)

    def is_finite(self, batch: Batch) -> bool:
        """Whether a batch's loss and gradient are: tried out, the weights stay as they are."""
        batch = self._prepared(to_device(batch, self.model.device))
        loss, _ = self.loss(batch, whole_batch(batch), self.magnet.weight)
        loss.backward()
        gradients = [p.grad for group in self._optimiser.param_groups for p in group["params"] if p.grad is not None]
        finite = bool(loss.isfinite()) and all(bool(gradient.isfinite().all()) for gradient in gradients)
        self._optimiser.zero_grad(set_to_none=True)
        return finite

    def _with_critic(
        self, loss: Tensor, metrics: dict[str, Tensor], scores: Scores, piece: Batch, whole: Whole
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert self.critic is not None
        settings = self.critic_settings
        with self.clock.running():
            predictions = self.critic(piece, scores.hidden)
        valued, _ = value_loss(predictions, piece, clip=settings.clip, valued=whole.valued)
        if self.updates < settings.warmup_steps:
            loss = loss * 0.0
        weight = settings.weight if settings.kind == "shared" else 1.0
        return loss + weight * valued, metrics | {"value_loss": valued.detach()}

    def _step(self, rate: float, loss: float) -> float:
        longest = self.optimisation.max_grad_norm
        groups = [group["params"] for group in self._optimiser.param_groups]
        norm, *others = [float(torch.nn.utils.clip_grad_norm_(parameters, longest)) for parameters in groups]
        if not all(math.isfinite(number) for number in (loss, norm, *others)):
            self._optimiser.zero_grad(set_to_none=True)
            raise NotFinite(
                f"the loss is {loss} and its gradient's norm {norm} at update {self.updates}; no step was made"
            )
        self._optimiser.param_groups[0]["lr"] = rate
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        return norm

    def _follow(self) -> None:
        """The running mean (warming up: its first updates count alike) and a moving reference."""
        current = [p.detach() for p in self._parameters]
        if self.mean is not None:
            decay = min(self.optimisation.mean_decay, self.updates / (self.updates + 1))
            torch._foreach_lerp_(self._trained(self.mean), current, 1.0 - decay)
        if self.reference is not None and self.magnet.reference == "moving":
            torch._foreach_lerp_(self._trained(self.reference), current, 1.0 - self.magnet.reference_decay)

    def _trained(self, copy_of_model: Any) -> list[Tensor]:
        """Those parameters of a copy that are trained in the model."""
        pairs = zip(copy_of_model.parameters(), self.model.parameters(), strict=True)
        return [mine for mine, theirs in pairs if theirs.requires_grad]

    @torch.no_grad()
    def _reference_scores(self, piece: Batch, weight: float) -> Tensor | None:
        if self.reference is None or not weight:
            return None
        with self.clock.running():
            return score(self.reference, piece, temperature=self.temperature).distribution

    def state(self) -> dict[str, Any]:
        """Weights, running mean, reference, critic, noise, optimiser and counter. Live tensors: save them before the
        next update."""
        return {
            "model": self.model.state_dict(),
            **{name: _state(getattr(self, name)) for name in _BESIDE},
            "optimiser": self._optimiser.state_dict(),
            "updates": self.updates,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state()` of a learner with the same settings."""
        self.model.load_state_dict(state["model"])
        for name in _BESIDE:
            mine = getattr(self, name)
            if mine is not None:
                mine.load_state_dict(state[name])
        self._optimiser.load_state_dict(state["optimiser"])
        self.updates = state["updates"]


_BESIDE = ("mean", "reference", "critic", "noise")
"""What may stand beside the model."""


def _state(module: Any) -> Any:
    return None if module is None else module.state_dict()


def _frozen_copy(model: Any) -> Any:
    return copy.deepcopy(model).requires_grad_(False)
