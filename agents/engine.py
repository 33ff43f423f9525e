"""What an engine is: token ids in, sampled ids and their log-probs out, and new weights in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from turnwise.agents.sampling import Sampling
from turnwise.quick import quick

if TYPE_CHECKING:
    from torch import Tensor

    from turnwise.agents.clock import ModelClock

ENTROPY_CANDIDATES = 10
"""Likeliest tokens that the entropy of a position is taken over."""

Weights = Callable[[], "Iterable[tuple[str, Tensor]]"]
"""Gives every weight under its Hugging Face name, whole, on any device."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What the engine sampled for one prompt."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Log p under the distribution that was sampled: after temperature and top-p (greedy: the untempered one). Nats."""
    finished: bool
    """False where `max_tokens` cut it."""
    topk_entropy: tuple[float, ...] | None = None
    versions: tuple[tuple[int, int], ...] = ()
    """(first token, version of the weights) per span; empty where the engine's `weight_version` holds throughout."""


make_completion = quick(Completion)


@dataclass(frozen=True, slots=True)
class Ask:
    """One reply to be sampled."""

    prompt: tuple[int, ...]
    """At least one token; it ends with `begun`."""
    seed: int
    sampling: Sampling
    begun: tuple[int, ...] = ()
    """Tokens of this very reply that were sampled before; only new ones are returned."""
    session: str | None = None
    """Requests of one session share a growing prompt: they go where its beginning is cached."""
    allowed: tuple[str, ...] | None = None
    """The actions that may be played now, for an engine that is asked to sample no other ones."""


make_ask = quick(Ask)


class AgentFailure(RuntimeError):
    """An agent could not reply: its episode ends with status `kind`, and the text says why."""

    def __init__(self, text: str, kind: Literal["agent_error", "timeout"] = "agent_error") -> None:
        super().__init__(text)
        self.kind: Literal["agent_error", "timeout"] = kind


class EngineDied(RuntimeError):
    """An engine is gone, with all that it was asked; a new one can be started in its place."""


class Engine(Protocol):
    """What samples tokens."""

    weight_version: int
    """Counts the updates of the weights."""
    sampled: int
    """Tokens sampled so far, whatever became of them."""
    clock: ModelClock

    def generate(
        self,
        prompts: Sequence[tuple[int, ...]],
        seeds: Sequence[int],
        sampling: Sampling,
        begun: Sequence[tuple[int, ...]] = (),
    ) -> list[Completion]:
        """One completion per prompt, in order. begun: see `Ask`, one per prompt."""
        ...

    def load(self, weights: Weights, version: int) -> None:
        """Go on with these weights, in place; replies from now on are of this version."""
        ...

    def close(self) -> None:
        """Let go of everything; the engine is of no more use. May be called twice."""
        ...


@runtime_checkable
class StreamingEngine(Engine, Protocol):
    """An engine whose replies come back one by one, each as soon as it is done."""

    def submit(self, asks: Sequence[Ask]) -> list[int]:
        """Hand requests in; returns their numbers, in order."""
        ...

    def receive(self, timeout_s: float) -> list[tuple[int, Completion | AgentFailure]]:
        """Get on with the work; (number, what came of it) of every request that is done by now, [] after `timeout_s`.

        A request that cannot be answered comes back as the failure that says why; the others are not touched by it.
        """
        ...

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Forget these requests: nobody waits for them any more. Unknown numbers are ignored."""
        ...
