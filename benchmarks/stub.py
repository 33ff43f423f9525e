"""A model that costs nothing: it replies with a legal move, by the request's seed. Its time is counted apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.engine import Ask, Completion
from turnwise.agents.language import LanguageAgent
from turnwise.agents.sampling import Sampling
from turnwise.agents.tiny import build_tokenizer
from turnwise.algorithms.recipes import SFT
from turnwise.algorithms.sft import scripted_games, spoken_texts
from turnwise.records import Reply, Request

AGENTS = ("text", "tokens", "streamed")


class StubAgent:
    """Reads text and writes text."""

    def __init__(self) -> None:
        self.name, self.stub, self.seconds = "policy", self, 0.0

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        started = time.process_time()
        replies = []
        for request in requests:
            legal = request.game.legal()
            replies.append(Reply(text=f"[{legal[request.seed % len(legal)]}]"))
        self.seconds += time.process_time() - started
        return replies


class StubEngine:
    """Samples batches of token ids. It finds the legal moves at the end of a prompt's text."""

    def __init__(self, context: ChatContext) -> None:
        self._context = context
        self._known: dict[tuple[int, ...], list[Completion]] = {}
        self.seconds, self.weight_version, self.sampled = 0.0, 0, 0

    def generate(
        self, prompts: Sequence[tuple[int, ...]], seeds: Sequence[int], sampling: Sampling, begun: Any = ()
    ) -> list[Completion]:
        started = time.process_time()
        found = [self.reply(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]
        self.seconds += time.process_time() - started
        return found

    def reply(self, prompt: tuple[int, ...], seed: int) -> Completion:
        """One of the completions that name a legal move."""
        found = self._known.get(prompt)
        if found is None:
            found = self._known[prompt] = self._completions(prompt)
        return found[seed % len(found)]

    def _completions(self, prompt: tuple[int, ...]) -> list[Completion]:
        moves = self._context.decode(prompt).rpartition(" moves ")[2].split()[:-1]  # the last word opens the reply
        replies = [self._context.encode_reply(f"[{move}]") for move in moves]
        return [Completion(ids, (-0.5,) * len(ids), True) for ids in replies]


class StreamedStub(StubEngine):
    """The same, one by one: whatever was handed in is done at the next look."""

    def __init__(self, context: ChatContext) -> None:
        super().__init__(context)
        self._asks: dict[int, Ask] = {}
        self._next = 0

    def submit(self, asks: Sequence[Ask]) -> list[int]:
        started = time.process_time()
        numbers = list(range(self._next, self._next + len(asks)))
        self._next += len(asks)
        self._asks.update(zip(numbers, asks, strict=True))
        self.seconds += time.process_time() - started
        return numbers

    def receive(self, timeout_s: float) -> list[tuple[int, Completion]]:
        started = time.process_time()
        found = [(number, self.reply(ask.prompt, ask.seed)) for number, ask in self._asks.items()]
        self._asks.clear()
        self.seconds += time.process_time() - started
        return found

    def withdraw(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._asks.pop(number, None)

    def load(self, weights: Any, version: int) -> None: ...

    def close(self) -> None: ...

    clock = None


def stub_agent(loop: str, game: str) -> Any:
    """The agent of one of `AGENTS`, with a context as in the default run of that game."""
    if loop == "text":
        return StubAgent()
    kwargs = {"prompt": "compact", "show_legal_moves": True}
    texts = spoken_texts(scripted_games(SFT(games=200), [(game, kwargs)], 0))
    context = ChatContext(build_tokenizer(texts, 512), ContextSettings(layout="per_turn", history="last"))
    engine = StubEngine(context) if loop == "tokens" else StreamedStub(context)
    agent: Any = LanguageAgent(engine, context, Sampling(max_tokens=8))  # type: ignore[arg-type]
    agent.stub = engine
    return agent
