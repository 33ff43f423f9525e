"""How an estimate of the advantage compares with the exact one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from credit_exact import Floats, Solved
from credit_play import Batch

from turnwise.algorithms.credit.episodes import TurnCredit

TINY = 1e-9
"""Below it an exact advantage counts as none."""
OFTEN = 30
"""Expected turns of the rarest action of a state from which on its logits are looked at one by one."""


class Rows(NamedTuple):
    """The trained turns of one batch, [R] each."""

    nodes: npt.NDArray[np.intp]
    actions: npt.NDArray[np.intp]
    estimates: Floats
    exact: Floats
    """In task units."""
    decisive: npt.NDArray[np.bool_]
    """The turn of its episode whose exact advantage is largest in size."""


def rows_of(batch: Batch, credit: TurnCredit, solved: Solved) -> Rows:
    """One row per turn that was generated for training, and per copy of it that is trained again.

    A turn that the method leaves out counts as an estimate of 0, the copies that a fork took over from its parent do
    not. An estimate per token counts with its mean.
    """
    found: list[tuple[int, int, float, float, bool]] = []
    for episode, path, values in zip(batch.episodes, batch.paths, credit, strict=True):
        exact = [float(solved.advantages[number][action]) for number, action in path]
        largest = max(range(len(exact)), key=lambda turn: abs(exact[turn]))
        for turn, ((number, action), value) in enumerate(zip(path, values, strict=True)):
            if value is None and turn < (episode.fork_turn or 0):
                continue
            estimate = 0.0 if value is None else float(np.mean(value))
            found.append((number, action, estimate, exact[turn], turn == largest))
    nodes, actions, estimates, truth, decisive = zip(*found, strict=True)
    return Rows(
        np.array(nodes, dtype=np.intp),
        np.array(actions, dtype=np.intp),
        np.array(estimates, dtype=np.float64),
        np.array(truth, dtype=np.float64),
        np.array(decisive, dtype=np.bool_),
    )


class Layout:
    """Where each (node, action) stands in one long row of numbers."""

    def __init__(self, solved: Solved) -> None:
        self.solved = solved
        sizes = [len(chances) for chances in solved.policy]
        self.starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
        self.node_of = np.repeat(np.arange(len(sizes)), sizes)
        self.chances = np.concatenate(solved.policy)
        self.rarest = np.array([chances.min() for chances in solved.policy])
        self.advantages = np.concatenate(solved.advantages)
        keys = {key: place for place, key in enumerate(dict.fromkeys(node.key for node in solved.tree.nodes))}
        widest = max(sizes)
        self.parameter_of = np.array(
            [keys[node.key] * widest + action for node in solved.tree.nodes for action in range(len(node.actions))]
        )
        self.parameters = len(keys) * widest

    def score(self, nodes: npt.NDArray[np.intp], actions: npt.NDArray[np.intp], weights: Floats) -> Floats:
        """[all actions] sum over turns of weight * (1 at the action taken - pi): gradients of log pi by the logits."""
        size = len(self.chances)
        taken = np.bincount(self.starts[nodes] + actions, weights, minlength=size)
        return taken - np.bincount(nodes, weights, minlength=len(self.starts))[self.node_of] * self.chances

    def by_knowledge(self, gradient: Floats) -> Floats:
        """[parameters] the same where states that the policy cannot tell apart share their logits."""
        return np.bincount(self.parameter_of, gradient, minlength=self.parameters).astype(np.float64)


class Bias(NamedTuple):
    """How far an expected policy gradient is from the exact one."""

    size: float
    """Length of the difference over the length of the exact gradient; 0 for an unbiased method."""
    noise: float
    """What mere chance adds to the size at this number of batches (already taken off)."""
    z: float
    """Largest difference of one logit in standard errors, over the states whose actions were all met often."""
    logits: int
    """How many those states have."""


class Comparison:
    """The expected policy gradient of a method and the exact one, at the policy's logits.

    Every state is weighted by how often the policy passes it, whatever a sampler makes of that; inside a state,
    E[estimate * grad log pi]: a baseline that depends on the state alone drops out. Batches are independent, and their
    spread gives the standard errors. That the exact advantages of the sampled turns do not quite add up to the exact
    gradient either is known, and used to take off the part of the chance that both share.
    """

    def __init__(self, batches: Sequence[Rows], layout: Layout) -> None:
        visits = np.array([np.bincount(rows.nodes, minlength=len(layout.starts)) for rows in batches], dtype=np.float64)
        mean_visits = visits.mean(axis=0)
        share = np.divide(1.0, mean_visits, out=np.zeros_like(mean_visits), where=mean_visits > 0.0)
        weights = (layout.solved.visits * share)[layout.node_of]
        sampled = weights * np.array([layout.score(rows.nodes, rows.actions, rows.estimates) for rows in batches])
        known = weights * np.array([layout.score(rows.nodes, rows.actions, rows.exact) for rows in batches])
        met = (mean_visits > 0.0)[layout.node_of]
        exact = np.where(met, layout.solved.visits[layout.node_of] * layout.chances * layout.advantages, 0.0)
        relative = (visits * share)[:, layout.node_of]
        errors, known_errors = (
            np.array([layout.by_knowledge(row) for row in table - relative * table.mean(axis=0)])
            for table in (sampled, known)
        )
        power = float((known_errors**2).sum())
        shared = float((errors * known_errors).sum()) / power if power > 0.0 else 0.0
        self.exact = layout.by_knowledge(exact)
        self.found = layout.by_knowledge(sampled.mean(axis=0) - shared * (known.mean(axis=0) - exact))
        self.variances = (errors - shared * known_errors).var(axis=0, ddof=1) / len(batches)
        times = layout.by_knowledge((visits.sum(axis=0) * layout.rarest)[layout.node_of])
        self._often = times >= OFTEN

    def best_scale(self) -> float:
        """The factor that brings the method's gradient closest to the exact one; 0 where none helps."""
        size = float(self.found @ self.found - self.variances.sum())
        return max(float(self.found @ self.exact), 0.0) / size if size > 0.0 else 0.0

    def bias(self, scale: float = 1.0) -> Bias:
        """Of the estimates times a factor."""
        difference, variances = scale * self.found - self.exact, scale**2 * self.variances
        unit = float(np.linalg.norm(self.exact))
        size = float(difference @ difference - variances.sum())
        counted = self._often & (np.abs(difference) > TINY)
        errors = np.abs(difference[counted]) / np.sqrt(np.maximum(variances[counted], TINY**2))
        largest, noise = float(errors.max(initial=0.0)), float(variances.sum()) ** 0.5
        return Bias(max(size, 0.0) ** 0.5 / unit, noise / unit, largest, int(self._often.sum()))


