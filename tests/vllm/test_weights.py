"""New weights in a running vLLM: in place, nothing old is used again, and every token knows its version."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from turnwise.agents.engine import Ask, Completion
from turnwise.agents.sampling import Sampling
from turnwise.agents.vllm.engine import VllmEngine

Prompts, Apart, NewModel = list[tuple[int, ...]], Callable[..., float], Callable[..., Any]
EXACT = 1e-4
GREEDY = Sampling(temperature=0.0, max_tokens=12)
LONG = Sampling(max_tokens=24)


def moved(model: Any, seed: int) -> Any:
    """The model after something like an update, in every weight."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=draw))
    return model


@pytest.fixture
def updated(new_model: NewModel) -> Any:
    return moved(new_model(), 3)


def everything(engine: VllmEngine) -> dict[int, Completion]:
    """What is in flight, once it is done."""
    found: dict[int, Completion] = {}
    while engine._open or engine._done:
        for number, completion in engine.receive(60):
            assert isinstance(completion, Completion)
            found[number] = completion
    return found


def test_after_a_sync_it_is_a_fresh_engine_with_these_weights(
    engine: VllmEngine, updated: Any, start: Callable[..., VllmEngine], prompts: Prompts, apart: Apart
) -> None:
    """Tokens and log-probs, greedy and sampled, with the caches of the weights before still warm."""
    before = engine.generate(prompts, range(12), LONG)
    engine.load(updated.named_parameters, 1)
    fresh = start(model=updated)
    for sampling in (GREEDY, LONG):
        ours, theirs = (e.generate(prompts, range(12), sampling) for e in (engine, fresh))
        for prompt, found, expected in zip(prompts, ours, theirs, strict=True):
            assert found.ids == expected.ids
            assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-5)
            assert apart(updated, prompt, found, sampling.temperature) < EXACT
            assert found.versions == ((0, 1),)
    assert [c.ids for c in ours] != [c.ids for c in before]
    assert engine.weight_version == 1


def test_many_updates_in_a_row(engine: VllmEngine, new_model: NewModel, prompts: Prompts, apart: Apart) -> None:
    model = new_model()
    for version in range(1, 9):
        engine.load(moved(model, version).named_parameters, version)
        found = engine.generate(prompts, range(12), GREEDY)
        assert max(apart(model, p, c) for p, c in zip(prompts, found, strict=True)) < EXACT
        assert {c.versions for c in found} == {((0, version),)}


