"""vLLM in processes of its own, two of which share the model: the same promises, and nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from turnwise.agents.engine import Ask, Completion
from turnwise.agents.sampling import Sampling
from turnwise.agents.vllm import llm
from turnwise.agents.vllm.engine import VllmEngine
from turnwise.agents.vllm.llm import EngineDied

Prompts, Apart = list[tuple[int, ...]], Callable[..., float]
EXACT = 1e-4
LONG = Sampling(max_tokens=24)


@pytest.fixture(scope="module")
def pair(start: Callable[..., VllmEngine]) -> VllmEngine:
    return start(tensor_parallel=2, in_flight="continue")


def test_two_processes_sample_what_one_does(
    pair: VllmEngine, fp32: VllmEngine, model: Any, prompts: Prompts, apart: Apart
) -> None:
    assert not pair._vllm.shares_memory
    ours, theirs = (e.generate(prompts, range(12), LONG) for e in (pair, fp32))
    assert [c.ids for c in ours] == [c.ids for c in theirs]
    assert max(apart(model, p, c) for p, c in zip(prompts, ours, strict=True)) < EXACT


def test_weights_go_through_shared_memory_in_parts_and_leave_nothing(
    pair: VllmEngine, new_model: Callable[..., Any], prompts: Prompts, apart: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm, "SHARD_BYTES", 50_000)  # a few tensors a file
    pair.generate(prompts, range(12), LONG)
    other = new_model(7)
    pair.load(other.named_parameters, 1)
    found = pair.generate(prompts, range(12), LONG)
    assert max(apart(other, p, c) for p, c in zip(prompts, found, strict=True)) < EXACT
    assert {c.versions for c in found} == {((0, 1),)}
    assert not [*Path("/dev/shm").glob("turnwise-*/*")]


def test_requests_in_flight_go_on_under_the_new_weights(
    pair: VllmEngine, new_model: Callable[..., Any], prompts: Prompts, scored: Callable[..., Any]
) -> None:
    before, after = new_model(7), new_model(8)
    pair.load(before.named_parameters, 1)
    numbers = pair.submit([Ask(prompt, 40 + k, Sampling(max_tokens=300)) for k, prompt in enumerate(prompts)])
    deadline = time.monotonic() + 60
    states = pair._vllm._engine.output_processor.request_states
    while min(s.detokenizer.num_output_tokens() for s in states.values()) < 5 and time.monotonic() < deadline:
        pair._advance(1.0)
    pair.load(after.named_parameters, 2)
    found: dict[int, Completion] = {}
    while len(found) < len(numbers) and time.monotonic() < deadline:
        found |= {n: c for n, c in pair.receive(5.0) if isinstance(c, Completion)}
    spanning = 0
    for number, prompt in zip(numbers, prompts, strict=True):
        completion = found[number]
        own = torch.tensor(completion.logprobs)
        starts = [*(place for place, _ in completion.versions), len(completion.ids)]
        for (place, version), end in zip(completion.versions, starts[1:], strict=True):
            gaps = own - scored({1: before, 2: after}[version], prompt, completion)
            assert gaps[place:end].abs().max() < EXACT
        spanning += len(completion.versions) == 2
    assert spanning > 6


def test_a_wait_ends_when_it_is_over(pair: VllmEngine, prompts: Prompts) -> None:
    (number,) = pair.submit([Ask(prompts[0], 1, Sampling(max_tokens=400))])
    assert pair.receive(0.0) == []
    pair.withdraw([number])
    assert pair.receive(0.2) == []


def test_a_killed_engine_is_noticed_at_once_by_whoever_waits(pair: VllmEngine, prompts: Prompts) -> None:
    """The last test of the file: the engine is of no more use."""
    pair.settings = replace(pair.settings, deadline_s=120)
    pair.submit([Ask(prompt, 1, Sampling(max_tokens=400)) for prompt in prompts])
    pair.receive(0.5)
    children = [c for c in psutil.Process().children(recursive=True) if "VLLM" in " ".join(c.cmdline())]
    assert len(children) == 3  # the scheduler, and two that compute
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(EngineDied):
        for _ in range(60):  # of at most a second each, where the settings allow two minutes
            pair.receive(1.0)
    pair.close()
