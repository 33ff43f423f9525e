"""The local engine against the model's own plain forward pass."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from turnwise.agents.context import ChatContext
from turnwise.agents.decoder import Decoder
from turnwise.agents.engine import Completion
from turnwise.agents.local import LocalEngine
from turnwise.agents.sampling import Sampling, uniforms

Forward = Callable[[Sequence[int]], torch.Tensor]
Engines = Callable[..., LocalEngine]

PROMPTS = [(1, 40, 41, 42), (1, 40, 41, 42), (50,), (1, 40), (60, 61, 62, 63, 64, 65, 66, 67), (1, 40, 41, 42)]
SEEDS = [11, 12, 13, 14, 15, 16]


def sampled(logprobs: torch.Tensor, seed: int, position: int) -> int:
    """The token that the seed's draw picks from one distribution, by its cumulative sum."""
    draw = uniforms(np.array([seed], dtype=np.uint64), position)[0]
    cumulative = np.cumsum(logprobs.double().exp().numpy())
    return int((cumulative <= draw * cumulative[-1]).sum())


def one_by_one(forward: Forward, prompt: Sequence[int], seed: int, steps: int, end_id: int) -> tuple[int, ...]:
    """Sampling without cache, batch, or padding: one plain forward pass a token."""
    ids = list(prompt)
    for position in range(steps):
        ids.append(sampled(forward(ids)[-1], seed, position))
        if ids[-1] == end_id:
            break
    return tuple(ids[len(prompt) :])


def near(left: Sequence[Completion], right: Sequence[Completion]) -> None:
    """The same tokens, and log-probs that agree but for rounding."""
    assert [c.ids for c in left] == [c.ids for c in right]
    assert [c.finished for c in left] == [c.finished for c in right]
    for a, b in zip(left, right, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(rows whose next token is asked for, tokens read) of every forward pass."""
    found: list[tuple[int, int]] = []
    original = Decoder.__call__

    def noted(self: Decoder, ids: Any, positions: Any, attending: Any, kept: int) -> Any:
        found.append((kept, len(ids)))
        return original(self, ids, positions, attending, kept)

    monkeypatch.setattr(Decoder, "__call__", noted)
    return found


def test_tokens_and_logprobs_are_those_of_the_plain_forward_pass(engine: Engines, forward: Forward) -> None:
    """Prompts of four lengths, three of them equal: padding, sharing and parting rows all happen."""
    local = engine()
    completions = local.generate(PROMPTS, SEEDS, Sampling(max_tokens=6))
    for prompt, seed, completion in zip(PROMPTS, SEEDS, completions, strict=True):
        assert completion.ids == one_by_one(forward, prompt, seed, 6, local.end_id)
        before = forward([*prompt, *completion.ids])[len(prompt) - 1 : -1]
        expected = before[range(len(completion.ids)), completion.ids]
        assert completion.logprobs == pytest.approx(expected.tolist(), abs=1e-5)
    assert len({completions[i].ids for i in (0, 1, 5)}) == 3  # equal prompts, other seeds


def test_padding_does_not_move_absolute_positions(context: Callable[..., ChatContext]) -> None:
    """GPT-2 learns a vector per position, so a row that is padded on the left must still begin at position 0."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"vocab_size": 96, "n_positions": 32, "n_embd": 32, "n_layer": 1, "n_head": 2}
        model = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=95, eos_token_id=95)).eval()
    with torch.no_grad():
        model.transformer.wpe.weight.mul_(50)
    local = LocalEngine(model, end_id=95, pad_id=0, decode=context().decode)
    completions = local.generate(PROMPTS, SEEDS, Sampling(max_tokens=6))
    for prompt, completion in zip(PROMPTS, completions, strict=True):
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *completion.ids]])).logits[0]
        before = torch.log_softmax(logits, dim=-1)[len(prompt) - 1 : -1]
        expected = before[range(len(completion.ids)), completion.ids]
        assert completion.logprobs == pytest.approx(expected.tolist(), abs=1e-5)


def test_temperature_is_in_the_logprobs(engine: Engines, forward: Forward) -> None:
    (completion,) = engine().generate([PROMPTS[0]], [3], Sampling(temperature=2.5, max_tokens=4))
    before = forward([*PROMPTS[0], *completion.ids])[len(PROMPTS[0]) - 1 : -1]
    tempered = torch.log_softmax(before / 2.5, dim=-1)
    assert completion.logprobs == pytest.approx(tempered[range(4), completion.ids].tolist(), abs=1e-5)


