"""The local engine as a stream: whoever joins, leaves, waits or is parked, every reply is that of the plain model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from turnwise.agents import kv
from turnwise.agents.decoder import Decoder
from turnwise.agents.engine import Ask, Completion, StreamingEngine
from turnwise.agents.local import LocalEngine
from turnwise.agents.rows import Rows
from turnwise.agents.sampling import Sampling, uniforms

Forward = Callable[[Sequence[int]], torch.Tensor]
Engines = Callable[..., LocalEngine]
LONG = tuple(range(3, 43))


def drain(local: LocalEngine) -> dict[int, Completion]:
    """Everything that is still to come."""
    found: dict[int, Completion] = {}
    while local._open or local._done:
        found |= local.receive(1.0)  # type: ignore[arg-type]
    return found


def require_plain(ask: Ask, reply: Completion, forward: Forward) -> None:
    """A reply of full length is what the seed draws from the plain forward pass, and so are its log-probs."""
    assert len(reply.ids) == ask.sampling.max_tokens
    before = forward([*ask.prompt, *reply.ids])[len(ask.prompt) - 1 : -1]
    for position, (token, logprobs) in enumerate(zip(reply.ids, before, strict=True)):
        draw = uniforms(np.array([ask.seed], dtype=np.uint64), position)[0]
        cumulative = np.cumsum(logprobs.double().exp().numpy())
        assert token == int((cumulative <= draw * cumulative[-1]).sum())
    assert reply.logprobs == pytest.approx(before[range(len(reply.ids)), reply.ids].tolist(), abs=1e-5)


class Talk:
    """A conversation whose other side says a few fixed tokens."""

    def __init__(self, name: str, opening: Sequence[int]) -> None:
        self.name, self.ids, self.turns = name, tuple(opening), 0

    def ask(self, seed: int, most: int = 3) -> Ask:
        self.turns += 1
        return Ask(self.ids, seed, Sampling(max_tokens=most), session=self.name)

    def hear(self, reply: Completion) -> None:
        self.ids += (*reply.ids, 70 + self.turns, 71, 72)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Tokens of every forward pass."""
    found: list[int] = []
    original = Decoder.__call__

    def noted(self: Decoder, ids: Any, *rest: Any) -> Any:
        found.append(len(ids))
        return original(self, ids, *rest)

    monkeypatch.setattr(Decoder, "__call__", noted)
    return found


def test_it_is_a_stream(engine: Engines) -> None:
    local = engine()
    assert isinstance(local, StreamingEngine)
    assert local.receive(0.0) == []
    assert local.forward_pass == "lean"
    with pytest.raises(ValueError, match="at least one token"):
        local.submit([Ask((), 0, Sampling())])


@settings(max_examples=25, phases=(Phase.explicit, Phase.generate))
@given(data=st.data())
def test_any_order_of_arrival_gives_the_plain_replies(data: st.DataObject, engine: Engines, forward: Forward) -> None:
    """Conversations come, go on, wait and are withdrawn while others are sampled, with and without buckets."""
    local = engine(
        buckets=data.draw(st.booleans()), batch_tokens=data.draw(st.sampled_from([1, 120, 300, 65_536])), end_id=-1
    )
    openings = [LONG, LONG, (*LONG[:30], 50), (60, 61), (62,), LONG]
    talks = [Talk(str(i), openings[i]) for i in range(data.draw(st.integers(1, 6)))]
    owed: dict[int, tuple[Talk, Ask]] = {}
    idle, seed = [*talks], 0
    for _ in range(12):
        count = data.draw(st.integers(0, len(idle)))
        chosen, idle = idle[:count], idle[count:]
        asks = [talk.ask(seed + i, data.draw(st.integers(1, 4))) for i, talk in enumerate(chosen)]
        seed += count
        owed |= zip(local.submit(asks), zip(chosen, asks, strict=True), strict=True)
        if owed and data.draw(st.integers(0, 5)) == 0:
            number = data.draw(st.sampled_from(sorted(owed)))
            local.withdraw([number])
            idle.append(owed.pop(number)[0])
        for number, reply in local.receive(0.0):
            talk, ask = owed.pop(number)
            assert isinstance(reply, Completion)
            require_plain(ask, reply, forward)
            talk.hear(reply)
            idle.append(talk)
    for number, reply in drain(local).items():
        require_plain(owed.pop(number)[1], reply, forward)
    assert not owed


def test_the_next_turn_reads_the_new_tokens_alone(engine: Engines, forward: Forward, read: list[int]) -> None:
    local, talk = engine(end_id=-1), Talk("a", LONG)
    for turn in range(3):
        ask = talk.ask(turn)
        local.submit([ask])
        (reply,) = drain(local).values()
        talk.hear(reply)
        require_plain(ask, reply, forward)
    assert read == [40, 1, 1, 4, 1, 1, 4, 1, 1]  # the last token said, and three heard


