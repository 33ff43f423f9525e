"""The objective of one update, as one sum over tokens: a guarded surrogate, imitation, and optional pulls."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from turnwise.algorithms.aggregate import Totals, masked_fraction, token_weights, totals, weighted_sum
from turnwise.algorithms.batch import Batch
from turnwise.algorithms.corrections import CorrectionInputs
from turnwise.algorithms.corrections.combined import combined, tail
from turnwise.algorithms.guards import GUARDS, LossInputs
from turnwise.algorithms.losses import PolicyLoss
from turnwise.algorithms.policy import Scores
from turnwise.algorithms.ratios import RATIOS
from turnwise.algorithms.recipes import Magnet, Objective
from turnwise.algorithms.regularize import sampled_kl, uniform_kl
from turnwise.kernels.loss import clipped_token_loss


class Whole(NamedTuple):
    """Counts over the whole batch, by which every part of it is weighed."""

    trained: Totals
    """What the policy said and learns from."""
    imitated: Totals
    """Demonstrations."""
    valued: int
    """Tokens with a target for the critic."""
    entropy_pool: Tensor | None = None
    """[K] nats: entropies of all tokens that the policy learns from, where they are known."""


def whole_batch(batch: Batch, device: torch.device | None = None) -> Whole:
    """The counts that every part of this batch is weighed by. device: where the parts are computed, if not there."""
    own, imitated = batch.mask, Totals(0, 0)
    if batch.demonstrated.any():
        own, imitated = _own(batch), totals(batch.mask & batch.demonstrated[:, None])
    valued = 0 if batch.targets is None else int((batch.mask & ~batch.targets.isnan()).sum())
    pool = None if batch.entropies is None else batch.entropies[own].to(device or batch.ids.device)
    return Whole(totals(own), imitated, valued, pool)


def _own(batch: Batch) -> Tensor:
    """[N, T] bool: the policy's own tokens, those of demonstrations left out."""
    return batch.mask & ~batch.demonstrated[:, None]


