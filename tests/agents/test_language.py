"""The language agent: what its engine sampled, as replies."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from turnwise.agents.context import ChatContext
from turnwise.agents.language import LanguageAgent
from turnwise.agents.local import LocalEngine
from turnwise.agents.sampling import Sampling
from turnwise.envs.gym_view import TextGameEnv
from turnwise.records import Message, Request

Agents = Callable[..., LanguageAgent]


def ask(seed: int, prompt_ids: tuple[int, ...] = (), text: str = "check or bet?") -> Request:
    return Request(seat="player_0", messages=(Message("user", text),), seed=seed, prompt_ids=prompt_ids)


def test_replies_hold_what_the_engine_sampled(agent: Agents, engine: Callable[..., LocalEngine]) -> None:
    policy = agent(max_tokens=3)
    policy.engine.weight_version = 7  # type: ignore[misc]
    prompts = [(1, 40, 41), (50,), (1, 40, 41)]
    replies = policy.act([ask(seed, prompt) for seed, prompt in enumerate(prompts)])
    completions = engine().generate(prompts, range(3), Sampling(max_tokens=3))
    for reply, completion in zip(replies, completions, strict=True):
        assert reply.completion_ids == completion.ids
        assert reply.logprobs == completion.logprobs
        assert reply.finished == completion.finished
        assert reply.text == policy.context.decode(completion.ids)
        assert "<|im_end|>" not in reply.text
        assert reply.weight_version == 7
        assert reply.seconds is not None and reply.seconds > 0


def test_a_request_without_ids_is_rendered_from_its_messages(agent: Agents) -> None:
    policy = agent(system="Play well.")
    (rendered,) = policy.act([ask(3)])
    (given,) = policy.act([ask(3, policy.context.opening((Message("user", "check or bet?"),)))])
    assert rendered.completion_ids == given.completion_ids
    assert rendered.logprobs == given.logprobs


def test_each_request_may_have_its_own_limit(agent: Agents) -> None:
    policy = agent(max_tokens=5)
    requests = [ask(seed, (1, 40 + seed)) for seed in range(6)]
    limits = (None, 1, 3, None, 9, 1)
    free = policy.act(requests)
    limited = policy.act([replace(one, max_tokens=limit) for one, limit in zip(requests, limits, strict=True)])
    for reply, other, limit in zip(free, limited, limits, strict=True):
        assert other.completion_ids == reply.completion_ids[:limit]
        assert other.finished == (reply.finished and len(reply.completion_ids) <= (limit or 5))


def test_a_begun_reply_takes_no_more_than_it_would_have(agent: Agents) -> None:
    policy = agent(max_tokens=5)
    long = next(seed for seed in range(50) if len(policy.act([ask(seed, (1, 40))])[0].completion_ids) == 5)
    (whole,) = policy.act([ask(long, (1, 40))])
    begun = whole.completion_ids[:3]
    (rest,) = policy.act([replace(ask(long, (1, 40, *begun)), begun=begun)])
    assert rest.completion_ids == whole.completion_ids[3:]
    with pytest.raises(ValueError, match="at least 1 token to sample: got max_tokens=None and 5 tokens begun of at mo"):
        policy.act([replace(ask(long, (1, 40, *whole.completion_ids)), begun=whole.completion_ids)])


def test_it_can_sit_in_a_gymnasium_view(agent: Agents) -> None:
    env = TextGameEnv("KuhnPoker-LLM", opponents=agent())
    env.reset(seed=1)
    *_, terminated, truncated, info = env.step("[check]")
    assert terminated or truncated or info  # the opponent, untrained, forfeits


def test_a_reply_that_would_fill_the_context_is_refused(
    engine: Callable[..., LocalEngine], context: Callable[..., ChatContext]
) -> None:
    with pytest.raises(ValueError, match=r"max_tokens is below agent.context.max_context.*got 64 and 64"):
        LanguageAgent(engine(), context(max_context=64), Sampling(max_tokens=64))
