"""Small episodes, and one thread: the tensors of these tests are tiny."""

from collections.abc import Callable

import pytest
import torch

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
