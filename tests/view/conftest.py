"""Pages asked in this process, with a cache of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from turnwise.records import Episode, Message, Turn

TOKEN, PORT = "a-token-of-the-tests", 8123
JSON_POST = {"X-Turnwise": "1", "Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where indexes and games of comparisons go."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TURNWISE_CACHE", str(folder))
    return folder


@pytest.fixture
def stranger() -> Iterator[Callable[..., TestClient]]:
    """`stranger(path, ...)`: a client that has shown no token yet."""
    from turnwise.view.app import make_app

    clients: list[TestClient] = []

    def build(*paths: Path) -> TestClient:
        app: Any = make_app(paths, token=TOKEN, port=PORT)
        client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", follow_redirects=False)
        client.__enter__()
        clients.append(client)
        return client

    yield build
    for client in clients:
        client.__exit__()


@pytest.fixture
def pages(stranger: Callable[..., TestClient]) -> Callable[..., TestClient]:
    """`pages(path, ...)`: a client that may ask everything."""

    def build(*paths: Path) -> TestClient:
        client = stranger(*paths)
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        return client

    return build


def game(id: str = "e", *texts: str, **fields: Any) -> Episode:
    """An episode of two seats with a turn for every text, without tokens."""
    turns = tuple(
        Turn(seat=f"player_{i % 2}", observation=(Message("user", f"observation {i}"),), text=text, action=text)
        for i, text in enumerate(texts or ("[bet]",))
    )
    known: dict[str, Any] = {
        "id": id,
        "env_id": "KuhnPoker-LLM",
        "seats": {"player_0": "policy", "player_1": "random"},
        "returns": {"player_0": 1.0, "player_1": -1.0},
        "turns": turns,
    }
    return Episode(**(known | fields))


def changed(episode: Episode, index: int, **fields: Any) -> Episode:
    """The episode with another turn at that place."""
    turns = list(episode.turns)
    turns[index] = dataclasses.replace(turns[index], **fields)
    return dataclasses.replace(episode, turns=tuple(turns))