@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1, 0], [2, 0, 4], [3], [1, 5]])
def test_a_reply_does_not_depend_on_its_batch(order: list[int], engine: Engines) -> None:
    whole = engine().generate(PROMPTS, SEEDS, Sampling(max_tokens=6))
    part = engine().generate([PROMPTS[i] for i in order], [SEEDS[i] for i in order], Sampling(max_tokens=6))
    near(part, [whole[i] for i in order])


@pytest.mark.parametrize("batch_tokens", [1, 8, 20])
def test_small_blocks_change_nothing(batch_tokens: int, engine: Engines) -> None:
    whole = engine().generate(PROMPTS, SEEDS, Sampling(max_tokens=6))
    near(engine(batch_tokens=batch_tokens).generate(PROMPTS, SEEDS, Sampling(max_tokens=6)), whole)


def test_a_shared_context_is_read_once(engine: Engines, passes: list[tuple[int, int]]) -> None:
    """(rows, tokens) forwarded: the distinct prompts, then at most the requests; every request counts for room."""
    engine().generate([PROMPTS[0]] * 30, range(30), Sampling(max_tokens=3))
    assert passes[0] == (1, 4)
    assert all(rows == tokens <= 30 for rows, tokens in passes[1:])
    passes.clear()
    engine(batch_tokens=40).generate([PROMPTS[0]] * 30, range(30), Sampling(max_tokens=1))
    assert passes == [(1, 4)] * 3  # ten prompts of four tokens at a time


def test_the_same_call_gives_the_same_bits(engine: Engines) -> None:
    assert engine().generate(PROMPTS, SEEDS, Sampling()) == engine().generate(PROMPTS, SEEDS, Sampling())


def test_greedy_takes_the_likeliest_and_reports_its_untempered_logprob(engine: Engines, forward: Forward) -> None:
    completions = engine().generate(PROMPTS, SEEDS, Sampling(temperature=0, max_tokens=3))
    for prompt, completion in zip(PROMPTS, completions, strict=True):
        best = forward([*prompt, *completion.ids])[len(prompt) - 1 : -1].max(-1)
        assert completion.ids == tuple(best.indices.tolist())
        assert completion.logprobs == pytest.approx(best.values.tolist(), abs=1e-5)


def test_the_nucleus_by_hand(engine: Engines, forward: Forward) -> None:
    """The smallest set of likeliest tokens that reaches the share is kept, with its log-probs renormalised."""
    prompt, share = PROMPTS[0], 0.3
    probabilities, order = forward(prompt)[-1].double().exp().sort(descending=True)
    size = int((probabilities.cumsum(0) < share).sum()) + 1
    assert 1 < size < len(order)
    mass = float(probabilities[:size].sum())
    nucleus = {int(token): float(p) / mass for token, p in zip(order[:size], probabilities[:size], strict=True)}
    completions = engine().generate([prompt] * 300, range(300), Sampling(top_p=share, max_tokens=1))
    assert {c.ids[0] for c in completions} == nucleus.keys()
    for completion in completions:
        assert np.exp(completion.logprobs[0]) == pytest.approx(nucleus[completion.ids[0]], abs=1e-5)


def test_a_tiny_nucleus_is_greedy(engine: Engines) -> None:
    nucleus = engine().generate(PROMPTS, SEEDS, Sampling(top_p=1e-9, max_tokens=3))
    greedy = engine().generate(PROMPTS, SEEDS, Sampling(temperature=0, max_tokens=3))
    assert [c.ids for c in nucleus] == [c.ids for c in greedy]
    assert all(c.logprobs == pytest.approx([0.0] * 3, abs=1e-6) for c in nucleus)


def test_frequencies_match_the_probabilities(engine: Engines, forward: Forward) -> None:
    count, prompt = 8000, PROMPTS[0]
    probabilities = forward(prompt)[-1].double().exp().numpy()
    completions = engine().generate([prompt] * count, range(count), Sampling(max_tokens=1))
    found = np.bincount([c.ids[0] for c in completions], minlength=len(probabilities))
    often = probabilities * count >= 5  # chi-square wants five expected hits a cell; the rest make one cell
    expected = np.append(probabilities[often], probabilities[~often].sum()) * count
    hits = np.append(found[often], found[~often].sum())
    degrees = len(expected) - 1
    assert degrees > 20
    statistic = ((hits - expected) ** 2 / expected).sum()
    assert statistic < degrees + 4 * (2 * degrees) ** 0.5


