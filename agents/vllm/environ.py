"""What vLLM does to its process: the environment that it reads, and the global state that is put back after it."""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

DEFAULTS = {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # processes of one machine would all be bound to its first cores
}
"""What vLLM's environment is, where the user has set nothing else."""
CPU_DEFAULTS = {
    "TORCHDYNAMO_DISABLE": "1",  # else a helper is compiled at the first request: seconds, and g++ is needed
    "OMP_NUM_THREADS": "1",  # threads that spin beside other processes cost more than they bring
}
MULTIPROCESSING = "VLLM_ENABLE_V1_MULTIPROCESSING"
VISIBLE = "CUDA_VISIBLE_DEVICES"


def prepare(*, on_cpu: bool) -> None:
    """Set what vLLM reads as it is imported; what the user has set stays."""
    for name, value in {**DEFAULTS, **(CPU_DEFAULTS if on_cpu else {})}.items():
        os.environ.setdefault(name, value)


@contextmanager
def seeing(gpu: int) -> Iterator[None]:
    """Processes that are started meanwhile see this GPU alone, of those that this one sees."""
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = str(gpu) if before is None else before.split(",")[gpu].strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = before


@contextmanager
def starting(*, own_process: bool) -> Iterator[None]:
    """Around the making of an engine: in a process of its own or in this one, and nothing global is changed by it.

    In this process vLLM seeds every generator, and on a CPU replaces torch.set_num_threads by nothing. (What it does to
    torch.accelerator stays: it has no meaning on a CPU, and vLLM needs it.)
    """
    users = os.environ.get(MULTIPROCESSING)
    python, arrays = random.getstate(), np.random.get_state()  # noqa: NPY002  # to put it back
    set_num_threads = torch.set_num_threads
    if "vllm.envs" in sys.modules:  # it remembers what its environment was for the last engine
        sys.modules["vllm.envs"].disable_envs_cache()
    os.environ.setdefault(MULTIPROCESSING, str(int(own_process)))
    with undisturbed():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            torch.set_num_threads = set_num_threads
            random.setstate(python)
            np.random.set_state(arrays)  # noqa: NPY002
            if users is None:
                del os.environ[MULTIPROCESSING]


@contextmanager
def stopping(*, last: bool) -> Iterator[None]:
    """Around the end of an engine in this process: but for the last one, the others need vLLM's groups of processes."""
    import vllm.v1.engine.core as core

    tear_down = core.cleanup_dist_env_and_memory
    if not last:
        core.cleanup_dist_env_and_memory = lambda *_, **__: None
    try:
        with undisturbed():
            yield
    finally:
        core.cleanup_dist_env_and_memory = tear_down


@contextmanager
def undisturbed() -> Iterator[None]:
    """Torch's generator on the CPU, which vLLM draws from even where every request has a seed, is put back; and the
    trainer's autocast does not reach into vLLM, which has a dtype of its own."""
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    try:
        with torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_rng_state(state)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