def test_a_cache_of_the_weights_before_would_be_seen(
    engine: VllmEngine, updated: Any, prompts: Prompts, apart: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tests above would say if the prefix cache were kept."""
    long = prompts[-1] * 4
    engine.generate([long], [0], GREEDY)
    monkeypatch.setattr(engine._vllm._llm, "reset_prefix_cache", lambda **_: True)
    engine.load(updated.named_parameters, 1)
    cached = engine.cached
    (found,) = engine.generate([long], [0], GREEDY)
    assert engine.cached > cached
    assert apart(updated, long, found) > 0.01
    monkeypatch.undo()
    engine.load(updated.named_parameters, 2)
    (found,) = engine.generate([long], [0], GREEDY)
    assert apart(updated, long, found) < EXACT


def test_a_head_of_the_weights_before_would_be_seen(
    engine: VllmEngine, updated: Any, prompts: Prompts, apart: Apart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """vLLM's own reload on a CPU leaves a tied head stale: what packs it again is needed, and tested."""
    from turnwise.agents.vllm import worker

    monkeypatch.setattr(worker, "_pack_tied_heads", lambda model: None)
    engine.load(updated.named_parameters, 1)
    (found,) = engine.generate(prompts[:1], [0], GREEDY)
    assert apart(updated, prompts[0], found) > 0.01


def test_a_cache_that_cannot_be_cleared_is_an_error(
    engine: VllmEngine, updated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine._vllm._llm, "reset_prefix_cache", lambda **_: False)
    with pytest.raises(RuntimeError, match="kept a prefix cache"):
        engine.load(updated.named_parameters, 1)
    monkeypatch.undo()
    engine.load(updated.named_parameters, 1)


def test_the_trainer_s_weights_stay_its_own(engine: VllmEngine, updated: Any, prompts: Prompts, apart: Apart) -> None:
    """An update of the trainer's tensors in place does not reach the engine until it is loaded."""
    engine.load(updated.named_parameters, 1)
    (before,) = engine.generate(prompts[:1], [0], GREEDY)
    moved(updated, 9)
    (after,) = engine.generate(prompts[:1], [0], GREEDY)
    assert after.logprobs == pytest.approx(before.logprobs, abs=1e-5)
    assert apart(updated, prompts[0], after) > 0.01


def test_weights_may_come_one_by_one_in_another_precision(
    engine: VllmEngine, updated: Any, prompts: Prompts, apart: Apart
) -> None:
    engine.load(lambda: ((name, weight.detach().double()) for name, weight in updated.named_parameters()), 1)
    (found,) = engine.generate(prompts[:1], [0], GREEDY)
    assert apart(updated, prompts[0], found) < EXACT


# --- requests in flight ------------------------------------------------------------------------------------------


def in_flight(engine: VllmEngine, prompts: Prompts, sampling: Sampling = LONG) -> list[int]:
    """Submit them, and let all get some tokens, none all."""
    numbers = engine.submit([Ask(prompt, 40 + k, sampling) for k, prompt in enumerate(prompts)])
    for _ in range(7):
        engine._advance(60)
    assert [*engine._open] == numbers
    return numbers


def test_drain_ends_what_runs_under_the_old_weights(
    engine: VllmEngine, model: Any, updated: Any, prompts: Prompts, apart: Apart
) -> None:
    numbers = in_flight(engine, prompts, replace(LONG, entropy_tokens=9))  # some are in their first part, and go on
    engine.load(updated.named_parameters, 5)
    later = engine.submit([Ask(prompts[0], 1, LONG)])
    found = everything(engine)
    for number, prompt in zip(numbers, prompts, strict=True):
        assert found[number].versions == ((0, 0),)
        assert apart(model, prompt, found[number]) < EXACT
    assert found[later[0]].versions == ((0, 5),)
    assert apart(updated, prompts[0], found[later[0]]) < EXACT


@pytest.mark.parametrize("entropy", [0, 3, 9])
def test_continue_goes_on_exactly_under_the_new_weights(
    entropy: int, engine: VllmEngine, model: Any, updated: Any, prompts: Prompts, scored: Callable[..., Any]
) -> None:
    """Each token's log-prob is the one of the version that it is recorded with, its whole context computed anew."""
    engine.settings = replace(engine.settings, in_flight="continue")
    numbers = in_flight(engine, prompts, replace(LONG, entropy_tokens=entropy))
    engine.load(updated.named_parameters, 5)
    found = everything(engine)
    spans = set()
    for number, prompt in zip(numbers, prompts, strict=True):
        completion = found[number]
        assert len(completion.ids) == len(completion.logprobs)
        spans.add(completion.versions)
        (first, old), (switch, new) = completion.versions
        assert (first, old, new) == (0, 0, 5)
        own = torch.tensor(completion.logprobs)
        assert (own - scored(model, prompt, completion))[:switch].abs().max() < EXACT
        assert (own - scored(updated, prompt, completion))[switch:].abs().max() < EXACT
        assert (own - scored(model, prompt, completion))[switch:].abs().max() > 0.01
    assert len(spans) == 1
    assert engine.weight_version == 5


def test_several_updates_while_a_reply_is_sampled(
    engine: VllmEngine, model: Any, new_model: NewModel, prompts: Prompts, scored: Callable[..., Any]
) -> None:
    engine.settings = replace(engine.settings, in_flight="continue")
    (number,) = in_flight(engine, prompts[:1], Sampling(max_tokens=60))
    models = {0: model, 1: moved(new_model(), 1), 2: moved(new_model(), 2)}
    for version in (1, 2):
        engine.load(models[version].named_parameters, version)
        for _ in range(5):
            engine._advance(60)
    found = everything(engine)[number]
    assert [version for _, version in found.versions] == [0, 1, 2]
    starts = [*(start for start, _ in found.versions), len(found.ids)]
    for (start, version), end in zip(found.versions, starts[1:], strict=True):
        gaps = torch.tensor(found.logprobs) - scored(models[version], prompts[0], found)
        assert gaps[start:end].abs().max() < EXACT


# --- bfloat16: a true mismatch between sampler and trainer --------------------------------------------------------


def test_bfloat16_is_apart_from_the_trainer_by_a_known_measure(
    start: Callable[..., VllmEngine], model: Any, prompts: Prompts, scored: Callable[..., Any]
) -> None:
    engine = start(dtype=torch.bfloat16)
    found = engine.generate(prompts * 4, range(48), LONG)
    gaps = torch.cat([scored(model, p, c) - torch.tensor(c.logprobs) for p, c in zip(prompts * 4, found, strict=True)])
    k3 = torch.exp(gaps) - gaps - 1
    print(
        f"\nbf16 engine, fp32 trainer, {len(gaps)} tokens: mean |d| {gaps.abs().mean():.1e}, max |d| "
        f"{gaps.abs().max():.1e}, mean k3 {k3.mean():.1e}, 99.9% k3 {k3.quantile(0.999):.1e} nats"
    )
    assert 1e-3 < gaps.abs().mean() < 0.1
    assert 0.01 < gaps.abs().max() < 1.0
    assert 1e-6 < k3.mean() < 1e-2
    assert abs(float(gaps.mean())) < 0.02
    again = engine.generate(prompts * 4, range(48), LONG)
    assert [c.ids for c in again] == [c.ids for c in found]
