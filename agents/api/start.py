"""From settings to agents and engines behind an API."""

from __future__ import annotations

from turnwise.agents.api.agent import ApiAgent
from turnwise.agents.api.engine import OpenAIEngine
from turnwise.agents.api.probe import require_server
from turnwise.agents.api.settings import ApiSettings, named_api
from turnwise.agents.context import ChatContext
from turnwise.agents.engine import AgentFailure, Weights
from turnwise.agents.sampling import Sampling


def api_agent(name: str, settings: ApiSettings) -> ApiAgent | None:
    """The agent `openai:MODEL` or `anthropic:MODEL`; None for any other name. Nothing is asked yet.

    Raises ValueError without a model or a needed key, MissingDependency without the provider's SDK.
    """
    named = named_api(name, settings)
    return None if named is None else ApiAgent(named)


def start_api_engine(
    settings: ApiSettings, context: ChatContext, sampling: Sampling, *, weights: Weights | None = None
) -> OpenAIEngine:
    """The engine that has a server sample, token by token: its model is the one that `context` has the tokenizer of.

    weights: what the server is to begin with, for training; None takes the server's as they are, for good. The server
    is asked before anything depends on it. Raises ValueError, in one line with what to do, where it cannot be reached,
    does not return token ids and log-probs, or (for training) takes no new weights or returns log-probs of another
    distribution than the one that it samples from.
    """
    engine = OpenAIEngine(settings, end_id=context.end_id, decode=context.decode, vocabulary=len(context.tokenizer))
    try:
        require_server(engine, context, sampling, training=weights is not None)
        if weights is not None:
            engine.load(weights, 0)
    except AgentFailure as failure:
        engine.close()
        raise ValueError(
            f"the server does not take the policy's weights; does it serve that model? {failure}"
        ) from None
    except BaseException:
        engine.close()
        raise
    return engine
