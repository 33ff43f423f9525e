"""The agent that is a language model: a chat context around an engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from turnwise.agents.context import ChatContext
from turnwise.agents.engine import Engine
from turnwise.agents.sampling import Sampling
from turnwise.records import Reply, Request


class LanguageAgent:
    """Replies with what its engine samples. The rollout keeps the transcripts with `context`; elsewhere (as an opponent
    in a Gymnasium view) a request without token ids is rendered from its messages."""

    def __init__(self, engine: Engine, context: ChatContext, sampling: Sampling, *, name: str = "policy") -> None:
        """Raises ValueError if a reply of full length would leave no room for a prompt."""
        if sampling.max_tokens >= context.settings.max_context:
            raise ValueError(
                "agent.sampling.max_tokens is below agent.context.max_context, so that a prompt has room: got "
                f"{sampling.max_tokens} and {context.settings.max_context}"
            )
        self.engine, self.context, self.sampling, self.name = engine, context, sampling, name

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order, sampled together but for those that have other limits.

        Raises ValueError where a request has begun a reply that leaves no token to sample.
        """
        alike: dict[int, list[int]] = {}  # most tokens to sample -> places of the requests
        for place, request in enumerate(requests):
            alike.setdefault(self._limit(request), []).append(place)
        if len(alike) == 1:
            return self._sample(requests, *alike)
        replies: dict[int, Reply] = {}
        for limit, places in alike.items():
            replies |= zip(places, self._sample([requests[place] for place in places], limit), strict=True)
        return [replies[place] for place in range(len(requests))]

    def _limit(self, request: Request) -> int:
        """Most tokens that this request may be given."""
        own = self.sampling.max_tokens - len(request.begun)
        limit = own if request.max_tokens is None else min(own, request.max_tokens)
        if limit < 1:
            raise ValueError(
                f"a request leaves at least 1 token to sample: got max_tokens={request.max_tokens} and "
                f"{len(request.begun)} tokens begun of at most {self.sampling.max_tokens}"
            )
        return limit

    def _sample(self, requests: Sequence[Request], limit: int) -> list[Reply]:
        started = time.perf_counter()
        prompts = [request.prompt_ids or self.context.opening(request.messages) for request in requests]
        seeds = [request.seed for request in requests]
        sampling = self.sampling if limit == self.sampling.max_tokens else replace(self.sampling, max_tokens=limit)
        begun = [request.begun for request in requests]
        if any(begun):
            completions = self.engine.generate(prompts, seeds, sampling, begun)
        else:
            completions = self.engine.generate(prompts, seeds, sampling)
        seconds, version, decode = time.perf_counter() - started, self.engine.weight_version, self.context.decode
        return [
            Reply(
                text=decode(completion.ids),
                completion_ids=completion.ids,
                logprobs=completion.logprobs,
                topk_entropy=completion.topk_entropy,
                finished=completion.finished,
                weight_version=version,
                seconds=seconds,
            )
            for completion in completions
        ]
