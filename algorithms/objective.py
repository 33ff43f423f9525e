"""The objective: clipped surrogate plus optional pulls (KL to a reference, entropy), as one sum over tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from turnwise.algorithms.aggregate import AGGREGATIONS, Totals, masked_fraction, token_weights, totals, weighted_sum
from turnwise.algorithms.batch import Batch
from turnwise.algorithms.checks import require_between, require_choice
from turnwise.algorithms.losses import clipped_policy_loss
from turnwise.algorithms.policy import Scores
from turnwise.algorithms.ratios import token_ratio
from turnwise.algorithms.regularize import ESTIMATORS, entropy, exact_kl, sampled_kl
from turnwise.algorithms.schedule import check_schedule, scheduled

REFERENCES = ("initial", "moving", "uniform")


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnet:
    """A pull of the policy towards a reference (magnetic mirror descent when the reference stands or moves slowly)."""

    weight: float = 0.0
    """Nats of KL per unit of advantage at the start; 0 for no pull."""
    final_weight: float = 0.0
    """The weight at the end of the run."""
    weight_hold: float = 0.0
    """Share of the run before the weight starts to move, in [0, 1)."""
    weight_shape: str = "geometric"
    """How it moves: linear, geometric or cosine."""
    reference: str = "initial"
    """`initial`: the weights the run started from. `moving`: a slow running mean. `uniform`: every token alike."""
    reference_decay: float = 0.999
    """Only with `moving`: share of the old reference that an update keeps, in [0, 1]."""
    estimator: str = "exact"
    """KL per token: `exact` over the vocabulary, or k1, k2, k3 from the sampled token."""

    def __post_init__(self) -> None:
        check_schedule("weight", self.weight, self.final_weight, self.weight_hold, self.weight_shape)
        require_choice("reference", self.reference, REFERENCES)
        require_choice("estimator", self.estimator, ("exact", *ESTIMATORS))
        require_between("reference_decay", self.reference_decay, 0.0, 1.0)
        if self.reference == "uniform" and self.estimator != "exact":
            raise ValueError(f"a uniform reference needs estimator exact: got {self.estimator!r}")

    def weight_at(self, progress: float) -> float:
        """The weight when this share of the run is over."""
        return scheduled(self.weight, self.final_weight, hold=self.weight_hold, shape=self.weight_shape, progress=progress)

    @property
    def needs_model(self) -> bool:
        """Whether a second set of weights is kept."""
        return self.reference != "uniform" and bool(self.weight or self.final_weight)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What one update minimises."""

    clip_low: float = 0.2
    """Lower clip distance of the ratio, in [0, 1]."""
    clip_high: float = 0.2
    """Upper clip distance of the ratio, at least 0."""
    dual_clip: float | None = None
    """Ceiling of the loss at negative advantages, in multiples of the advantage, above 1; null for none."""
    aggregation: str = "token-mean"
    """How tokens add up, see `aggregate`."""
    constant: float | None = None
    """Divisor of seq-mean-token-sum-norm, in tokens; null: the widest sample of the batch."""
    divide_by_sequences: bool = False
    """seq-mean-token-sum-norm only: divide by the number of sequences too."""
    entropy_weight: float = 0.0
    """Nats of entropy per unit of advantage."""

    def __post_init__(self) -> None:
        require_between("clip_low", self.clip_low, 0.0, 1.0)
        require_between("clip_high", self.clip_high, 0.0)
        require_choice("aggregation", self.aggregation, AGGREGATIONS)
        require_between("entropy_weight", self.entropy_weight, 0.0)

    def weights(self, mask: Tensor, batch: Totals) -> Tensor:
        """[N, T] weights of the tokens of a part of the batch."""
        return token_weights(
            mask, self.aggregation, constant=self.constant, divide_by_sequences=self.divide_by_sequences, batch=batch
        )


def policy_objective(
    scores: Scores,
    reference: Tensor | None,
    batch: Batch,
    old_logprobs: Tensor,
    *,
    objective: Objective,
    magnet: Magnet,
    magnet_weight: float,
    whole: Totals,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of a part of a batch and its share of the metrics; both add up over the parts.

    Args:
        reference: [M, V] nats, the reference's log-probs at the M tokens, or None for uniform or no magnet.
        old_logprobs: [N, T] nats, under the policy in the ratio's denominator.
        whole: Counts of the whole batch.
    """
    mask = batch.mask
    weights = objective.weights(mask, whole)
    ratio = token_ratio(scores.logprobs[batch.token_index], old_logprobs, mask)
    surrogate = clipped_policy_loss(
        ratio, batch.advantages, clip_low=objective.clip_low, clip_high=objective.clip_high, dual_clip=objective.dual_clip
    )
    loss = weighted_sum(surrogate.per_token, weights)
    nats = entropy(scores.distribution)[batch.token_index]
    share = mask.sum() / max(whole.tokens, 1)
    metrics = {
        "entropy": masked_mean(nats.detach(), mask) * share,
        "clip_fraction": masked_fraction(surrogate.clipped, mask) * share,
        "mismatch_kl": masked_mean(sampled_kl(old_logprobs, scores.logprobs.detach()[batch.token_index]), mask) * share,
    }
    if objective.entropy_weight:
        loss = loss - objective.entropy_weight * weighted_sum(nats, weights)
    if magnet_weight:
        pull = _pull(scores, reference, batch, magnet.estimator)
        metrics["magnet_kl"] = masked_mean(pull.detach(), mask) * share
        loss = loss + magnet_weight * weighted_sum(pull, weights)
    return loss, metrics


def _pull(scores: Scores, reference: Tensor | None, batch: Batch, estimator: str) -> Tensor:
    """KL(policy || reference) of each sample's tokens, [N, T] nats."""
    log_p = scores.distribution
    if reference is None:
        vocabulary = torch.tensor(float(log_p.shape[-1]), device=log_p.device)
        return (vocabulary.log() - entropy(log_p))[batch.token_index]
    if estimator == "exact":
        return exact_kl(log_p, reference)[batch.token_index]
    tokens = batch.ids[batch.token_row, batch.token_position]
    of_token = reference.gather(1, tokens[:, None])[:, 0]
    return sampled_kl(scores.logprobs, of_token, estimator)[batch.token_index]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the entries where `mask` is True; 0 where there is none."""
    return values.masked_fill(~mask, 0.0).sum() / mask.sum().clamp_min(1)


def whole_batch(batch: Batch) -> Totals:
    """The counts that every part of this batch is weighed by."""
    return totals(batch.mask)
