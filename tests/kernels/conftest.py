"""Kernels in tests: compiled where there is a GPU, elsewhere run by Triton's interpreter.

Kernels live in files `kernels/*_triton.py`, the only ones that import triton when they load; the public function
imports its own when it is given CUDA tensors. A test takes the fixture `device` and calls the function of that file
with tensors there (the public one would take torch's path on a CPU). The top conftest.py asks for the interpreter,
since something has imported triton long before this folder is read. It takes about a millisecond per tile: keep shapes
small, and blocks too, so that a few tokens reach past one.
"""

from __future__ import annotations

import pytest
import torch

OLDEST_INTERPRETER = (3, 7, 1)
"""Older ones cannot take `range` over a bound that is known at run time from numpy 2.4 on."""


@pytest.fixture(scope="session")
def device() -> torch.device:
    """Where the tensors of a kernel under test lie."""
    import triton

    if torch.cuda.is_available():
        return torch.device("cuda")
    if tuple(int(number) for number in triton.__version__.split(".")[:3]) < OLDEST_INTERPRETER:
        pytest.skip(f"Triton {triton.__version__} interprets no loop over a run-time bound under numpy 2.4")
    assert triton.knobs.runtime.interpret, "set TRITON_INTERPRET=1 before anything imports triton"
    return torch.device("cpu")
