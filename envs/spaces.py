"""`FreeText`: the Gymnasium space of every observation and every reply; `TextObservation`: a str that PettingZoo takes.

`gymnasium.spaces.Text` holds texts over a fixed alphabet, so that a newline or a card symbol falls out of it, and its
samples are noise, so that an official checker never plays a legal move.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from gymnasium.error import CustomSpaceError
from gymnasium.spaces import Text
from gymnasium.vector.utils import create_shared_memory

LONGEST_TEXT = 1_000_000  # characters
_LONGEST_NOISE = 20  # characters

Sampler = Callable[[np.random.Generator], str | None]


class TextObservation(str):
    """A str with the `dtype` that PettingZoo's `api_test` asks every observation for."""

    __slots__ = ()
    dtype: ClassVar[np.dtype[np.str_]] = np.dtype(str)


class FreeText(Text):
    """Every unicode text of at most `max_length` characters.

    sampler: returns a reply for `sample`, for example a legal move of the live game, from the space's own generator;
    None where it knows none. Without it, or then, samples are a few printable characters of noise. A copied or
    unpickled space has no sampler: it belongs to no live game.
    """

    def __init__(
        self,
        max_length: int = LONGEST_TEXT,
        *,
        sampler: Sampler | None = None,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(max_length, min_length=0, charset=string.printable, seed=seed)
        self.sampler = sampler

    def sample(self, mask: Any | None = None, probability: Any | None = None) -> str:
        """A reply out of the live game, or noise. Raises ValueError for a mask: the sampler knows what is legal."""
        if mask is not None or probability is not None:
            raise ValueError("FreeText samples legal replies by itself and takes no mask or probability: leave it out")
        reply = None if self.sampler is None else self.sampler(self.np_random)
        if reply is not None:
            return reply
        length = int(self.np_random.integers(1 + min(self.max_length, _LONGEST_NOISE)))
        return "".join(self.np_random.choice(self.character_list, size=length).tolist())

    def contains(self, x: Any) -> bool:
        """Is it a str of at most `max_length` characters?"""
        return isinstance(x, str) and len(x) <= self.max_length

    def __repr__(self) -> str:
        return f"FreeText({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FreeText) and self.max_length == other.max_length

    __hash__ = None  # type: ignore[assignment]  # mutable, as every Gymnasium space

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "sampler": None}


@create_shared_memory.register(FreeText)
def _refuse_shared_memory(space: FreeText, n: int = 1, ctx: Any = None) -> None:
    """Shared memory would cut texts and mangle unicode without a word; AsyncVectorEnv reports this."""
    raise CustomSpaceError(f"{space} holds texts of any length: an asynchronous vector env needs shared_memory=False")
