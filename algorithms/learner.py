"""The weights and everything that moves with them: optimiser, running mean, reference, and the update itself."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.batch import Batch, blocks, take_rows, to_device
from turnwise.algorithms.checks import require_between
from turnwise.algorithms.objective import Magnet, Objective, policy_objective, whole_batch
from turnwise.algorithms.policy import Scores, score
from turnwise.algorithms.schedule import check_schedule, scheduled


class NotFinite(RuntimeError):
    """A loss or gradient was NaN or infinite; the weights were not touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How the weights move."""

    learning_rate: float = 1e-6
    """Adam's step at the start, in weights per update."""
    final_learning_rate: float = 1e-6
    """The step at the end of the run."""
    learning_rate_hold: float = 0.0
    """Share of the run before it starts to move, in [0, 1)."""
    learning_rate_shape: str = "linear"
    """How it moves: linear, geometric or cosine."""
    warmup_steps: int = 0
    """Updates over which the step grows from 0."""
    beta1: float = 0.9
    """Adam's decay of the gradient mean, per update."""
    beta2: float = 0.95
    """Adam's decay of the gradient square mean, per update."""
    weight_decay: float = 0.0
    """Decoupled weight decay, per unit of learning rate."""
    max_grad_norm: float = 1.0
    """Longer gradients are cut to this length."""
    epochs: int = 1
    """Passes over each batch."""
    micro_batch_tokens: int = 16_384
    """Most tokens, padding included, in one forward and backward pass."""
    mean_decay: float = 0.0
    """Share of the running mean of the weights that an update keeps, in [0, 1); 0 keeps no mean."""
    old_logprobs: str = "sampler"
    """Denominator of the ratio: the `sampler`'s log-probs, or the `trainer`'s, computed again before the update."""

    def __post_init__(self) -> None:
        require_between("learning_rate", self.learning_rate, 0.0, open_low=True)
        check_schedule(
            "learning_rate",
            self.learning_rate,
            self.final_learning_rate,
            self.learning_rate_hold,
            self.learning_rate_shape,
        )
        for name in ("beta1", "beta2", "mean_decay"):
            require_between(name, getattr(self, name), 0.0, 0.999999)
        require_between("max_grad_norm", self.max_grad_norm, 0.0, open_low=True)
        require_between("weight_decay", self.weight_decay, 0.0)
        require_between("epochs", self.epochs, 1)
        require_between("micro_batch_tokens", self.micro_batch_tokens, 1)
        require_between("warmup_steps", self.warmup_steps, 0)
        if self.old_logprobs not in ("sampler", "trainer"):
            raise ValueError(f"old_logprobs is sampler or trainer: got {self.old_logprobs!r}")

    def learning_rate_at(self, progress: float, updates: int) -> float:
        """Adam's step when this share of the run is over and so many updates were made."""
        rate = scheduled(
            self.learning_rate,
            self.final_learning_rate,
            hold=self.learning_rate_hold,
            shape=self.learning_rate_shape,
            progress=progress,
        )
        return rate * min(1.0, (updates + 1) / self.warmup_steps) if self.warmup_steps else rate


class Learner:
    """Updates one model. Its `state` is all that a resumed run needs."""

    def __init__(self, model: Any, optimisation: Optimisation, objective: Objective, magnet: Magnet, *, temperature: float, clock: ModelClock) -> None:
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
        self.reference = _frozen_copy(model) if magnet.needs_model else None
        self.mean = _frozen_copy(model) if optimisation.mean_decay else None

    def update(self, batch: Batch, progress: float) -> dict[str, float]:
        """One update (all epochs) on a batch; returns metrics. Raises NotFinite before the weights are touched."""
        batch = to_device(batch, self.model.device)
        parts = blocks(batch, self.optimisation.micro_batch_tokens)
        pieces = [batch] if len(parts) == 1 else [take_rows(batch, first, last) for first, last in parts]
        weight = self.magnet.weight_at(progress)
        references = [self._reference_scores(piece, weight) for piece in pieces]
        old = [self._old_logprobs(piece) for piece in pieces]
        metrics: dict[str, float] = {}
        rate = self.optimisation.learning_rate_at(progress, self.updates)
        for epoch in range(self.optimisation.epochs):
            found = self._epoch(batch, pieces, references, old, weight)
            norm = self._step(rate)
            if epoch == 0:
                metrics = found | {"grad_norm": norm}
        self._follow()
        self.updates += 1
        return metrics | {"learning_rate": rate, "magnet_weight": weight}

    def _epoch(
        self, batch: Batch, pieces: Sequence[Batch], references: Sequence[Tensor | None], old: Sequence[Tensor], weight: float
    ) -> dict[str, float]:
        """Gradients of the whole batch, piece by piece."""
        whole = whole_batch(batch)
        totals: dict[str, float] = {}
        for piece, reference, old_logprobs in zip(pieces, references, old, strict=True):
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

    def _step(self, rate: float) -> float:
        norm = float(torch.nn.utils.clip_grad_norm_(self._parameters, self.optimisation.max_grad_norm))
        if norm != norm or norm == float("inf"):
            self._optimiser.zero_grad(set_to_none=True)
            raise NotFinite(f"the gradient's norm is {norm} at update {self.updates}; the weights were left as they were")
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
            torch._foreach_lerp_(list(self.mean.parameters()), current, 1.0 - decay)
        if self.reference is not None and self.magnet.reference == "moving":
            torch._foreach_lerp_(list(self.reference.parameters()), current, 1.0 - self.magnet.reference_decay)

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
        """Weights, running mean, reference, optimiser and counter."""
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