def policy_objective(
    scores: Scores,
    reference: Tensor | None,
    batch: Batch,
    old_logprobs: Tensor,
    *,
    objective: Objective,
    magnet: Magnet,
    magnet_weight: float,
    whole: Whole,
    gaps: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Loss of a part of a batch and its share of the metrics; both add up over the parts.

    Args:
        scores: With entropies; with KLs where the magnet asks for exact ones of a model.
        reference: [M] nats, the reference's log-probs of the M tokens, where the magnet's KL is estimated from them.
        old_logprobs: [N, T] nats, under the policy in the ratio's denominator.
        whole: Counts of the whole batch.
        gaps: The part's `mismatch`, where it is known.
    """
    mask = _own(batch) if whole.imitated.tokens else batch.mask
    weights = _weights(mask, objective, whole.trained)
    logprobs = scores.logprobs[batch.token_index]
    surrogate, corrected = _surrogate(logprobs, old_logprobs, batch, mask, objective, whole.entropy_pool)
    loss = weighted_sum(surrogate.per_token, weights)
    nats = _entropies(scores)[batch.token_index]
    count = mask.sum()
    share = count / max(whole.trained.tokens, 1)
    gaps = mismatch(scores, batch) if gaps is None else gaps
    metrics = {
        "entropy": masked_mean(nats.detach(), mask, count) * share,
        "clip_fraction": masked_fraction(surrogate.clipped, mask) * share,
        "mismatch_kl": gaps.sum() / max(whole.trained.tokens, 1),
        **{name: value * share for name, value in corrected.items()},
    }
    if objective.entropy_weight:
        loss = loss - objective.entropy_weight * weighted_sum(nats, weights)
    if magnet_weight:
        pull = _pull(scores, reference, batch, magnet)
        metrics["magnet_kl"] = masked_mean(pull.detach(), mask, count) * share
        loss = loss + magnet_weight * weighted_sum(pull, weights)
    if whole.imitated.tokens:
        imitation = _imitation(logprobs, batch, whole.imitated)
        metrics["sft_loss"] = imitation.detach()
        loss = loss + objective.sft_weight * imitation
    return loss, metrics


def _weights(mask: Tensor, objective: Objective, trained: Totals) -> Tensor:
    return token_weights(
        mask,
        objective.aggregation,
        constant=objective.constant,
        divide_by_sequences=objective.divide_by_sequences,
        batch=trained,
    )


def _imitation(logprobs: Tensor, batch: Batch, imitated: Totals) -> Tensor:
    """Cross-entropy of demonstrations, their share of the batch's mean."""
    shown = batch.mask & batch.demonstrated[:, None]
    # Both factors are masked: a NaN beside a demonstration would come back in the backward pass as 0 * NaN.
    likelihood = batch.advantages.masked_fill(~shown, 0.0) * logprobs.masked_fill(~shown, 0.0)
    return -weighted_sum(likelihood, token_weights(shown, "token-mean", batch=imitated))


def _surrogate(
    logprobs: Tensor,
    old_logprobs: Tensor,
    batch: Batch,
    mask: Tensor,
    objective: Objective,
    entropy_pool: Tensor | None,
) -> tuple[PolicyLoss, dict[str, Tensor]]:
    """The guarded loss per token, times the corrections; and what the corrections did."""
    found = _guarded(logprobs, old_logprobs, batch, mask, objective, entropy_pool)
    if not objective.corrections:
        return found, {}
    weights, metrics = combined(objective.correction_records(), _compared(batch, mask, logprobs))
    return found._replace(per_token=found.per_token * weights), metrics


def _guarded(
    logprobs: Tensor,
    old_logprobs: Tensor,
    batch: Batch,
    mask: Tensor,
    objective: Objective,
    entropy_pool: Tensor | None,
) -> PolicyLoss:
    """The guarded loss per token. Of token ratios under the clip it is a kernel of its own."""
    guard = objective.guard_record()
    if (objective.ratio, objective.guard) == ("token", "clip"):
        bounds = {"clip_low": guard.low, "clip_high": guard.high, "dual_clip": guard.dual}
        return PolicyLoss(*clipped_token_loss(logprobs, old_logprobs, batch.advantages, mask, **bounds))
    inputs = LossInputs(
        logprobs=logprobs,
        old_logprobs=old_logprobs,
        ratio=RATIOS[objective.ratio](logprobs, old_logprobs, mask),
        advantages=batch.advantages,
        mask=mask,
        returns=batch.returns,
        entropies=batch.entropies,
        entropy_pool=entropy_pool,
    )
    return GUARDS[objective.guard].function(inputs, guard)


def _compared(batch: Batch, mask: Tensor, new: Tensor | None = None) -> CorrectionInputs:
    if batch.train_logprobs is None:
        raise ValueError(
            "corrections compare the trainer's log-probs with the sampler's: this batch has none of the trainer's"
        )
    return CorrectionInputs(
        trainer=batch.train_logprobs,
        sampler=batch.sampled_logprobs,
        new=new,
        advantages=batch.advantages,
        mask=mask,
    )


def mismatch(scores: Scores, batch: Batch) -> Tensor:
    """k3 estimate of KL(sampler || policy) at each of the policy's own tokens that are trained, [n] nats."""
    places = _own(batch).flatten().nonzero()[:, 0]
    found = scores.logprobs.detach()[batch.token_index.flatten()[places]]
    return sampled_kl(batch.sampled_logprobs.flatten()[places].double(), found.double())


def worst_thousandth(gaps: Tensor) -> float:
    """99.9th percentile of some numbers; 0 of none."""
    return float(gaps.kthvalue(math.ceil(0.999 * gaps.numel())).values) if gaps.numel() else 0.0


def mismatch_tail(batch: Batch) -> dict[str, float]:
    """The figure of a whole batch that those of its parts do not add up to: the worst thousandth of the mismatch."""
    return {"mismatch_k3_p999": float(tail(_compared(batch, _own(batch))))}


def _pull(scores: Scores, reference: Tensor | None, batch: Batch, magnet: Magnet) -> Tensor:
    """KL(policy || reference) of each sample's tokens, [N, T] nats."""
    if scores.kl is not None:
        return scores.kl[batch.token_index]
    if reference is not None:
        return sampled_kl(scores.logprobs, reference, magnet.estimator)[batch.token_index]
    if magnet.reference != "uniform":
        raise ValueError(f"a pull to the {magnet.reference} reference needs what it says of the tokens: got nothing")
    return uniform_kl(_entropies(scores), scores.vocabulary)[batch.token_index]


def _entropies(scores: Scores) -> Tensor:
    """[M] nats."""
    if scores.entropy is None:
        raise ValueError("the objective reports entropies: score the policy with entropy=True")
    return scores.entropy


def masked_mean(values: Tensor, mask: Tensor, count: Tensor | None = None) -> Tensor:
    """Mean over the entries where `mask` is True; 0 where there is none. count: how many there are, where known."""
    count = mask.sum() if count is None else count
    return torch.where(mask, values, 0.0).sum() / count.clamp_min(1)
