"""The objective: clipped surrogate plus optional pulls (KL to a reference, entropy), as one sum over tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from turnwise.algorithms.aggregate import Totals, masked_fraction, token_weights, totals, weighted_sum
from turnwise.algorithms.batch import Batch
from turnwise.algorithms.losses import clipped_policy_loss
from turnwise.algorithms.policy import Scores
from turnwise.algorithms.ratios import token_ratio
from turnwise.algorithms.recipes import Magnet, Objective
from turnwise.algorithms.regularize import entropy, exact_kl, sampled_kl


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
    weights = token_weights(
        mask,
        objective.aggregation,
        constant=objective.constant,
        divide_by_sequences=objective.divide_by_sequences,
        batch=whole,
    )
    ratio = token_ratio(scores.logprobs[batch.token_index], old_logprobs, mask)
    surrogate = clipped_policy_loss(
        ratio,
        batch.advantages,
        clip_low=objective.clip_low,
        clip_high=objective.clip_high,
        dual_clip=objective.dual_clip,
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
