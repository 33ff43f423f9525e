"""A server of this machine, agents that ask it, and retries that do not take long."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from turnwise.agents.api import client
from turnwise.agents.api.agent import ApiAgent
from turnwise.agents.api.settings import ApiSettings

sys.path.insert(0, str(Path(__file__).parent))

from loopback_server import Server  # it lies beside this file


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The random wait before a retry is next to nothing; what a server asks for stays."""
    monkeypatch.setattr(client, "_FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(client, "_LONGEST_WAIT_S", 0.01)


@pytest.fixture
def agent(server: Server) -> Iterator[Callable[..., ApiAgent]]:
    """`agent(provider="anthropic", retries=0, ...)`: an agent that asks the server."""
    made: list[ApiAgent] = []

    def build(provider: str = "openai", **settings: Any) -> ApiAgent:
        url = server.root + ("/v1" if provider == "openai" else "")
        known = {"model": "small", "base_url": url, "deadline_s": 30.0, "retries": 3}
        made.append(ApiAgent(ApiSettings(provider=provider, **(known | settings))))
        return made[-1]

    yield build
    server.released.set()
    for one in made:
        one.close()
