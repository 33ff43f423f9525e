"""The engine that is vLLM: token ids in; ids, exact log-probs and versions out; new weights in place.

A reply is sampled in one or several parts, each a request of vLLM's whose prompt is the one before with what was said
since, so that its cache is found again. Several are needed where entropies are recorded (only the first tokens carry
the likeliest candidates), and where a text that stops a reply began before the part did. Each part has a seed: the
reply's own for the first, and for a later one a seed derived from it and the number of tokens said by then.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from turnwise.agents.clock import ModelClock
from turnwise.agents.engine import AgentFailure, Ask, Completion, Weights
from turnwise.agents.sampling import Sampling
from turnwise.agents.vllm.llm import Running
from turnwise.agents.vllm.settings import VllmSettings
from turnwise.agents.vllm.unfinished import Unfinished

COLDEST, HOTTEST = 0.01, 2.0
"""Temperatures above 0 that vLLM samples at: it raises lower ones, and refuses higher ones."""


class VllmEngine:
    """Samples with vLLM, in this process or in processes of its own. A `StreamingEngine`.

    A reply depends on its own seed and context alone, not on its batch, but for rounding: batches and cached prefixes
    may change the last bits of a log-prob.
    """

    def __init__(
        self,
        folder: str,
        *,
        end_id: int,
        decode: Callable[[tuple[int, ...]], str],
        vocabulary: int,
        max_context: int,
        settings: VllmSettings | None = None,
        dtype: torch.dtype = torch.float32,
        seed: int = 0,
        trust_remote_code: bool = False,
    ) -> None:
        """Starts vLLM, which takes seconds to minutes.

        folder: of the model and its tokenizer, or a hub id. end_id: the token that ends a reply. decode: ids to text.
        vocabulary: ids from there on are never sampled. max_context: most tokens of prompt and reply together.
        dtype: of weights and products inside vLLM.

        Raises ValueError where vLLM is not installed, or cannot run this model.
        """
        self.settings = settings or VllmSettings()
        self.end_id, self.decode, self.max_context = end_id, decode, max_context
        self._vllm = Running(
            folder,
            self.settings,
            vocabulary=vocabulary,
            max_context=max_context,
            dtype=dtype,
            seed=seed,
            trust_remote_code=trust_remote_code,
        )
        self.clock = ModelClock(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        self.weight_version = 0
        """Counts the updates of the weights."""
        self.held_to_legal = self.settings.grammar
        """Requests are to say which actions are legal: no others are sampled."""
        self.sampled = 0
        """Tokens sampled so far, whatever became of them."""
        self.read = self.cached = 0
        """Prompt tokens so far, and how many of them were found in the cache."""
        self._numbers = itertools.count()
        self._open: dict[int, Unfinished] = {}
        self._done: dict[int, Completion | AgentFailure] = {}

    # Asking

    def generate(
        self,
        prompts: Sequence[tuple[int, ...]],
        seeds: Sequence[int],
        sampling: Sampling,
        begun: Sequence[tuple[int, ...]] = (),
    ) -> list[Completion]:
        """One completion per prompt, in order. Raises ValueError on an empty prompt, or one that leaves no room."""
        said = begun or [()] * len(prompts)
        numbers = self.submit(
            [Ask(tuple(p), int(s), sampling, tuple(b)) for p, s, b in zip(prompts, seeds, said, strict=True)]
        )
        try:
            while any(number in self._open for number in numbers):
                self._advance(self.settings.deadline_s)
        except BaseException:
            self.withdraw(numbers)
            raise
        return [_whole(found) for found in [self._done.pop(number) for number in numbers]]

    def submit(self, asks: Sequence[Ask]) -> list[int]:
        """Hand requests in; returns their numbers, in order. Raises ValueError as `generate` does."""
        for ask in asks:
            self._require_possible(ask)
        numbers = []
        for ask in asks:
            numbers.append(next(self._numbers))
            self._open[numbers[-1]] = Unfinished(ask, self.end_id, self.decode, grammar=self.settings.grammar)
            self._ask_on(numbers[-1])
        return numbers

    def receive(self, timeout_s: float) -> list[tuple[int, Completion | AgentFailure]]:
        """Get on with the work; (number, what came of it) of every request that is done by now, [] after `timeout_s`.

        Raises EngineDied where vLLM is gone.
        """
        deadline = time.monotonic() + timeout_s
        left = timeout_s
        while self._open and not self._done and left >= 0:
            self._advance(left)
            left = deadline - time.monotonic()
        done, self._done = [*self._done.items()], {}
        return done

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Forget these requests: nobody waits for them any more. Unknown numbers are ignored."""
        for number in numbers:
            self._done.pop(number, None)
        known = [self._open.pop(number) for number in numbers if number in self._open]
        if known:
            self.sampled += self._vllm.abort([reply.request for reply in known])

    def _require_possible(self, ask: Ask) -> None:
        if not ask.prompt:
            raise ValueError("a prompt needs at least one token to read: got an empty one")
        if len(ask.prompt) + ask.sampling.max_tokens > self.max_context:
            raise ValueError(
                f"a prompt and its reply fit into agent.context.max_context={self.max_context} tokens: got "
                f"{len(ask.prompt)} and max_tokens={ask.sampling.max_tokens}"
            )
        if ask.sampling.temperature and not COLDEST <= ask.sampling.temperature <= HOTTEST:
            raise ValueError(
                f"vLLM samples at agent.sampling.temperature from {COLDEST:g} to {HOTTEST:g}, or greedily at 0: got "
                f"{ask.sampling.temperature:g}"
            )

    # Working

    def _advance(self, timeout_s: float) -> None:
        """One step of vLLM's."""
        with self.clock.running():
            outputs = self._vllm.step(timeout_s)
        for output in outputs:
            self._take(int(output.request_id), output)
        self._give_up(time.monotonic() - self.settings.deadline_s)

    def _give_up(self, late: float) -> None:
        """On what was asked for before then."""
        overdue = [number for number, reply in self._open.items() if reply.since < late]
        if overdue:
            self.withdraw(overdue)
            for number in overdue:
                text = f"vLLM sampled no reply in engine.vllm.deadline_s={self.settings.deadline_s:g} seconds"
                self._done[number] = AgentFailure(text, "timeout")

    def _take(self, number: int, output: Any) -> None:
        """A part of a reply is done."""
        reply = self._open.get(number)
        if reply is None:
            return
        part = output.outputs[0]
        self.sampled += len(part.token_ids)
        self.read += len(output.prompt_token_ids)
        self.cached += output.num_cached_tokens or 0
        try:
            over = reply.take(part)
        except AgentFailure as failure:
            del self._open[number]
            self._done[number] = failure
            return
        if over:
            del self._open[number]
            self._done[number] = reply.completion()
        else:
            self._ask_on(number)

    def _ask_on(self, number: int) -> None:
        reply = self._open[number]
        reply.request = self._vllm.add(str(number), reply.prompt(), reply.parameters())

    # Weights

    def load(self, weights: Weights, version: int) -> None:
        """Go on with these weights, in place; replies from now on are of this version.

        What runs meanwhile ends under the old weights first, or goes on under the new ones: `settings.in_flight`.
        """
        while self.settings.in_flight == "drain" and self._open:
            self._advance(self.settings.deadline_s)
        self._vllm.load(weights(), version)
        self.weight_version = version

    def sleep(self) -> None:
        """Where `settings.sleep`: give the GPU's memory to somebody else, until the next thing that is asked."""
        if self.settings.sleep:
            self._vllm.sleep()

    def wake(self) -> None:
        """Take the GPU's memory back."""
        self._vllm.wake()

    def close(self) -> None:
        """Let go of everything; the engine is of no more use. May be called twice."""
        self._open, self._done = {}, {}
        self._vllm.close()


def _whole(found: Completion | AgentFailure) -> Completion:
    """Raises the failure."""
    if isinstance(found, AgentFailure):
        raise found
    return found
