"""The weights and everything that moves with them: optimiser, running mean, reference, and the update itself."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.aggregate import Totals
from turnwise.algorithms.batch import Batch, blocks, take_rows, to_device
from turnwise.algorithms.checks import NotFinite
from turnwise.algorithms.objective import policy_objective, whole_batch
from turnwise.algorithms.policy import Scores, require_plain_head, score
from turnwise.algorithms.recipes import Magnet, Objective, Optimisation


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
    ) -> None:
        """`temperature`: the sampler's, so that the ratio compares like with like. `clock` counts time in the model."""
        self.model, self.optimisation, self.objective, self.magnet = model, optimisation, objective, magnet
        self.temperature, self.clock = temperature, clock
        self.updates = 0
        self._parameters: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        self._optimiser = torch.optim.AdamW(
            self._parameters,
            lr=optimisation.learning_rate,
            betas=(optimisation.beta1, optimisation.beta2),
            weight_decay=optimisation.weight_decay,
            fused=True,
        )
        require_plain_head(model)
        self.reference = _frozen_copy(model) if magnet.needs_model else None
        self.mean = _frozen_copy(model) if optimisation.mean_decay else None

    @property
    def reported(self) -> Any:
        """The weights that are evaluated and kept: the running mean where there is one, else the last."""
        return self.model if self.mean is None else self.mean

    def update(self, batch: Batch, progress: float) -> dict[str, float]:
        """One update (all epochs) on a batch; returns the first epoch's metrics.

        Raises NotFinite instead of a step (in the first epoch: before the weights are touched).
        """
        batch = to_device(batch, self.model.device)
        parts = blocks(batch, self.optimisation.micro_batch_tokens)
        pieces = [batch] if len(parts) == 1 else [take_rows(batch, first, last) for first, last in parts]
        weight = self.magnet.weight_at(progress)
        old = [self._old_logprobs(piece) for piece in pieces]
        metrics: dict[str, float] = {}
        rate = self.optimisation.learning_rate_at(progress, self.updates)
        for epoch in range(self.optimisation.epochs):
            found = self._epoch(whole_batch(batch), pieces, old, weight)
            norm = self._step(rate, found["loss"])
            if epoch == 0:
                metrics = found | {"grad_norm": norm}
        self._follow()
        self.updates += 1
        return metrics | {"learning_rate": rate, "magnet_weight": weight}

    def _epoch(self, whole: Totals, pieces: Sequence[Batch], old: Sequence[Tensor], weight: float) -> dict[str, float]:
        """Gradients of the whole batch, piece by piece: no more than one piece's distributions are held at a time."""
        totals: dict[str, float] = {}
        for piece, old_logprobs in zip(pieces, old, strict=True):
            reference = self._reference_scores(piece, weight)
            with self.clock.running():
                scores = score(self.model, piece, temperature=self.temperature)
            loss, metrics = policy_objective(
                scores,
                reference,
                piece,
                old_logprobs,
                objective=self.objective,
                magnet=self.magnet,
                magnet_weight=weight,
                whole=whole,
            )
            with self.clock.running():
                loss.backward()
            for name, value in (metrics | {"loss": loss.detach()}).items():
                totals[name] = totals.get(name, 0.0) + float(value)
        return totals

    def _step(self, rate: float, loss: float) -> float:
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, self.optimisation.max_grad_norm))
        if not (math.isfinite(norm) and math.isfinite(loss)):
            self._optimiser.zero_grad(set_to_none=True)
            raise NotFinite(
                f"the loss is {loss} and its gradient's norm {norm} at update {self.updates}; no step was made"
            )
        for group in self._optimiser.param_groups:
            group["lr"] = rate
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

    @torch.no_grad()
    def _old_logprobs(self, piece: Batch) -> Tensor:
        if self.optimisation.old_logprobs == "sampler":
            return piece.sampled_logprobs
        with self.clock.running():
            scores: Scores = score(self.model, piece, temperature=self.temperature)
        return scores.logprobs[piece.token_index]

    def state(self) -> dict[str, Any]:
        """Weights, running mean, reference, optimiser and counter. Live tensors: save them before the next update."""
        return {
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict() if self.mean is not None else None,
            "reference": self.reference.state_dict() if self.reference is not None else None,
            "optimiser": self._optimiser.state_dict(),
            "updates": self.updates,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from `state()` of a learner with the same settings."""
        self.model.load_state_dict(state["model"])
        for mine, saved in ((self.mean, state["mean"]), (self.reference, state["reference"])):
            if mine is not None:
                mine.load_state_dict(saved)
        self._optimiser.load_state_dict(state["optimiser"])
        self.updates = state["updates"]


def _frozen_copy(model: Any) -> Any:
    return copy.deepcopy(model).requires_grad_(False)
