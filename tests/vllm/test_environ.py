"""What vLLM reads from its environment, and what is put back after it."""

from __future__ import annotations

import os

import pytest
import torch

from turnwise.agents.vllm import environ


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    for name in ("VLLM_NO_USAGE_STATS", "TORCHDYNAMO_DISABLE"):
        monkeypatch.delenv(name, raising=False)
    environ.prepare(on_cpu=False)
    assert os.environ["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert os.environ["VLLM_NO_USAGE_STATS"] == "1"
    assert "TORCHDYNAMO_DISABLE" not in os.environ
    environ.prepare(on_cpu=True)
    assert os.environ["TORCHDYNAMO_DISABLE"] == "1"


@pytest.mark.parametrize("users", [None, "0", "1"])
def test_whether_vllm_has_processes_of_its_own_is_said_while_it_starts(
    users: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(environ.MULTIPROCESSING, raising=False)
    if users is not None:
        monkeypatch.setenv(environ.MULTIPROCESSING, users)
    for apart in (False, True):
        with environ.starting(own_process=apart):
            assert os.environ[environ.MULTIPROCESSING] == (users or str(int(apart)))
        assert os.environ.get(environ.MULTIPROCESSING) == users


@pytest.mark.parametrize(("visible", "gpu", "seen"), [(None, 3, "3"), ("4,5,6", 1, "5"), ("GPU-a, GPU-b", 1, "GPU-b")])
def test_a_process_sees_the_gpu_of_its_rank(
    visible: str | None, gpu: int, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(environ.VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(environ.VISIBLE, visible)
    with environ.seeing(gpu):
        assert os.environ[environ.VISIBLE] == seen
    assert os.environ.get(environ.VISIBLE) == visible


def test_randomness_threads_and_functions_are_put_back() -> None:
    torch.manual_seed(3)
    expected, threads, function = torch.rand(4), torch.get_num_threads(), torch.set_num_threads
    torch.manual_seed(3)
    with pytest.raises(RuntimeError, match="in between"), environ.starting(own_process=False):
        torch.rand(100)
        torch.set_num_threads(threads + 1)
        torch.set_num_threads = lambda count: None
        raise RuntimeError("in between")
    assert torch.equal(torch.rand(4), expected)
    assert torch.set_num_threads is function
    assert torch.get_num_threads() == threads
