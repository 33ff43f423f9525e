"""Small episodes, and one thread: the tensors of these tests are tiny."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from turnwise.agents.tiny import TinyModel, build_model
from turnwise.records import Episode, Turn

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def episode() -> Callable[..., Episode]:
    """`episode("0110", {"0": 1.0, "1": -1.0})`: who spoke, and what each seat got.

    All seats are held by `policy` unless `agents` says otherwise. Rewards of turns come from `rewards`, else they
    are 0, as where only the end of a game pays.
    """

    def build(
        seats: str,
        returns: dict[str, float],
        *,
        agents: dict[str, str] | None = None,
        rewards: tuple[float, ...] = (),
        silent: tuple[int, ...] = (),
        **fields: object,
    ) -> Episode:
        turns = tuple(
            Turn(
                seat=seat,
                observation=(),
                text="",
                reward=rewards[index] if rewards else 0.0,
                completion_ids=() if index in silent else (7, 8),
                logprobs=() if index in silent else (-1.0, -1.0),
            )
            for index, seat in enumerate(seats)
        )
        held = dict.fromkeys(returns, "policy") | (agents or {})
        return Episode(**({"id": "e", "env_id": "Game", "seats": held, "turns": turns, "returns": returns} | fields))

    return build


VOCABULARY = 24


class _Letters(SimpleNamespace):
    """What `build_model` asks of a tokenizer."""

    def __len__(self) -> int:
        return VOCABULARY


@pytest.fixture(scope="session")
def new_model() -> Callable[..., Any]:
    """`new_model(seed=0)`: a fresh model of 24 tokens whose distributions are far from uniform."""

    def build(seed: int = 0) -> Any:
        sizes = TinyModel(hidden=32, heads=2, intermediate=64)
        model = build_model(sizes, _Letters(eos_token_id=2, pad_token_id=0), seed)
        with torch.no_grad():
            model.model.embed_tokens.weight.mul_(10)
        return model

    return build


@pytest.fixture(scope="session")
def spoken() -> Callable[..., Episode]:
    """`spoken(("player_0", (1, 2), (3, 4)), ...)`: an episode of (seat, prompt, completion[, log-probs]) turns."""

    def build(*turns: tuple[Any, ...], id: str = "e") -> Episode:
        seats = sorted({turn[0] for turn in turns}) or ["player_0"]
        return Episode(
            id=id,
            env_id="Game",
            seats=dict.fromkeys(seats, "policy"),
            returns=dict.fromkeys(seats, 0.0),
            turns=tuple(
                Turn(
                    seat=seat,
                    observation=(),
                    text="",
                    prompt_ids=tuple(prompt),
                    completion_ids=tuple(completion),
                    logprobs=tuple(rest[0]) if rest else (-1.0,) * len(completion),
                )
                for seat, prompt, completion, *rest in turns
            ),
        )

    return build


@pytest.fixture(scope="session")
def forward() -> Callable[[Any, Sequence[int]], torch.Tensor]:
    """`forward(model, ids)`: log-softmax after each token of one row by the plain forward pass, [L, V] nats."""
    return lambda model, ids: torch.log_softmax(model(input_ids=torch.tensor([list(ids)])).logits[0].float(), dim=-1)
