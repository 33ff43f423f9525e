"""`OpenAIEngine`: a server that takes token ids and returns those it sampled, with their log-probs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from turnwise.agents.api.client import Client
from turnwise.agents.api.line import Line
from turnwise.agents.api.remote import RemoteWeights
from turnwise.agents.api.sdk import BadReply
from turnwise.agents.api.settings import ApiSettings
from turnwise.agents.api.usage import Usage
from turnwise.agents.clock import ModelClock
from turnwise.agents.engine import ENTROPY_CANDIDATES, AgentFailure, Ask, Completion, Weights
from turnwise.agents.sampling import Sampling, derive_seed

PATH = "/completions"


class OpenAIEngine:
    """Has the server at `settings.base_url` sample: a `StreamingEngine`. Use `start_api_engine`, which asks it first.

    A reply's tokens follow from its own seed where the server takes one. All that shapes the server's distribution is
    said with every request, so that no default of the server's holds.
    """

    def __init__(
        self, settings: ApiSettings, *, end_id: int, decode: Callable[[tuple[int, ...]], str], vocabulary: int
    ) -> None:
        """end_id: the token that ends a reply. vocabulary: ids from there on are no tokens.

        Raises ValueError where a key is needed and not there.
        """
        self.settings, self.end_id, self.decode, self.vocabulary = settings, end_id, decode, vocabulary
        self.usage = Usage()
        """What was asked for so far."""
        self.clock = ModelClock(torch.device("cpu"))
        self.weight_version = 0
        """Counts the updates of the weights."""
        self.sampled = 0
        """Tokens sampled so far, whatever became of them."""
        self._client = Client(settings, self.usage)
        self._line: Line[Completion | AgentFailure] = Line()
        self._closed = False
        self.remote = RemoteWeights(self._command)
        """The weights of the server, where it lets us change them."""

    def generate(
        self,
        prompts: Sequence[tuple[int, ...]],
        seeds: Sequence[int],
        sampling: Sampling,
        begun: Sequence[tuple[int, ...]] = (),
    ) -> list[Completion]:
        """One completion per prompt, in order. Raises AgentFailure where one fails."""
        said = begun or [()] * len(prompts)
        asks = [Ask(tuple(p), int(s), sampling, tuple(b)) for p, s, b in zip(prompts, seeds, said, strict=True)]
        with self.clock.running():
            found = [future.result() for future in [self._line.call(self._sample(ask)) for ask in asks]]
        for completion in found:
            if isinstance(completion, AgentFailure):
                raise completion
        return found  # type: ignore[return-value]  # no failure is among them

    def submit(self, asks: Sequence[Ask]) -> list[int]:
        """Hand requests in; returns their numbers, in order."""
        return self._line.submit([self._sample(ask) for ask in asks])

    def receive(self, timeout_s: float) -> list[tuple[int, Completion | AgentFailure]]:
        """(number, what came of it) of every request that is done by now; [] after `timeout_s`."""
        with self.clock.running():
            return self._line.receive(timeout_s)

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Forget these requests: their connections are closed, and vLLM stops sampling for them."""
        self._line.withdraw(numbers)

    def load(self, weights: Weights, version: int) -> None:
        """Put new weights into the server, once what is under way is done. Raises AgentFailure, saying what failed."""
        gate, call = self._client.gate, self._line.call
        call(gate.shut()).result()
        try:
            self.remote.put(weights)
            self.weight_version = version
        finally:
            call(gate.open()).result()

    def candidates(self, ask: Ask) -> list[float]:
        """Log-probs of the likeliest first tokens, in falling order, as the server gives them. Raises AgentFailure."""
        asked = self._client.ask(PATH, self._body(ask), lambda reply: _likeliest(reply["choices"][0], 1)[0])
        return self._line.call(asked).result()

    def close(self) -> None:
        """Break off what is under way, and close all connections."""
        if not self._closed:
            self._closed = True
            self._line.close(self._client.close())

    # Inside

    def _command(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        url = self.settings.url.removesuffix("/v1") + path
        return self._line.call(self._client.command(url, body)).result()

    async def _sample(self, ask: Ask) -> Completion | AgentFailure:
        try:
            completion = await self._client.ask(PATH, self._body(ask), lambda reply: self._read(ask, reply))
        except AgentFailure as failure:
            return failure
        self.sampled += len(completion.ids)
        return completion

    def _body(self, ask: Ask) -> dict[str, Any]:
        sampling, said = ask.sampling, len(ask.begun)
        return {
            "model": self.settings.model,
            "prompt": ask.prompt,
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": derive_seed(ask.seed, said) if said else ask.seed,
            "stop": [*sampling.stop],
            "logprobs": ENTROPY_CANDIDATES if sampling.entropy_tokens else 0,
            # what OpenAI's own protocol does not have, and vLLM's does
            "return_token_ids": True,
            "return_tokens_as_token_ids": True,
            "include_stop_str_in_output": True,
            "stop_token_ids": [self.end_id],
            "ignore_eos": True,  # the end of a turn is the context's to say
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
        }

    def _read(self, ask: Ask, reply: Mapping[str, Any]) -> Completion:
        """Raises BadReply unless ids and log-probs are there and go together."""
        try:
            choice = reply["choices"][0]
            ids, logprobs = choice["token_ids"], choice["logprobs"]["token_logprobs"]
            if not all(0 <= one < self.vocabulary for one in ids) or not all(map(math.isfinite, logprobs)):
                raise BadReply("its reply has ids that are no tokens, or log-probs that are no numbers")
        except (KeyError, IndexError, TypeError):
            raise BadReply("its reply has no token_ids, or no log-prob for each of them") from None
        if not ids or len(ids) != len(logprobs):
            raise BadReply(f"its reply has {len(ids)} token ids and {len(logprobs)} log-probs")
        echo = choice.get("prompt_token_ids")
        if echo is not None and tuple(echo) != ask.prompt:
            raise BadReply(f"it read another prompt than it was given: {len(echo)} tokens for {len(ask.prompt)}")
        end = self._end(ask, ids)
        entropy = None
        if ask.sampling.entropy_tokens:
            watched = min(end or len(ids), ask.sampling.entropy_tokens)
            entropy = tuple([_entropy(nats) for nats in _likeliest(choice, watched)])
        kept = slice(0, end or len(ids))
        versions = ((0, self.weight_version),)  # it stays for as long as a request is under way
        return Completion(tuple(ids[kept]), tuple(logprobs[kept]), end is not None, entropy, versions)

    def _end(self, ask: Ask, ids: Sequence[int]) -> int | None:
        """How many tokens the finished reply has; None where it is not finished.

        A text that ends a reply may have begun in the tokens of `ask.begun`, which the server does not know.
        """
        if ask.sampling.stop:
            for count in range(1, len(ids) + 1):
                text = self.decode((*ask.begun, *ids[:count]))
                if ids[count - 1] == self.end_id or any(stop in text for stop in ask.sampling.stop):
                    return count
        return len(ids) if ids[-1] == self.end_id else None


def _likeliest(choice: Mapping[str, Any], count: int) -> list[list[float]]:
    """Log-probs of the likeliest candidates at the first `count` tokens, in nats. Raises BadReply."""
    found = choice["logprobs"].get("top_logprobs")
    if not isinstance(found, list) or len(found) < count:
        raise BadReply("its reply has no top_logprobs for each token")
    return [sorted(place.values(), reverse=True)[:ENTROPY_CANDIDATES] for place in found[:count]]


def _entropy(logprobs: Sequence[float]) -> float:
    return -sum([math.exp(nats) * nats for nats in logprobs])
