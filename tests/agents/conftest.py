"""A tokenizer and a model of a few thousand weights, and one thread: the tensors of these tests are tiny."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.language import LanguageAgent
from turnwise.agents.local import LocalEngine
from turnwise.agents.sampling import Sampling
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer

torch.set_num_threads(1)

TEXTS = ("Your card: King. check or bet?", "[check]", "[bet]", "[call]", "[fold]", "Jack Queen King")


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return build_tokenizer(TEXTS, 320)


@pytest.fixture(scope="session")
def model(tokenizer: Any) -> Any:
    """Larger weights than a fresh model's, so that its distributions are far from uniform (3.5 to 4.5 nats)."""
    built = build_model(TinyModel(hidden=32, heads=2, intermediate=64), tokenizer, seed=1)
    with torch.no_grad():
        built.model.embed_tokens.weight.mul_(16)
        for weight in built.model.layers.parameters():
            weight.mul_(10 if weight.dim() == 2 else 1)
    return built


@pytest.fixture(scope="session")
def context(tokenizer: Any) -> Callable[..., ChatContext]:
    """`context(layout="per_turn", ...)`: a context with chatml and these settings."""
    return lambda **settings: ChatContext(tokenizer, ContextSettings(**settings), "chatml")


@pytest.fixture(scope="session")
def engine(model: Any, context: Callable[..., ChatContext]) -> Callable[..., LocalEngine]:
    """`engine(batch_tokens=...)`: the local engine over the tiny model."""
    chat = context()
    return lambda **options: LocalEngine(
        model, **({"end_id": chat.end_id, "pad_id": 0, "decode": chat.decode} | options)
    )


@pytest.fixture(scope="session")
def agent(engine: Callable[..., LocalEngine], context: Callable[..., ChatContext]) -> Callable[..., LanguageAgent]:
    """`agent(max_tokens=4, layout="per_turn", name="policy")`: a language agent over the tiny model."""

    def build(*, max_tokens: int = 4, name: str = "policy", **settings: object) -> LanguageAgent:
        return LanguageAgent(engine(), context(**settings), Sampling(max_tokens=max_tokens), name=name)

    return build


@pytest.fixture(scope="session")
def forward(model: Any) -> Callable[[Sequence[int]], torch.Tensor]:
    """Log-softmax after each token of one row, by the model's plain forward pass: [L, V] nats."""

    def logprobs(ids: Sequence[int]) -> torch.Tensor:
        with torch.no_grad():
            return torch.log_softmax(model(input_ids=torch.tensor([list(ids)])).logits[0].float(), dim=-1)

    return logprobs
