"""Episodes that a run has recorded, and one that holds everything odd that a record may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from turnwise.interchange import read_episodes
from turnwise.records import Episode, Message, Turn


@pytest.fixture(scope="session")
def recorded(finished_run: Path) -> list[Episode]:
    """What `finished_run` wrote down of its training."""
    return read_episodes(finished_run)


def spoken(seat: str, read: str, said: str, **more: Any) -> Turn:
    """A turn without tokens."""
    messages = (Message("user", read),) if read else ()
    return Turn(seat=seat, observation=messages, text=said, action=said, **more)


@pytest.fixture
def odd() -> Episode:
    """None beside empty, -inf, -0.0, unicode, quotes, a fork, parts of rewards, settings inside settings."""
    tokens: dict[str, Any] = {
        "prompt_ids": (1, 2, 3),
        "completion_ids": (4, 5),
        "logprobs": (-0.25, float("-inf")),
        "train_logprobs": (-0.2500001, -1e300),
        "token_values": (None, 0.5),
        "advantages": (None, -0.0),
        "updated_logprobs": (-0.1, -7.0),
        "topk_entropy": (),
        "weight_version": ((0, 3), (1, 4)),
    }
    first = Turn(
        seat="a", observation=(Message("system", 'Règles\n"x" </script>'), Message("user", "")), text="[a]", **tokens
    )
    second = spoken("b", "你好", "no", status="illegal", reward=-1.5, tool_calls=('{"name": "f"}',), seconds=0.25)
    return Episode(
        id="run/3.7#2",
        env_id="Odd/Game-LLM",
        env_kwargs={"level": 3, "names": ["x", None], "deep": {"a": {}}},
        seats={"a": "policy", "b": "random"},
        turns=(first, second),
        returns={"a": 1.5, "b": -1.5},
        status="truncated",
        seed=2**62,
        group="g|1",
        parent="run/3.7",
        fork_turn=1,
        ground_truth="42",
        end_values={"a": 0.1, "b": -0.1},
        reward_parts={"task": {"a": 1.0, "b": -1.5}, "length": {"a": 0.5, "b": 0.0}},
        metadata={"step": 30, "kind": "train", "note": {"x": [1.5, "y"]}},
    )
