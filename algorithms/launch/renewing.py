"""An engine that is given new weights by another thread, and takes them in between two calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnwise.agents.clock import ModelClock
from turnwise.agents.engine import AgentFailure, Ask, Completion, Engine, StreamingEngine, Weights
from turnwise.agents.sampling import Sampling


def renewing(engine: Engine) -> Renewing:
    """The engine, behind one that takes offers."""
    return RenewingStream(engine) if isinstance(engine, StreamingEngine) else Renewing(engine)


class Renewing:
    """Stands before an engine. Everything but `offer` belongs to the thread that plays."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self._offered: tuple[Weights, int] | None = None

    def offer(self, weights: Weights, version: int) -> None:
        """Go on with these weights soon. Any thread may call it; the latest offer counts."""
        self._offered = (weights, version)

    def catch_up(self) -> None:
        """Load what was offered, unless it is known or older."""
        offered, self._offered = self._offered, None
        if offered is not None and offered[1] > self.weight_version:
            self.engine.load(*offered)

    def generate(
        self,
        prompts: Sequence[tuple[int, ...]],
        seeds: Sequence[int],
        sampling: Sampling,
        begun: Sequence[tuple[int, ...]] = (),
    ) -> list[Completion]:
        """See `Engine`."""
        self.catch_up()
        found: list[Completion] = self.engine.generate(prompts, seeds, sampling, begun)
        return found

    def load(self, weights: Weights, version: int) -> None:
        """See `Engine`."""
        self.engine.load(weights, version)

    def close(self) -> None:
        """See `Engine`."""
        self.engine.close()

    @property
    def weight_version(self) -> int:
        """Of the weights that reply now."""
        return int(self.engine.weight_version)

    @property
    def sampled(self) -> int:
        """Tokens so far."""
        return int(self.engine.sampled)

    @property
    def clock(self) -> ModelClock:
        """The engine's own."""
        clock: ModelClock = self.engine.clock
        return clock

    @property
    def held_to_legal(self) -> bool:
        """Whether it samples legal actions only."""
        return bool(getattr(self.engine, "held_to_legal", False))


class RenewingStream(Renewing):
    """The same for an engine that answers one by one."""

    def submit(self, asks: Sequence[Ask]) -> list[int]:
        """See `StreamingEngine`."""
        self.catch_up()
        found: list[int] = self.engine.submit(asks)
        return found

    def receive(self, timeout_s: float) -> list[tuple[int, Completion | AgentFailure]]:
        """See `StreamingEngine`."""
        self.catch_up()
        found: list[tuple[int, Completion | AgentFailure]] = self.engine.receive(timeout_s)
        return found

    def withdraw(self, numbers: Sequence[int]) -> None:
        """See `StreamingEngine`."""
        self.engine.withdraw(numbers)
