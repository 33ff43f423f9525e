"""Models behind an API in suites and tournaments: what they cost, and what becomes of games that a server broke."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback_server import Answer, Server, chat

Command = Callable[..., Any]


def words(server: Server) -> tuple[str, ...]:
    return f"agent.api.base_url={server.root}/v1", "agent.api.input_price=2", "agent.api.retries=0"


ONLY_KUHN = tuple(
    f"suite.tasks.{name}=null"
    for name in ("leduc_poker", "liars_dice", "nim", "tic_tac_toe", "tic_tac_toe_mcts", "connect_four")
)


def test_a_suite_tells_what_a_model_cost(server: Server, command: Command, tmp_path: Path) -> None:
    server.answer = lambda seen: chat("[check]" if "King" not in seen.text else "I say [bet]")
    given = ("eval", "openai:small", "suite=core", "suite.games=6", *ONLY_KUHN, *words(server), "--out", tmp_path)
    result = command(*given, "--json")
    assert result.exit_code == 0, result.stderr
    (row,) = json.loads(result.stdout)["players"]
    asked = len(server.seen)
    assert row["tasks"]["kuhn_poker"]["usage"]["api/requests"] == asked > 0
    assert row["cost"] == pytest.approx(asked * 10 * 2 / 1e6)
    again = command(*given, "agent.api.input_price=5")
    assert again.exit_code == 0
    assert len(server.seen) == asked, "what was played is not asked again, whatever it would cost now"


def test_games_that_a_server_broke_are_tried_again(server: Server, command: Command, tmp_path: Path) -> None:
    server.answer = lambda seen: Answer({"error": "no"}, status=400)
    given = ("tournament", "KuhnPoker-LLM", "openai:small", "random", "--games", 4, *words(server), "--out", tmp_path)
    broken = command(*given)
    assert broken.exit_code == 2
    assert "could not play one deal to its end (agent_error: " in broken.stderr
    server.answer = lambda seen: chat("[check]")
    result = command(*given, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["games_played_now"] == 4
    assert found["usage"]["api/requests"] > 0
    assert {row["kind"] for row in found["players"]} == {"api", "scripted"}
