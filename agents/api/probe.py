"""What a server must be able to, asked before anything depends on it."""

from __future__ import annotations

from turnwise.agents.api.engine import OpenAIEngine
from turnwise.agents.api.remote import ADVICE
from turnwise.agents.context import ChatContext
from turnwise.agents.engine import AgentFailure, Ask
from turnwise.agents.sampling import Sampling
from turnwise.records import Message

_ALIKE = 1e-3
"""Two log-probs that differ by less are the same number, in nats."""


def require_server(engine: OpenAIEngine, context: ChatContext, sampling: Sampling, *, training: bool) -> None:
    """Raises ValueError, with what to do, unless the server returns what is needed of it: see `start_api_engine`."""
    settings = engine.settings
    if settings.provider != "openai" or not settings.model:
        raise ValueError(
            "engine.name=openai needs engine.api.provider=openai and engine.api.model, what the server calls its "
            f"model: got {settings.provider!r} and {settings.model!r}"
        )
    if training and not settings.is_local:
        raise ValueError(f"training needs a server that takes new weights, and {settings.url} is elsewhere; {ADVICE}")
    prompt = context.opening((Message("user", "Hello"),))
    try:
        engine.generate([prompt], [0], Sampling(max_tokens=1))
        if training:
            engine.remote.require(engine.vocabulary)
        if training and (sampling.temperature, sampling.top_p) != (1.0, 1.0) and not _processed(engine, prompt):
            raise ValueError(
                f"with agent.sampling.temperature={sampling.temperature:g} and top_p={sampling.top_p:g} the log-probs "
                "that this server returns are of another distribution than the one it samples from; start it with "
                "--logprobs-mode processed_logprobs, or set temperature and top_p to 1"
            )
    except AgentFailure as failure:
        raise ValueError(
            "engine=openai needs a server whose /v1/completions takes token ids and returns those that it sampled "
            f"with their log-probs, as vLLM's does; others can be opponents and judges, openai:MODEL: {failure}"
        ) from None


def _processed(engine: OpenAIEngine, prompt: tuple[int, ...]) -> bool:
    """Are the log-probs of what is sampled from? Halving the temperature sharpens the likeliest token's then."""
    first, second = (_likeliest(engine, prompt, temperature) for temperature in (1.0, 0.5))
    return second > first + _ALIKE


def _likeliest(engine: OpenAIEngine, prompt: tuple[int, ...], temperature: float) -> float:
    """Log-prob of the likeliest next token, in nats."""
    ask = Ask(prompt, 0, Sampling(max_tokens=1, temperature=temperature, entropy_tokens=1))
    return max(engine.candidates(ask))
