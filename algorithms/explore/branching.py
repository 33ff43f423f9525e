"""When a question's sampling forks: ARPO's and AEPO's decisions, from entropies and draws, without any model."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from turnwise.algorithms.checks import require_between, require_choice


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchingSettings:
    """Settings of entropy-guided forks."""

    rule: str = "arpo"
    """`arpo`, or `aepo`: forks become rarer the more rounds in a row have added paths to a question."""
    roots: int = 8
    """N, paths of a question that start from its beginning, >= 1; the rest of the budget is left for forks."""
    beam: int = 2
    """A path may fork into `beam - 1` others in one round, >= 1; 1 never forks."""
    branch_probability: float = 0.5
    """Probability of a fork where the entropy is that of the path's first segment, in [0, 1]."""
    entropy_weight: float = 0.2
    """Probability gained per unit of entropy above that of the path's first segment, >= 0."""
    first_k: int = 20
    """Tokens at the start of a segment whose entropy is summed, >= 1."""
    consecutive_penalty: float = 0.05
    """`aepo`: share of the draw taken away for each round in a row that added a path, in [0, 1]."""
    dynamic_roots: bool = False
    """Let a sample from the question decide how many roots it starts from, in place of `roots` (AEPO)."""
    beta: float = 0.5
    """Sensitivity of that number to the difference of entropies, >= 0."""

    def __post_init__(self) -> None:
        require_choice("rule", self.rule, tuple(RULES))
        for name in ("roots", "beam", "first_k"):
            require_between(name, getattr(self, name), 1)
        require_between("branch_probability", self.branch_probability, 0.0, 1.0)
        require_between("entropy_weight", self.entropy_weight, 0.0)
        require_between("consecutive_penalty", self.consecutive_penalty, 0.0, 1.0)
        require_between("beta", self.beta, 0.0)


def listed_entropies(top_logprobs: Iterable[Sequence[float]]) -> list[float]:
    """Entropy over the listed candidates of each token, as they are: not made to sum to 1.

    Args:
        top_logprobs: Log p of the candidates of each token, in nats; -inf counts 0.
    Returns: -sum p ln p per token, in nats.
    """
    return [-sum(math.exp(logprob) * logprob for logprob in row if logprob > -math.inf) + 0.0 for row in top_logprobs]


def segment_entropy(token_entropies: Sequence[float], *, vocabulary: int, first_k: int = 20) -> float:
    """Sum of the entropies of a segment's first tokens over the log of the vocabulary's size.

    Args:
        token_entropies: Of each token in nats, such as `Turn.topk_entropy` or `listed_entropies`.
        vocabulary: V, > 1.
        first_k: Tokens that count; a shorter segment counts whole, an empty one is 0.
    Returns: A number >= 0 without unit; up to `first_k`, not 1.
    Raises: ValueError if `vocabulary` or `first_k` is too small.
    Source: Dong et al. 2025 (ARPO), arXiv:2507.19849, section 3.1; the sum and ln V: its released code.
    """
    require_between("vocabulary", vocabulary, 2)
    require_between("first_k", first_k, 1)
    return math.fsum(token_entropies[:first_k]) / math.log(vocabulary)


def root_budget(budget: int, root_entropy: float, tool_entropies: Sequence[float], *, beta: float = 0.5) -> int:
    """How many of a question's paths start from its beginning: more, the more open the question itself is.

    Args:
        budget: M, paths per question, >= 1.
        root_entropy: Segment entropy of a reply to the question.
        tool_entropies: Segment entropies after tool results; none of them leaves the difference at 0.
        beta: Sensitivity to the difference, >= 0.
    Returns: floor(M sigmoid(beta (H_root - mean H_tool))) + 1, within [1, M].
    Raises: ValueError if `budget` is less than 1.
    Source: Dong et al. 2025 (AEPO), arXiv:2510.14545, section 3.2; the + 1: its released code.
    """
    require_between("budget", budget, 1)
    difference = root_entropy - math.fsum(tool_entropies) / len(tool_entropies) if tool_entropies else 0.0
    return min(max(math.floor(budget * _sigmoid(beta * difference)) + 1, 1), budget)


def arpo_forks(draw: float, rise: float, consecutive: int, settings: BranchingSettings) -> bool:
    """Whether clip(u - w dH, 0, 1) <= branch probability; a tie forks.

    Args:
        draw: u, uniform in [0, 1).
        rise: dH, entropy of the path's newest segment less that of its first.
        consecutive: Not used.
    """
    return min(max(draw - settings.entropy_weight * rise, 0.0), 1.0) <= settings.branch_probability