def test_a_reply_ends_with_its_end_token_or_is_cut(engine: Engines, forward: Forward) -> None:
    local = engine(end_id=int(forward(PROMPTS[0])[-1].argmax()))
    completions = local.generate([PROMPTS[0]] * 400, range(400), Sampling(max_tokens=3))
    ended = [c for c in completions if c.ids[-1] == local.end_id]
    cut = [c for c in completions if c.ids[-1] != local.end_id]
    assert ended and cut
    assert all(c.finished and local.end_id not in c.ids[:-1] for c in ended)
    assert all(not c.finished and len(c.ids) == 3 and local.end_id not in c.ids for c in cut)
    assert any(len(c.ids) == 3 for c in ended)  # the last token allowed may be the end


def test_a_stop_text_ends_a_reply_and_stays_in_it(engine: Engines) -> None:
    """The stop text may lie across tokens; what comes before it is what would have been sampled anyway."""
    local = engine()
    free = local.generate(PROMPTS, SEEDS, Sampling(max_tokens=6))
    stop = local.decode(free[0].ids[1:3])
    assert len(stop) > 1 and len(set(free[0].ids)) > 3
    stopped = local.generate(PROMPTS, SEEDS, Sampling(max_tokens=6, stop=("never this", stop)))
    assert stopped[0].ids == free[0].ids[:3]
    assert stopped[0].finished
    assert stopped[0].logprobs == pytest.approx(free[0].logprobs[:3], abs=1e-5)
    untouched = [i for i, c in enumerate(free) if stop not in local.decode(c.ids)]
    assert untouched
    near([stopped[i] for i in untouched], [free[i] for i in untouched])


@pytest.mark.parametrize("said", [1, 2, 5])
def test_a_begun_reply_goes_on_as_in_one_go(said: int, engine: Engines) -> None:
    """Each reply is handed back with its first tokens said; those that had ended by then are left out."""
    whole = engine().generate(PROMPTS, SEEDS, Sampling(max_tokens=6))
    going = [index for index, completion in enumerate(whole) if len(completion.ids) > said]
    assert len(going) > 2
    begun = [whole[index].ids[:said] for index in going]
    prompts = [PROMPTS[index] + ids for index, ids in zip(going, begun, strict=True)]
    seeds = [SEEDS[index] for index in going]
    rest = engine().generate(prompts, seeds, Sampling(max_tokens=6 - said), begun)
    joined = [
        Completion(ids + part.ids, whole[index].logprobs[:said] + part.logprobs, part.finished)
        for index, ids, part in zip(going, begun, rest, strict=True)
    ]
    near(joined, [whole[index] for index in going])


def test_entropy_by_hand(engine: Engines, forward: Forward) -> None:
    """-sum p log p over the ten likeliest candidates, at the first two tokens; None where not asked."""
    prompt = PROMPTS[0]
    (completion,) = engine().generate([prompt], [3], Sampling(max_tokens=4, entropy_tokens=2))
    expected = []
    for row in forward([*prompt, *completion.ids])[len(prompt) - 1 :][:2]:
        top = np.sort(row.double().exp().numpy())[-10:]
        expected.append(float(-(top * np.log(top)).sum()))
    assert completion.topk_entropy == pytest.approx(expected, abs=1e-5)
    (plain,) = engine().generate([prompt], [3], Sampling(max_tokens=4))
    assert plain.topk_entropy is None
    assert plain.ids == completion.ids


def test_entropy_stops_with_the_reply_and_counts_no_dropped_candidate(engine: Engines) -> None:
    settings = Sampling(max_tokens=3, entropy_tokens=9, top_p=1e-9)
    for completion in engine().generate(PROMPTS, SEEDS, settings):
        assert completion.topk_entropy == pytest.approx([0.0] * len(completion.ids), abs=1e-6)


def test_no_requests_and_an_empty_prompt(engine: Engines) -> None:
    assert engine().generate([], [], Sampling()) == []
    with pytest.raises(ValueError, match="at least one token"):
        engine().generate([(1,), ()], [1, 2], Sampling())


def test_time_in_the_model_is_counted(engine: Engines) -> None:
    local = engine()
    assert local.clock.seconds == 0.0
    local.generate(PROMPTS, SEEDS, Sampling(max_tokens=2))
    assert local.clock.seconds > 0.0
