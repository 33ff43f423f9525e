"""Code that draws from the process-wide generators, made to draw from generators of its own."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Iterator
from typing import Any

import numpy as np


class OwnChance:
    """The state of `random` and `numpy.random` as one environment has left them.

    Within `with chance:` foreign code draws from here; afterwards the process's own state is back, whatever happened.
    What it prints is thrown away.
    """

    def __init__(self) -> None:
        self._state: tuple[Any, Any] | None = None

    @contextlib.contextmanager
    def __call__(self, seed: int | None = None) -> Iterator[None]:
        """`seed`: begin anew from it."""
        outside = random.getstate(), np.random.get_state()  # noqa: NPY002  # kept and given back
        try:
            if seed is not None:
                random.seed(seed)
                np.random.seed(seed % 2**32)  # noqa: NPY002
            elif self._state is not None:
                random.setstate(self._state[0])
                np.random.set_state(self._state[1])  # noqa: NPY002
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        finally:
            self._state = random.getstate(), np.random.get_state()  # noqa: NPY002
            random.setstate(outside[0])
            np.random.set_state(outside[1])  # noqa: NPY002
