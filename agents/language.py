"""The agent that is a language model: a chat context around an engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from turnwise.agents.context import ChatContext
from turnwise.agents.engine import AgentFailure, Completion, Engine, StreamingEngine, make_ask
from turnwise.agents.sampling import Sampling
from turnwise.records import Reply, Request, make_reply


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
        self._stream: LanguageStream | None = None
        self._streamed_by: Engine | None = None
        """The engine that `_stream` was made for, or that was found to give none."""

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order, sampled together but for those that have other limits.

        Raises ValueError where a request has begun a reply that leaves no token to sample.
        """
        limits = [self._limit(request) for request in requests]
        if len(set(limits)) == 1:
            return self._sample(requests, limits[0])
        alike: dict[int, list[int]] = {}  # most tokens to sample -> places of the requests
        for place, limit in enumerate(limits):
            alike.setdefault(limit, []).append(place)
        replies: dict[int, Reply] = {}
        for limit, places in alike.items():
            replies |= zip(places, self._sample([requests[place] for place in places], limit), strict=True)
        return [replies[place] for place in range(len(requests))]

    def _limit(self, request: Request) -> int:
        """Most tokens that this request may be given."""
        if request.max_tokens is None and not request.begun:
            return self.sampling.max_tokens
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
        sampling = self._sampling(limit)
        begun = [request.begun for request in requests]
        if any(begun):
            completions = self.engine.generate(prompts, seeds, sampling, begun)
        else:
            completions = self.engine.generate(prompts, seeds, sampling)
        seconds, version = time.perf_counter() - started, self.engine.weight_version
        distinct = {id(completion): completion for completion in completions}
        made = {key: self._reply(completion, seconds, version) for key, completion in distinct.items()}
        return [made[id(completion)] for completion in completions]

    def settings_of(self, request: Request) -> Sampling:
        """How this request is sampled. Raises ValueError where it leaves no token to sample."""
        return self._sampling(self._limit(request))

    def _sampling(self, limit: int) -> Sampling:
        return self.sampling if limit == self.sampling.max_tokens else replace(self.sampling, max_tokens=limit)

    def _reply(self, completion: Completion, seconds: float, version: int) -> Reply:
        return make_reply(
            text=self.context.decode(completion.ids),
            completion_ids=completion.ids,
            logprobs=completion.logprobs,
            topk_entropy=completion.topk_entropy,
            finished=completion.finished,
            weight_version=version,
            versions=completion.versions,
            seconds=seconds,
        )

    @property
    def held_to_legal(self) -> bool:
        """Whether requests are to say which actions are legal, because the engine samples no others."""
        return bool(getattr(self.engine, "held_to_legal", False))

    # One by one, where the engine can

    @property
    def stream(self) -> LanguageStream | None:
        """Takes requests and gives every reply as soon as it is done; None where the engine samples batches only."""
        engine = self.engine
        if self._streamed_by is not engine:
            self._streamed_by = engine
            self._stream = LanguageStream(self, engine) if isinstance(engine, StreamingEngine) else None
        return self._stream


class LanguageStream:
    """The requests of a language agent whose engine answers one by one. Nobody else may receive from the engine."""

    def __init__(self, agent: LanguageAgent, engine: StreamingEngine) -> None:
        self._agent, self._engine = agent, engine
        self._since: dict[int, float] = {}
        """Number of a request -> when it was handed in."""

    def submit(self, requests: Sequence[Request]) -> list[int]:
        """Hand requests in; returns their numbers. Raises ValueError where one leaves no token to sample."""
        agent, sampling = self._agent, self._agent.sampling
        opening, goes_on = agent.context.opening, agent.context.goes_on
        numbers = self._engine.submit(
            [
                make_ask(
                    request.prompt_ids or opening(request.messages),
                    request.seed,
                    sampling if request.max_tokens is None and not request.begun else agent.settings_of(request),
                    request.begun,
                    request.session if goes_on else None,
                    request.allowed,
                )
                for request in requests
            ]
        )
        self._since.update(dict.fromkeys(numbers, time.perf_counter()))
        return numbers

    def receive(self, timeout_s: float) -> list[tuple[int, Reply | AgentFailure]]:
        """(number, reply or why there is none) of what is done by now; [] after `timeout_s`."""
        done = self._engine.receive(timeout_s)
        now, version, since = time.perf_counter(), self._engine.weight_version, self._since
        together: dict[float, dict[int, Reply | AgentFailure]] = {}  # by when they were handed in
        begun, made = -1.0, together.setdefault(-1.0, {})
        replies: list[tuple[int, Reply | AgentFailure]] = []
        for number, found in done:
            moment = since.pop(number)
            if moment != begun:
                begun, made = moment, together.setdefault(moment, {})
            reply = made.get(id(found))
            if reply is None:  # requests that share a completion share a reply too
                reply = self._agent._reply(found, now - begun, version) if isinstance(found, Completion) else found
                made[id(found)] = reply
            replies.append((number, reply))
        return replies

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Forget these requests."""
        self._engine.withdraw(numbers)
        for number in numbers:
            self._since.pop(number, None)
