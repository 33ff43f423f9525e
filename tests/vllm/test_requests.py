"""Requests one by one: who is done first comes first, who is withdrawn is forgotten, nobody waits for ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from turnwise.agents.context import ChatContext
from turnwise.agents.engine import AgentFailure, Ask, Completion
from turnwise.agents.sampling import Sampling
from turnwise.agents.vllm.engine import VllmEngine

Prompts = list[tuple[int, ...]]


def received(engine: VllmEngine, count: int) -> list[tuple[int, Completion]]:
    found: list[tuple[int, Completion]] = []
    while len(found) < count:
        for number, completion in engine.receive(60):
            assert isinstance(completion, Completion)
            found.append((number, completion))
    return found


def test_replies_come_back_as_they_are_done(engine: VllmEngine, prompts: Prompts) -> None:
    lengths = [30, 3, 12, 1]
    numbers = engine.submit([Ask(prompts[k], k, Sampling(max_tokens=most)) for k, most in enumerate(lengths)])
    assert len(set(numbers)) == 4
    found = received(engine, 4)
    assert [number for number, _ in found] == [numbers[k] for k in (3, 1, 2, 0)]
    whole = [engine.generate([prompts[k]], [k], Sampling(max_tokens=most))[0] for k, most in enumerate(lengths)]
    assert {n: c.ids for n, c in found} == dict(zip(numbers, [c.ids for c in whole], strict=True))
    assert engine.receive(0.0) == []


def test_a_batch_in_between_takes_nothing_from_those_who_wait(engine: VllmEngine, prompts: Prompts) -> None:
    numbers = engine.submit([Ask(prompts[k], k, Sampling(max_tokens=4 + k)) for k in range(3)])
    batch = engine.generate(prompts[3:5], [3, 4], Sampling(max_tokens=20))
    assert all(len(c.ids) == 20 or c.finished for c in batch)
    assert sorted(n for n, _ in received(engine, 3)) == numbers


def test_requests_that_are_withdrawn_are_forgotten_and_what_they_cost_is_counted(
    engine: VllmEngine, prompts: Prompts
) -> None:
    """Those in flight, one in its second part, one that is done but was not fetched, one that never was."""
    long = Sampling(max_tokens=200)
    before = engine.sampled
    numbers = engine.submit([Ask(prompts[0], 1, long), Ask(prompts[1], 5, replace(long, entropy_tokens=3))])
    numbers += engine.submit([Ask(prompts[2], 3, Sampling(max_tokens=1)), Ask(prompts[3], 4, Sampling(max_tokens=30))])
    for _ in range(9):
        engine._advance(60)
    engine.withdraw([*numbers[:3], 10**9])
    engine.withdraw(numbers[:3])
    ((number, kept),) = received(engine, 1)
    assert (number, len(kept.ids)) == (numbers[3], 30)
    assert engine._vllm._engine.get_num_unfinished_requests() == 0
    assert engine.sampled - before == 9 + 9 + 1 + 30
    assert engine.receive(0.0) == []


def test_a_reply_that_does_not_come_is_given_up(engine: VllmEngine, prompts: Prompts) -> None:
    engine.settings = replace(engine.settings, deadline_s=1e-6)
    numbers = engine.submit([Ask(prompts[0], 1, Sampling(max_tokens=50))])
    ((number, failure),) = engine.receive(60)
    assert number == numbers[0]
    assert isinstance(failure, AgentFailure)
    assert failure.kind == "timeout"
    assert "no reply in engine.vllm.deadline_s" in str(failure)
    with pytest.raises(AgentFailure, match="deadline_s"):
        engine.generate(prompts[:3], [0, 1, 2], Sampling(max_tokens=50))
    engine.settings = replace(engine.settings, deadline_s=60)
    assert engine.receive(0.0) == []
    assert len(engine.generate(prompts[:1], [0], Sampling(max_tokens=5))[0].ids) == 5


def test_more_requests_than_fit_wait_inside(start: Callable[..., VllmEngine], prompts: Prompts) -> None:
    """Three at once, and a cache of a few hundred tokens: requests are put off and computed again, none is lost."""
    engine = start(max_num_seqs=3, kv_cache_gb=32 * 24 * 1024 / 2**30)
    found = engine.generate(prompts * 2, range(24), Sampling(max_tokens=60))
    assert [len(c.ids) for c in found if not c.finished] == [60] * sum(not c.finished for c in found)
    assert len(found) == 24


def test_sleep_forgets_nothing_that_counts(engine: VllmEngine, prompts: Prompts) -> None:
    """On a CPU no memory is freed: what is tested is that requests go on and that whatever is asked wakes it."""
    sampling = Sampling(max_tokens=20)
    expected = engine.generate(prompts, range(12), sampling)
    engine.settings = replace(engine.settings, sleep=True)
    engine.sleep()
    engine.sleep()
    assert [c.ids for c in engine.generate(prompts, range(12), sampling)] == [c.ids for c in expected]
    numbers = engine.submit([Ask(prompts[0], 0, sampling)])
    engine._advance(60)
    engine.sleep()
    engine.wake()
    ((number, found),) = received(engine, 1)
    assert (number, found.ids) == (numbers[0], expected[0].ids)


# --- only what may be played ---------------------------------------------------------------------------------------


MOVES = ("[check]", "[bet]", "[call]", "[a move that is longer: 12, é]")


def test_grammar_samples_allowed_texts_only_and_says_their_masked_log_probs(
    engine: VllmEngine, model: Any, context: ChatContext, prompts: Prompts
) -> None:
    """At each token: what the model says, renormalised over what can still become an allowed text."""
    engine.settings = replace(engine.settings, grammar=True)
    asks = [Ask(prompts[0], seed, Sampling(max_tokens=40), allowed=MOVES[:2]) for seed in range(40)]
    found = dict(zip(engine.submit(asks), [None] * 40, strict=True)) | dict(received(engine, 40))
    texts = {context.decode(c.ids) for c in found.values() if c is not None}
    assert texts == set(MOVES[:2])
    completion = next(c for c in found.values() if c is not None)
    assert completion.finished and completion.ids[-1] == context.end_id
    vocabulary = [context.decode((token,)) for token in range(320)]
    said = ""
    for place, (token, logprob) in enumerate(zip(completion.ids, completion.logprobs, strict=True)):
        with torch.no_grad():
            ids = torch.tensor([[*prompts[0], *completion.ids[:place]]])
            logits = model(input_ids=ids).logits[0, -1].float()
        fits = [bool(text) and any(move.startswith(said + text) for move in MOVES[:2]) for text in vocabulary]
        fits[context.end_id] = said in MOVES[:2]
        masked = torch.log_softmax(logits.masked_fill(~torch.tensor(fits), -torch.inf), -1)
        assert logprob == pytest.approx(float(masked[token]), abs=1e-4)
        said += vocabulary[token]


def test_grammar_goes_on_with_what_was_begun(engine: VllmEngine, context: ChatContext, prompts: Prompts) -> None:
    engine.settings = replace(engine.settings, grammar=True)
    for begun, entropy, expected in (("[c", 0, {"heck]", "all]"}), ("[bet]", 0, {""}), ("", 2, set(MOVES))):
        said = context.encode_reply(begun)[:-1]
        sampling = Sampling(max_tokens=40, entropy_tokens=entropy, temperature=2.0)
        asks = [Ask(prompts[0] + said, seed, sampling, begun=said, allowed=MOVES) for seed in range(24)]
        engine.submit(asks)
        found = [c for _, c in received(engine, 24)]
        assert {context.decode(c.ids) for c in found} == expected
        assert all(c.finished for c in found)


def test_without_the_setting_nothing_is_held_to_what_is_allowed(
    engine: VllmEngine, context: ChatContext, prompts: Prompts
) -> None:
    engine.submit([Ask(prompts[0], seed, Sampling(max_tokens=20), allowed=MOVES) for seed in range(8)])
    assert not {context.decode(c.ids) for _, c in received(engine, 8)} & set(MOVES)


# --- adapters -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adapted(new_model: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """(folder of an adapter that changes every projection, the model with it merged in)."""
    from peft import LoraConfig, get_peft_model

    folder = tmp_path_factory.mktemp("adapter")
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    tuned: Any = get_peft_model(new_model(), LoraConfig(r=4, lora_alpha=8, target_modules=layers))
    draw = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, weight in tuned.named_parameters():
            if "lora_" in name:
                weight.copy_(0.2 * torch.randn(weight.shape, generator=draw))
    tuned.save_pretrained(folder)
    return str(folder), tuned.merge_and_unload().eval()


def test_an_adapter_samples_as_its_merged_weights(
    adapted: tuple[str, Any],
    start: Callable[..., VllmEngine],
    model: Any,
    prompts: Prompts,
    apart: Callable[..., float],
) -> None:
    folder, merged = adapted
    engine = start(lora=folder)
    found = engine.generate(prompts, range(12), Sampling(max_tokens=20))
    assert max(apart(merged, p, c) for p, c in zip(prompts, found, strict=True)) < 1e-4
    assert max(apart(model, p, c) for p, c in zip(prompts, found, strict=True)) > 0.1


def test_new_base_weights_under_an_adapter(
    adapted: tuple[str, Any],
    start: Callable[..., VllmEngine],
    model: Any,
    prompts: Prompts,
    apart: Callable[..., float],
) -> None:
    """The base goes where it was, and the adapter stays on top of it."""
    folder, merged = adapted
    engine = start(lora=folder)
    engine.load(model.named_parameters, 1)
    found = engine.generate(prompts, range(12), Sampling(max_tokens=20))
    assert max(apart(merged, p, c) for p, c in zip(prompts, found, strict=True)) < 1e-4
    assert {c.versions for c in found} == {((0, 1),)}


def test_a_folder_without_an_adapter_is_refused(start: Callable[..., VllmEngine], tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=r"has no adapter_config\.json"):
        start(lora=str(tmp_path))


# --- several engines in one process ---------------------------------------------------------------------------------


def test_an_engine_may_go_while_another_one_samples(
    engine: VllmEngine, start: Callable[..., VllmEngine], prompts: Prompts
) -> None:
    other = start()
    numbers = engine.submit([Ask(prompt, k, Sampling(max_tokens=20)) for k, prompt in enumerate(prompts)])
    engine._advance(60)
    expected = other.generate(prompts, range(12), Sampling(max_tokens=20))
    other.close()
    other.close()
    found = dict(received(engine, len(numbers)))
    assert [found[number].ids for number in numbers] == [c.ids for c in expected]
