"""When the trainer's log-probs before an update take a forward pass of their own, and when the update tells them."""

from __future__ import annotations

from turnwise.algorithms.recipes import Objective, Optimisation


def needs_pass(optimisation: Optimisation, objective: Objective, *, drawn: bool) -> bool:
    """Whether a pass over the batch comes before the first epoch.

    Without one the denominator of the ratio is what the first epoch's own pass says, without its gradient, kept for
    later epochs. It is what a pass beforehand would have said: no weight moves before all parts of the first epoch are
    done, both go over the same parts, and a part's log-probs follow from weights and part alone. That takes a model
    that draws no random numbers. And nothing may ask earlier: corrections compare these log-probs with the sampler's,
    a probability mask leaves tokens out by them, which changes the weight of all others.

    drawn: Whether the model draws random numbers (noise on the layers, dropout in training mode).
    """
    if objective.corrections:
        return True
    asked_earlier = drawn or objective.probability_mask is not None
    return optimisation.old_logprobs == "trainer" and asked_earlier
