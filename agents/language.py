"""The agent that is a language model: a chat context around an engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from turnwise.agents.context import ChatContext
from turnwise.agents.local import Completion
from turnwise.agents.sampling import Sampling
from turnwise.records import Reply, Request


class Engine(Protocol):
    """What samples tokens: ids in, ids and their log-probs out."""

    weight_version: int

    def generate(
        self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], sampling: Sampling
    ) -> list[Completion]: ...


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
        """One reply per request, in order, sampled together."""
        started = time.perf_counter()
        completions = self.engine.generate(
            [request.prompt_ids or self.context.opening(request.messages) for request in requests],
            [request.seed for request in requests],
            self.sampling,
        )
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
