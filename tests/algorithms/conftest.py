"""Small episodes, and one thread: the tensors of these tests are tiny."""

import dataclasses
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


@pytest.fixture(scope="session")
def annotated() -> Callable[[Episode], Episode]:
    """`annotated(game)`: the same game with everything filled in that a credit method may need and that is not there.

    Every number is a plain one: probability 1/2, an entropy of 1/2, values of 1/4, an answer that grows likelier.
    """

    def fill(game: Episode) -> Episode:
        turns = tuple(_filled(turn, place) for place, turn in enumerate(game.turns))
        parts = {"task": dict(game.returns)} if game.reward_parts is None else game.reward_parts
        ends = dict.fromkeys(game.seats, 0.25) if game.end_values is None else game.end_values
        truth = "yes" if game.ground_truth is None else game.ground_truth
        return dataclasses.replace(game, turns=turns, reward_parts=parts, end_values=ends, ground_truth=truth)

    return fill


def _filled(turn: Turn, place: int) -> Turn:
    tokens = len(turn.completion_ids)
    known: dict[str, Any] = {
        "train_logprobs": (-0.693,) * tokens,
        "reference_logprobs": (-0.693,) * tokens,
        "token_entropy": (0.5,) * tokens,
        "squared_probs": (0.5,) * tokens,
        "token_values": (0.25,) * tokens,
        "topk_entropy": (0.5,) * tokens,
        "value": 0.25,
        "answer_logprob": -1.0 / (1 + place),
        "anchor": f"{turn.seat} at {place}",
    }
    return dataclasses.replace(turn, **{name: value for name, value in known.items() if getattr(turn, name) is None})


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
