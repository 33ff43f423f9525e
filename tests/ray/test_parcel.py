"""Weights on their way to an engine, and how they come into one that plays."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from turnwise.agents.local import LocalEngine
from turnwise.agents.plan import plans
from turnwise.agents.rollout import Rollout
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.launch.parcel import pack_model, pack_weights, unpack_weights, unpacked_model
from turnwise.algorithms.launch.renewing import renewing
from turnwise.algorithms.startup import Policy, fresh_policy, saved_policy


@pytest.fixture(scope="module")
def policy(small: tuple[str, ...]) -> Policy:
    return fresh_policy(run_settings(compose([*small])))


def test_weights_come_out_as_they_went_in() -> None:
    sent = {
        "matrix": torch.randn(3, 5),
        "turned": torch.randn(4, 2).T,
        "number": torch.tensor(2.5),
        "half": torch.randn(7).to(torch.bfloat16),
    }
    got = dict(unpack_weights(pack_weights(sent.items())))
    assert got.keys() == sent.keys()
    for name, tensor in sent.items():
        assert got[name].dtype == tensor.dtype
        assert torch.equal(got[name], tensor)
    narrow = dict(unpack_weights(pack_weights(sent.items(), torch.bfloat16)))
    assert torch.equal(narrow["matrix"], sent["matrix"].to(torch.bfloat16))


def test_a_model_arrives_whole(policy: Policy, small: tuple[str, ...]) -> None:
    with unpacked_model(pack_model(policy.model, policy.tokenizer)) as folder:
        found = saved_policy(run_settings(compose([*small])), folder)
    assert not folder.exists()
    for name, weight in policy.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], weight), name
    assert found.tokenizer.get_vocab() == policy.tokenizer.get_vocab()


def moved(model: Any) -> Any:
    """Another model of the same shape."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return other


def engine_of(policy: Policy, model: Any) -> LocalEngine:
    end = policy.context.end_id
    pad = policy.tokenizer.pad_token_id
    return LocalEngine(model, end_id=end, pad_id=pad, decode=policy.context.decode, shares_model=False)


def test_offered_weights_are_in_use_from_the_next_call_on_and_older_ones_never(policy: Policy) -> None:
    torch.manual_seed(0)
    new, sampling = moved(policy.model), policy.agent.sampling
    engine = renewing(engine_of(policy, copy.deepcopy(policy.model)))
    asked: tuple[Sequence[tuple[int, ...]], Sequence[int]] = ([(5, 6, 7)], [1])
    before = engine.generate(*asked, sampling)
    assert before == engine_of(policy, policy.model).generate(*asked, sampling)
    packed = pack_weights(new.named_parameters())
    engine.offer(lambda: unpack_weights(packed), 3)
    assert engine.weight_version == 0
    after = engine.generate(*asked, sampling)
    assert engine.weight_version == 3
    assert after == engine_of(policy, new).generate(*asked, sampling)
    assert after != before
    engine.offer(policy.model.named_parameters, 2)
    assert engine.generate(*asked, sampling) == after
    assert engine.weight_version == 3


def test_weights_of_another_model_are_refused(policy: Policy) -> None:
    engine = engine_of(policy, copy.deepcopy(policy.model))
    with pytest.raises(ValueError, match="new weights have the names and shapes of this model: got lm_hat"):
        engine.load(lambda: [("lm_hat", torch.zeros(1))], 1)


def test_an_episode_that_new_weights_come_into_says_which_turn_was_sampled_by_which(policy: Policy) -> None:
    engine = renewing(engine_of(policy, copy.deepcopy(policy.model)))
    calls = [0]

    class Offering:
        """After every reply new weights come."""

        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def submit(self, asks: Any) -> Any:
            return engine.submit(asks)

        def withdraw(self, numbers: Any) -> None:
            engine.withdraw(numbers)

        def receive(self, timeout_s: float) -> Any:
            found = engine.receive(timeout_s)
            if found:
                calls[0] += 1
                engine.offer(policy.model.named_parameters, calls[0])
            return found

    agent = copy.copy(policy.agent)
    agent.engine = Offering()  # type: ignore[assignment]
    agent.sampling = replace(agent.sampling, max_tokens=4)
    seats = {"player_0": "policy", "player_1": "policy"}
    rollout = Rollout({"policy": agent}, invalid="random_legal")
    (episode,) = rollout.collect(plans("game", "KuhnPoker-LLM", {"prompt": "compact"}, seats, [7]))
    assert len(episode.turns) >= 2
    assert [turn.weight_version for turn in episode.turns] == [((0, number),) for number in range(len(episode.turns))]
