"""Real vLLM engines over a tiny model, in this process; what they sample is held against the trainer's own forward."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.drawing import nucleus as _nucleus
from turnwise.agents.engine import Completion
from turnwise.agents.local import LocalEngine
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
from turnwise.agents.vllm.engine import VllmEngine
from turnwise.agents.vllm.settings import VllmSettings
from turnwise.agents.vllm.start import start_vllm

TEXTS = ("Your card: King. check or bet?", "[check]", "[bet]", "[call]", "[fold]", "Jack Queen King")
SMALL = VllmSettings(kv_cache_gb=0.0625, max_num_seqs=64, deadline_s=60)

Start = Callable[..., VllmEngine]

collect_ignore_glob = [] if importlib.util.find_spec("vllm") else ["test_*.py"]  # announced by the suite's conftest.py


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return build_tokenizer(TEXTS, 320)


@pytest.fixture(scope="session")
def new_model(tokenizer: Any) -> Callable[..., Any]:
    """`new_model(seed)`: heads that vLLM runs, and weights so large that its distributions are far from uniform."""

    def build(seed: int = 1) -> Any:
        sizes = TinyModel(hidden=64, heads=2, head_dim=32, intermediate=64, init_std=0.25)
        return build_model(sizes, tokenizer, seed).eval()

    return build


@pytest.fixture(scope="session")
def model(new_model: Callable[..., Any]) -> Any:
    return new_model()


@pytest.fixture(scope="session")
def context(tokenizer: Any) -> ChatContext:
    return ChatContext(tokenizer, ContextSettings(max_context=512), "chatml")


@pytest.fixture(scope="session")
def start(model: Any, tokenizer: Any, context: ChatContext) -> Iterator[Start]:
    """`start(max_num_seqs=8, model=...)`: another engine, over the tiny model unless said otherwise."""
    started: list[VllmEngine] = []

    def begin(**words: Any) -> VllmEngine:
        given = {name: words.pop(name) for name in ("model", "tokenizer", "context", "path", "dtype") if name in words}
        rest = {"model": model, "tokenizer": tokenizer, "context": context} | given
        started.append(start_vllm(replace(SMALL, **words), **rest))
        return started[-1]

    yield begin
    for engine in started:
        engine.close()


@pytest.fixture(scope="session")
def fp32(start: Start) -> VllmEngine:
    return start()


@pytest.fixture
def engine(fp32: VllmEngine, model: Any) -> Iterator[VllmEngine]:
    """The one that most tests share; whatever a test has changed is put back."""
    yield fp32
    fp32.settings, fp32.held_to_legal = SMALL, False
    fp32.withdraw([*fp32._open, *fp32._done])
    if fp32.weight_version:
        fp32.load(model.named_parameters, 0)


@pytest.fixture(scope="session")
def local(model: Any, context: ChatContext) -> LocalEngine:
    return LocalEngine(model, end_id=context.end_id, pad_id=0, decode=context.decode)


@pytest.fixture(scope="session")
def prompts() -> list[tuple[int, ...]]:
    """Twelve prompts of 5 to 60 tokens, of which some begin alike."""
    draw = torch.Generator().manual_seed(5)
    shared = torch.randint(3, 300, (40,), generator=draw).tolist()
    found = [tuple(torch.randint(3, 300, (5 + 3 * k,), generator=draw).tolist()) for k in range(6)]
    return found + [tuple(shared + torch.randint(3, 300, (1 + 3 * k,), generator=draw).tolist()) for k in range(6)]


@torch.no_grad()
def scored(model: Any, prompt: tuple[int, ...], found: Completion, temperature: float = 1.0, top_p: float = 1.0) -> Any:
    """[T] nats: what the plain forward pass says of a completion's tokens, as they were drawn."""
    ids = torch.tensor([[*prompt, *found.ids]])
    logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
    logprobs = torch.log_softmax(logits / (temperature or 1.0), dim=-1)
    if top_p < 1:
        logprobs = _nucleus(logprobs, top_p)
    return logprobs.gather(1, ids[0, len(prompt) :, None])[:, 0]


def apart(
    model: Any, prompt: tuple[int, ...], found: Completion, temperature: float = 1.0, top_p: float = 1.0
) -> float:
    """The largest difference in nats between what the engine and the trainer say of a token."""
    return float((torch.tensor(found.logprobs) - scored(model, prompt, found, temperature, top_p)).abs().max())


@pytest.fixture(scope="session", name="apart")
def apart_fixture() -> Callable[..., float]:
    return apart


@pytest.fixture(scope="session", name="scored")
def scored_fixture() -> Callable[..., Any]:
    return scored