def spread_given_action(batches: Sequence[Rows], layout: Layout) -> float:
    """Standard deviation of the estimate of one state and action, in the estimate's unit, over all that were met."""
    cells = np.concatenate([layout.starts[rows.nodes] + rows.actions for rows in batches])
    values = np.concatenate([rows.estimates for rows in batches])
    counts = np.bincount(cells, minlength=len(layout.chances))
    means = np.bincount(cells, values, minlength=len(counts)) / np.maximum(counts, 1)
    squares = float(((values - means[cells]) ** 2).sum())
    freedom = len(values) - int((counts > 0).sum())
    return float(np.sqrt(squares / freedom)) if freedom > 0 else float("nan")


def cosine(batches: Sequence[Rows], layout: Layout) -> float:
    """Mean cosine between the policy gradient of one batch and the exact one."""
    exact = layout.by_knowledge(layout.solved.visits[layout.node_of] * layout.chances * layout.advantages)
    found = []
    for rows in batches:
        gradient = layout.by_knowledge(layout.score(rows.nodes, rows.actions, rows.estimates))
        length = float(np.linalg.norm(gradient)) * float(np.linalg.norm(exact))
        found.append(float(gradient @ exact) / length if length > TINY else 0.0)
    return float(np.mean(found))


def measure(batches: Sequence[Rows], layout: Layout) -> dict[str, Any]:
    """All figures of one method on one task under one policy."""
    estimates, exact, decisive = (
        np.concatenate([getattr(rows, name) for rows in batches]) for name in ("estimates", "exact", "decisive")
    )
    compared = Comparison(batches, layout)
    scale = compared.best_scale()
    raw, scaled = compared.bias(), compared.bias(scale)
    unit = float(np.sqrt(np.mean(exact**2)))
    matters = np.abs(exact) > TINY
    total = float(np.abs(estimates).sum())
    spread = spread_given_action(batches, layout)
    return {
        "bias": raw.size,
        "bias_noise": raw.noise,
        "scale": scale,
        "bias_scaled": scaled.size if scale else 1.0,
        "bias_scaled_noise": scaled.noise,
        "std": spread,
        "std_scaled": scale * spread / unit,
        "correlation": _correlation(estimates, exact),
        "gradient_cosine": cosine(batches, layout),
        "decisive_share": float(np.abs(estimates[decisive]).sum()) / total if total > TINY else 0.0,
        "sign_errors": float(np.mean((estimates * exact)[matters] < 0.0)),
        "silent": float(np.mean(np.abs(estimates[matters]) <= TINY)),
    }


def _correlation(first: Floats, second: Floats) -> float:
    spread = float(first.std()) * float(second.std())
    return float(np.mean((first - first.mean()) * (second - second.mean()))) / spread if spread > TINY else 0.0