def aepo_forks(draw: float, rise: float, consecutive: int, settings: BranchingSettings) -> bool:
    """Whether clip((u + w dH) max(0, 1 - penalty c), 0, 1) >= branch probability; a tie forks.

    Args:
        draw: u, uniform in [0, 1).
        rise: dH, entropy of the path's newest segment less that of its first.
        consecutive: c, rounds in a row that added a path to the question.
    """
    held = max(0.0, 1.0 - settings.consecutive_penalty * consecutive)
    return min(max((draw + settings.entropy_weight * rise) * held, 0.0), 1.0) >= settings.branch_probability


RULES: dict[str, Callable[[float, float, int, BranchingSettings], bool]] = {"arpo": arpo_forks, "aepo": aepo_forks}


class Growth(NamedTuple):
    """A path that is to be played from now on."""

    kind: str
    """`fork` (of a path, after its newest observation) or `root` (from the question's beginning)."""
    source: int | None
    """Number of the path that is forked, within the question; None for a root."""
    path: int
    """Number of the new path, within the question."""


@dataclass(slots=True)
class QuestionTree:
    """The paths of one question, numbered 0.. in the order in which they began: the roots first."""

    settings: BranchingSettings
    budget: int
    """M, most paths of the question."""
    draws: Callable[[], float]
    """The next number in [0, 1) of the question's own stream; called once per attempt to fork."""
    roots: int = 0
    """Paths at the beginning; 0 takes that of the settings."""
    paths: int = field(init=False)
    """Paths so far."""
    consecutive: int = field(init=False, default=0)
    """Rounds in a row that added a path; see `grow_round`."""
    references: dict[int, float] = field(init=False, default_factory=dict)
    """Entropy of the first segment of each path that it generated itself."""

    def __post_init__(self) -> None:
        self.roots = self.roots or self.settings.roots
        require_budget(self.budget, self.roots)
        self.paths = self.roots

    def grow(self, entropies: Mapping[int, float], active: Collection[int]) -> list[Growth]:
        """Decide which paths fork after a round of generation; fresh roots follow where nothing is active any more.

        Args:
            entropies: Segment entropy of every path that generated in the round. A path seen for the first time
                takes it as its reference.
            active: Paths that go on and may be forked: those whose segment ended in a call that has been answered.
        Returns: The new paths in the order of their numbers, forks by ascending source before a root; never beyond
            the budget. One root at most: the next round may bring another.
        Raises: ValueError on an active path without an entropy, or a path that does not exist.
        """
        self._check(entropies, active)
        for path, entropy in entropies.items():
            self.references.setdefault(path, entropy)
        free = self.budget - self.paths
        grown: list[Growth] = []
        for source in sorted(active):
            rise = entropies[source] - self.references[source]
            for _ in range(min(self.settings.beam - 1, free - len(grown))):
                if RULES[self.settings.rule](self.draws(), rise, self.consecutive, self.settings):
                    grown.append(Growth("fork", source, self.paths + len(grown)))
        if not active and free > 0:
            grown.append(Growth("root", None, self.paths))
        self.paths += len(grown)
        return grown

    def _check(self, entropies: Mapping[int, float], active: Collection[int]) -> None:
        unknown = [path for path in (*entropies, *active) if not 0 <= path < self.paths]
        silent = sorted(set(active) - entropies.keys())
        if unknown or silent:
            raise ValueError(
                f"entropies are those of the {self.paths} paths that exist, and every active path has one: got unknown "
                f"paths {sorted(set(unknown))}, and none for the active {silent}"
            )


def grow_round(
    trees: Sequence[QuestionTree], entropies: Sequence[Mapping[int, float]], active: Sequence[Collection[int]]
) -> list[list[Growth]]:
    """One round of several questions, in their order, and what it does to their counts of rounds in a row.

    Counts move only in a round in which some question grew: those that did go up by 1, all others back to 0.
    A question that generates no more still takes part, with nothing active, as long as it has budget.

    Args:
        trees: [Q] one per question.
        entropies, active: [Q] what `QuestionTree.grow` takes.
    Returns: [Q] the new paths of each question.
    """
    grown = [tree.grow(heard, going) for tree, heard, going in zip(trees, entropies, active, strict=True)]
    if any(grown):
        for tree, new in zip(trees, grown, strict=True):
            tree.consecutive = tree.consecutive + 1 if new else 0
    return grown


def require_budget(budget: int, roots: int) -> None:
    """Raises ValueError unless a question's paths are at least its roots, and it has one."""
    if not 1 <= roots <= budget:
        raise ValueError(
            f"a question needs a budget (group_size) of at least its roots, and a root: got a budget of {budget} and "
            f"{roots} roots; raise group_size or lower roots"
        )


def _sigmoid(value: float) -> float:
    return 0.5 * (1.0 + math.tanh(0.5 * value))
