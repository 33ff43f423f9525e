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

    def generate(self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], sampling: Sampling) -> list[Completion]: ...


class LanguageAgent:
    """Replies with what its engine samples. The rollout keeps the transcripts with `context`."""

    def __init__(self, engine: Engine, context: ChatContext, sampling: Sampling, *, name: str = "policy") -> None:
        self.engine, self.context, self.sampling, self.name = engine, context, sampling, name

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order, sampled together."""
        started = time.perf_counter()
        completions = self.engine.generate(
            [request.prompt_ids for request in requests], [request.seed for request in requests], self.sampling
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
