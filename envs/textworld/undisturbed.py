"""`undisturbed`: TextWorld draws from, and prints to, what belongs to the whole process; here nothing of it shows."""

from __future__ import annotations

import contextlib
import io
import random
import warnings
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Puts the process-wide generators of `random` and numpy back at the end, and swallows output and warnings.

    Importing TextWorld already draws from numpy's process-wide generator.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002  # only kept and put back
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