def test_parked_conversations_give_way_and_are_read_again(engine: Engines, forward: Forward, read: list[int]) -> None:
    """Room for one live prompt and little more: the other conversation is read from its beginning."""
    local = engine(end_id=-1, batch_tokens=60)
    first, second = Talk("a", LONG), Talk("b", range(50, 90))
    for talk in (first, second, first, second):
        ask = talk.ask(talk.turns)
        local.submit([ask])
        (reply,) = drain(local).values()
        talk.hear(reply)
        require_plain(ask, reply, forward)
        assert local._parking.tokens <= 60
    assert [count for count in read if count > 1] == [40, 40, 46, 46]


def test_a_group_reads_its_prompt_once_and_shares_it(engine: Engines, forward: Forward, read: list[int]) -> None:
    local = engine(end_id=-1)
    asks = [Ask(LONG, seed, Sampling(max_tokens=3), session=str(seed)) for seed in range(20)]
    local.submit(asks)
    replies = drain(local)
    for ask, reply in zip(asks, replies.values(), strict=True):
        require_plain(ask, reply, forward)
    assert read[:2] == [39, 1]  # what all of them begin with, and the last token
    assert all(parked.own <= 3 for parked in local._parking._holders)
    new = [Ask((*ask.prompt, *reply.ids, 80), 5, Sampling(max_tokens=2), session=ask.session)
           for ask, reply in zip(asks, replies.values(), strict=True)]  # fmt: skip
    local.submit(new)
    for ask, reply in zip(new, drain(local).values(), strict=True):
        require_plain(ask, reply, forward)


def test_different_settings_are_sampled_together(engine: Engines) -> None:
    kinds = [
        Sampling(max_tokens=4), Sampling(max_tokens=2, temperature=0), Sampling(max_tokens=5, top_p=0.4),
        Sampling(max_tokens=3, temperature=2.0, entropy_tokens=2),
    ]  # fmt: skip
    asks = [Ask(prompt, seed, kind) for seed, kind in enumerate(kinds) for prompt in ((5, 6, 7), (5, 6, 7, 8))]
    together = engine()
    together.submit(asks)
    for ask, reply in zip(asks, (r for _, r in sorted(drain(together).items())), strict=True):
        (alone,) = engine().generate([ask.prompt], [ask.seed], ask.sampling)
        assert reply.ids == alone.ids and reply.finished == alone.finished
        assert reply.logprobs == pytest.approx(alone.logprobs, abs=1e-5)
        if alone.topk_entropy is None:
            assert reply.topk_entropy is None
        else:
            assert reply.topk_entropy == pytest.approx(alone.topk_entropy, abs=1e-5)


def test_replies_come_back_as_they_end(engine: Engines) -> None:
    local = engine(end_id=-1)
    short, long = local.submit([Ask((5, 6), 0, Sampling(max_tokens=1)), Ask((7,), 1, Sampling(max_tokens=9))])
    assert [number for number, _ in local.receive(5.0)] == [short]
    assert [number for number, _ in local.receive(5.0)] == [long]


def test_withdrawn_requests_leave_nothing_behind(engine: Engines, forward: Forward) -> None:
    local = engine(end_id=-1)
    asks = [Ask((5, 6, 7 + seed % 3), seed, Sampling(max_tokens=6)) for seed in range(9)]
    numbers = local.submit(asks)
    local._prepared()
    with torch.inference_mode():
        local._advance()
        local._advance()
    local.withdraw([*numbers[:5], 999])
    assert isinstance(local._rows, Rows) and local._rows.count == 4
    for number, reply in drain(local).items():
        require_plain(asks[numbers.index(number)], reply, forward)
    assert local._rows.count == 0
    assert local.sampled == 9 * 2 + 4 * 4


def test_new_weights_forget_what_was_read(model: Any, engine: Engines) -> None:
    """In place, between two turns and within a reply: every token comes from the weights of its time."""
    twin = copy.deepcopy(model)
    local = LocalEngine(twin, end_id=-1, pad_id=0, decode=str)
    (before,) = local.generate([LONG], [3], Sampling(max_tokens=6))
    talk = Talk("a", LONG)
    local.submit([talk.ask(3, 6)])
    local._prepared()
    with torch.inference_mode():
        local._advance()
        local._advance()
    with torch.no_grad():
        for weight in twin.model.layers.parameters():
            weight.mul_(1.1)
    local.weight_version += 1
    (reply,) = drain(local).values()
    assert reply.ids[:2] == before.ids[:2] and reply.versions == ((0, 0), (2, 1))
    fresh = LocalEngine(copy.deepcopy(twin), end_id=-1, pad_id=0, decode=str)
    (rest,) = fresh.generate([LONG + reply.ids[:2]], [3], Sampling(max_tokens=4), [reply.ids[:2]])
    assert reply.ids[2:] == rest.ids
    assert reply.logprobs[2:] == pytest.approx(rest.logprobs, abs=1e-5)
    talk.hear(reply)
    (again,) = fresh.generate([talk.ids], [4], Sampling(max_tokens=3))
    local.submit([talk.ask(4)])
    (later,) = drain(local).values()
    assert later.ids == again.ids and later.versions == ()


