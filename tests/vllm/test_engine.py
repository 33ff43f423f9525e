"""What vLLM samples: exact log-probs, seeds, ends, entropies; equal to the local engine wherever that is defined."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.agents.engine import StreamingEngine
from turnwise.agents.local import LocalEngine
from turnwise.agents.sampling import Sampling
from turnwise.agents.vllm.engine import VllmEngine

Prompts, Apart = list[tuple[int, ...]], Callable[..., float]
EXACT = 1e-4
"""Nats. What was measured is 30 times less."""


def test_it_streams(engine: VllmEngine) -> None:
    assert isinstance(engine, StreamingEngine)


@pytest.mark.parametrize(
    ("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.7, 1.0), (1.0, 0.8), (0.6, 0.5), (0.0, 1.0)]
)
def test_logprobs_are_those_of_the_sampled_distribution_under_the_trainer_s_forward(
    temperature: float, top_p: float, engine: VllmEngine, model: Any, prompts: Prompts, apart: Apart
) -> None:
    """Raw log-probs would be off by tenths of a nat wherever the temperature is not 1."""
    sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=24)
    found = engine.generate(prompts, range(len(prompts)), sampling)
    gaps = [apart(model, p, c, temperature, top_p) for p, c in zip(prompts, found, strict=True)]
    assert max(gaps) < EXACT
    if temperature not in (0.0, 1.0):
        assert max(apart(model, p, c) for p, c in zip(prompts, found, strict=True)) > 0.1
    assert len({c.ids for c in found}) == len(prompts)


def test_greedy_replies_are_the_local_engine_s(engine: VllmEngine, local: LocalEngine, prompts: Prompts) -> None:
    greedy = Sampling(temperature=0.0, max_tokens=24)
    ours, theirs = (e.generate(prompts, [0] * len(prompts), greedy) for e in (engine, local))
    for found, expected in zip(ours, theirs, strict=True):
        assert (found.ids, found.finished) == (expected.ids, expected.finished)
        assert found.logprobs == pytest.approx(expected.logprobs, abs=EXACT)
        assert found.versions == ((0, 0),)


def test_samples_are_spread_as_the_model_says(engine: VllmEngine, scored: Callable[..., Any], model: Any) -> None:
    """Chi-square over the likeliest first tokens of 4,000 draws, each with a seed of its own."""
    prompt, draws = (5, 9, 30, 31, 60), 4000
    with torch.no_grad():
        expected = torch.softmax(model(input_ids=torch.tensor([prompt])).logits[0, -1].float() / 0.8, -1).numpy()
    found = engine.generate([prompt] * draws, range(draws), Sampling(temperature=0.8, max_tokens=1))
    counts = np.bincount([c.ids[0] for c in found], minlength=len(expected))
    top = np.argsort(-expected)[:20]
    observed = np.append(counts[top], draws - counts[top].sum())
    wanted = np.append(expected[top], 1 - expected[top].sum()) * draws
    assert ((observed - wanted) ** 2 / wanted).sum() < 45.3  # 20 degrees of freedom, p = 0.001


def test_a_reply_follows_from_its_seed_alone_or_in_a_batch(engine: VllmEngine, prompts: Prompts) -> None:
    sampling = Sampling(max_tokens=16)
    seeds = [2**62 + k for k in range(len(prompts))]
    together = engine.generate(prompts, seeds, sampling)
    assert [c.ids for c in engine.generate(prompts, seeds, sampling)] == [c.ids for c in together]
    for prompt, seed, expected in zip(prompts[:4], seeds, together, strict=False):
        (alone,) = engine.generate([prompt], [seed], sampling)
        assert alone.ids == expected.ids
    others = engine.generate(prompts, [seed + 1 for seed in seeds], sampling)
    assert all(a.ids != b.ids for a, b in zip(together, others, strict=True))


def test_same_prompt_other_seed_other_reply(engine: VllmEngine, prompts: Prompts) -> None:
    found = engine.generate(prompts[:1] * 16, range(16), Sampling(max_tokens=8))
    assert len({c.ids for c in found}) == 16


# --- how replies end ---------------------------------------------------------------------------------------------


def test_an_end_token_stays_and_finishes_and_a_cut_reply_is_not_finished(
    engine: VllmEngine, local: LocalEngine, prompts: Prompts
) -> None:
    """Whatever token is declared the end: the first that the greedy reply holds twice or more, or holds last."""
    greedy = Sampling(temperature=0.0, max_tokens=12)
    (whole,) = local.generate(prompts[:1], [0], greedy)
    assert not whole.finished
    for place in (0, 5, 11):
        end_id, expected = whole.ids[place], whole.ids[: whole.ids.index(whole.ids[place]) + 1]
        other = LocalEngine(local.model, end_id=end_id, pad_id=local.pad_id, decode=local.decode)
        kept, engine.end_id = engine.end_id, end_id
        try:
            (ours,), (theirs,) = (e.generate(prompts[:1], [0], greedy) for e in (engine, other))
        finally:
            engine.end_id = kept
        assert ours.ids == theirs.ids == expected
        assert ours.finished and theirs.finished
    (cut,) = engine.generate(prompts[:1], [0], greedy)
    assert (cut.ids, cut.finished) == (whole.ids, False)


def _stops(text: str, place: int) -> st.SearchStrategy[tuple[str, ...]]:
    """Pieces of a text, half of them around a place in it, and some that it does not hold.

    Half a character is no text: who decodes when decides on it.
    """
    anywhere = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 4))
    around = st.tuples(st.integers(max(place - 2, 0), place), st.integers(2, 4))
    piece = (anywhere | around).map(lambda span: text[span[0] : span[0] + span[1]])
    piece = piece.filter(lambda found: bool(found) and "\ufffd" not in found)
    return st.lists(piece | st.just("~nowhere~"), min_size=1, max_size=3).map(tuple)


@settings(max_examples=25)
@given(data=st.data())
def test_stop_texts_end_a_greedy_reply_at_the_local_engine_s_token(
    data: st.DataObject, fp32: VllmEngine, local: LocalEngine, prompts: Prompts
) -> None:
    """Wherever the reply was split before: a stop text may begin in what was said already."""
    prompt = data.draw(st.sampled_from(prompts[:4]))
    greedy = Sampling(temperature=0.0, max_tokens=20)
    (whole,) = local.generate([prompt], [0], greedy)
    text = local.decode(whole.ids)
    said = whole.ids[: data.draw(st.integers(0, 10))]
    begun = local.decode(said)
    stop = tuple(s for s in data.draw(_stops(text, len(begun))) if s not in begun)
    entropy = data.draw(st.sampled_from([0, 0, 3]))
    sampling = dataclasses.replace(greedy, stop=stop, entropy_tokens=entropy, max_tokens=20 - len(said))
    ours, theirs = (e.generate([prompt + said], [0], sampling, [said])[0] for e in (fp32, local))
    assert (ours.ids, ours.finished) == (theirs.ids, theirs.finished)
    assert ours.logprobs == pytest.approx(theirs.logprobs, abs=EXACT)


@pytest.mark.parametrize("first", [1, 3, 40])
def test_entropies_of_the_first_tokens_only(
    first: int, engine: VllmEngine, local: LocalEngine, prompts: Prompts, apart: Apart, model: Any
) -> None:
    greedy = Sampling(temperature=0.0, max_tokens=12, entropy_tokens=first)
    ours, theirs = (e.generate(prompts, [0] * len(prompts), greedy) for e in (engine, local))
    for found, expected in zip(ours, theirs, strict=True):
        assert found.ids == expected.ids
        assert found.topk_entropy == pytest.approx(expected.topk_entropy, abs=EXACT)
        assert len(found.topk_entropy or ()) == min(first, len(found.ids))
    warm = Sampling(temperature=0.7, top_p=0.9, max_tokens=12, entropy_tokens=first)
    for prompt, found in zip(prompts, engine.generate(prompts, range(12), warm), strict=True):
        assert apart(model, prompt, found, 0.7, 0.9) < EXACT
        assert max(found.topk_entropy or ()) <= np.log(10) + 1e-5


def test_a_begun_reply_goes_on_with_another_stream(
    engine: VllmEngine, prompts: Prompts, model: Any, apart: Apart
) -> None:
    sampling = Sampling(max_tokens=8)
    (whole,) = engine.generate(prompts[:1], [3], sampling)
    said = whole.ids[:4]
    again = [engine.generate([prompts[0] + said], [3], sampling, [said])[0] for _ in range(2)]
    assert again[0].ids == again[1].ids
    assert apart(model, prompts[0] + said, again[0]) < EXACT
    (fresh,) = engine.generate([prompts[0] + said], [3], sampling)
    assert fresh.ids != again[0].ids  # not the seed's first draws once more


# --- what it leaves alone, and what it refuses -------------------------------------------------------------------


def test_nobody_else_s_randomness_or_threads_are_touched(engine: VllmEngine, prompts: Prompts) -> None:
    torch.manual_seed(11)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()  # noqa: NPY002
    engine.generate(prompts, range(12), Sampling(max_tokens=4))
    after = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    torch.set_num_threads(2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before[3])


def test_counters(engine: VllmEngine, prompts: Prompts) -> None:
    sampled, seconds, read, cached = engine.sampled, engine.clock.seconds, engine.read, engine.cached
    prompt = prompts[-1]
    (first,) = engine.generate([prompt], [1], Sampling(max_tokens=40))
    (second,) = engine.generate([prompt + first.ids + prompts[0]], [2], Sampling(max_tokens=40))
    assert engine.sampled - sampled == len(first.ids) + len(second.ids)
    assert engine.clock.seconds > seconds
    assert engine.read - read == 2 * len(prompt) + len(first.ids) + len(prompts[0])
    assert engine.cached - cached >= 64  # two blocks of 32 or more: the next turn reads what the last one cached


@pytest.mark.parametrize(
    ("prompt", "sampling", "message"),
    [
        ((), Sampling(), "at least one token"),
        ((3,) * 500, Sampling(max_tokens=64), "fit into agent.context.max_context=512 tokens: got 500"),
        ((3, 4), Sampling(temperature=0.001), "temperature from 0.01 to 2, or greedily at 0: got 0.001"),
        ((3, 4), Sampling(temperature=2.5), "temperature from 0.01 to 2, or greedily at 0: got 2.5"),
    ],
)
def test_what_cannot_be_sampled_is_refused(
    prompt: tuple[int, ...], sampling: Sampling, message: str, engine: VllmEngine
) -> None:
    with pytest.raises(ValueError, match=message):
        engine.generate([(3, 4, 5), prompt], [0, 1], sampling)
    assert engine.receive(0.0) == []


def test_rows_of_the_model_that_stand_for_no_token_are_never_sampled(
    start: Callable[..., VllmEngine], tokenizer: Any, new_model: Callable[..., Any]
) -> None:
    """In a model whose vocabulary is a multiple of 64, as many are."""
    padded = new_model()
    padded.resize_token_embeddings(-(-len(tokenizer) // 64) * 64 + 64, mean_resizing=False)
    with torch.no_grad():
        padded.get_input_embeddings().weight[len(tokenizer) :] = 2.0 * padded.get_input_embeddings().weight[9]
    assert padded.config.vocab_size > len(tokenizer)
    engine = start(model=padded)
    draws = engine.generate([(5, 6, 7)] * 64, range(64), Sampling(max_tokens=32, temperature=2.0))
    assert max(token for c in draws for token in c.ids) < len(tokenizer)
    prompt, found = (5, 6, 7), draws[0]
    with torch.no_grad():
        logits = padded(input_ids=torch.tensor([[*prompt, *found.ids]])).logits[0, 2:-1, : len(tokenizer)] / 2.0
    own = torch.log_softmax(logits, -1).gather(1, torch.tensor(found.ids)[:, None])[:, 0]
    assert torch.allclose(torch.tensor(found.logprobs), own, atol=EXACT)


def test_heads_that_vllm_cannot_run_are_refused_with_what_to_set(
    start: Callable[..., VllmEngine], tokenizer: Any
) -> None:
    from turnwise.agents.tiny import TinyModel, build_model

    with pytest.raises(ValueError, match=r"16 wide; of the tiny model set model\.tiny\.head_dim=64"):
        start(model=build_model(TinyModel(), tokenizer, 0))