def test_loading_ends_what_is_being_said_with_the_old_weights(model: Any) -> None:
    twin = copy.deepcopy(model)
    local = LocalEngine(twin, end_id=-1, pad_id=0, decode=str, shares_model=False)
    (before,) = local.generate([LONG], [3], Sampling(max_tokens=6))
    local.submit([Ask(LONG, 3, Sampling(max_tokens=6))])
    new = {name: tensor * 1.5 for name, tensor in model.state_dict().items()}
    local.load(new.items, 7)
    (reply,) = drain(local).values()
    assert reply.ids == before.ids and reply.versions == ((0, 0),)
    (after,) = local.generate([LONG], [3], Sampling(max_tokens=6))
    assert after.ids != before.ids and after.versions == ()


@pytest.mark.parametrize("buckets", [False, True])
def test_rows_padded_to_buckets_are_the_same_rows(buckets: bool, engine: Engines, forward: Forward) -> None:
    local = engine(end_id=-1, buckets=buckets)
    asks = [Ask(LONG[: 1 + 3 * seed], seed, Sampling(max_tokens=4 + seed)) for seed in range(11)]
    local.submit(asks)
    for number, reply in drain(local).items():
        require_plain(asks[number], reply, forward)


def test_broken_weights_are_told(model: Any) -> None:
    twin = copy.deepcopy(model)
    local = LocalEngine(twin, end_id=-1, pad_id=0, decode=str)
    local.generate([LONG], [3], Sampling(max_tokens=2))
    with torch.no_grad():
        twin.model.norm.weight.fill_(float("nan"))
    numbers = local.submit([Ask(LONG, 3, Sampling())])
    with pytest.raises(ValueError, match="log-probs are NaN"):
        local.receive(1.0)
    local.withdraw(numbers)
    assert local.receive(0.0) == []


def test_long_prompts_are_read_in_parts(engine: Engines, forward: Forward, monkeypatch: pytest.MonkeyPatch) -> None:
    from turnwise.agents import rows

    monkeypatch.setattr(rows, "_TOKENS", 16)
    monkeypatch.setattr(rows, "_SCORES", 256)
    local = engine(end_id=-1)
    asks = [Ask(tuple(range(3 + s, 63 + s)), s, Sampling(max_tokens=3)) for s in range(3)]
    asks += [Ask(LONG, s, Sampling(max_tokens=3)) for s in range(20)]
    local.submit(asks)
    for number, reply in drain(local).items():
        require_plain(asks[number], reply, forward)


def test_a_batch_beside_a_stream(engine: Engines, forward: Forward) -> None:
    local = engine(end_id=-1)
    ask = Ask((5, 6, 7), 1, Sampling(max_tokens=5))
    (number,) = local.submit([ask])
    (batch,) = local.generate([(5, 6)], [2], Sampling(max_tokens=2))
    require_plain(Ask((5, 6), 2, Sampling(max_tokens=2)), batch, forward)
    ((found, reply),) = drain(local).items()
    assert found == number
    require_plain(ask, reply, forward)


@pytest.mark.parametrize("little", [0, 1 << 22])
def test_memory_is_given_back(engine: Engines, monkeypatch: pytest.MonkeyPatch, little: int) -> None:
    monkeypatch.setattr(kv, "_SMALL", little)
    local = engine(end_id=-1)
    (first,) = local.generate([LONG], [1], Sampling(max_tokens=2))
    local.sleep()
    assert isinstance(local._rows, Rows)
    assert (local._rows.pool.slots == 0) == (little == 0) and local._parking.tokens == 0
    assert local.generate([LONG], [1], Sampling(max_tokens=2)) == [first]
    local.close()
    local.close()


def test_a_thousand_requests_of_a_small_game_are_few_rows(engine: Engines, read: list[int]) -> None:
    local = engine()
    rng = np.random.default_rng(0)
    prompts = [(*LONG, int(card)) for card in rng.integers(50, 53, 1000)]
    local.generate(prompts, range(1000), Sampling(max_tokens=1))
    assert read == [40, 3]
