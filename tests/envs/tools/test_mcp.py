"""MCP servers as tools: in memory, as processes, and when they fail."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnwise.envs.core import EnvFailure
from turnwise.envs.tools.example_server import PRICES
from turnwise.envs.tools.mcp import McpServer, python_server
from turnwise.envs.tools.mcp_game import LEVELS, mcp_game, read_tasks
from turnwise.envs.tools.tool import ToolError


def greeter() -> Any:
    from mcp.server import MCPServer

    server = MCPServer("greeter")

    @server.tool()
    async def greet(name: str, times: int = 1) -> str:
        """Say hello."""
        return " ".join([f"Hello, {name}."] * times)

    @server.tool()
    async def wait(seconds: float) -> str:
        """Sleep."""
        import asyncio

        await asyncio.sleep(seconds)
        return "awake"

    return server


TROUBLED = """
import os, time
from mcp.server import MCPServer
server = MCPServer("troubled")

@server.tool()
def add(a: int, b: int) -> int:
    "Add."
    return a + b

@server.tool()
def die() -> str:
    "End the server."
    os._exit(3)

@server.tool()
def hang() -> str:
    "Never answer."
    time.sleep(3600)
    return ""

@server.tool()
def reveal(name: str) -> str:
    "An environment variable."
    return os.environ.get(name, "unset")

server.run()
"""


def test_tools_of_a_server_in_this_process() -> None:
    server = McpServer(greeter, cost=0.1, budget=3)
    greet, wait = server.tools()
    assert (greet.name, greet.cost, greet.budget, greet.text_argument) == ("greet", 0.1, 3, "name")
    assert greet.schema["function"]["description"] == "Say hello."
    assert greet.parameters["properties"]["times"]["type"] == "integer"
    assert greet.run(name="Ada", times=2) == "Hello, Ada. Hello, Ada."
    assert [tool.name for tool in McpServer(greeter, only=["wait"]).tools()] == ["wait"]
    with pytest.raises(ValueError, match="has no tool 'wave'; it has greet, wait"):
        McpServer(greeter, only=["wave"]).tools()
    assert wait.run(seconds=0) == "awake"
    server.close()
    assert greet.run(name="Bo") == "Hello, Bo."  # a closed connection is opened again
    server.close()


def test_a_call_that_takes_too_long_is_told_to_the_agent() -> None:
    server = McpServer(greeter, deadline_s=0.1)
    with pytest.raises(ToolError, match=r"wait gave no answer within 0.1 s"):
        server.call("wait", seconds=60)
    assert server.call("greet", name="Cy") == "Hello, Cy."
    server.close()
    with pytest.raises(ValueError, match="deadline_s is above 0"):
        McpServer(greeter, deadline_s=0)


def test_errors_of_a_tool_are_told_to_the_agent() -> None:
    server = McpServer(greeter)
    with pytest.raises(ToolError, match="validation error"):
        server.call("greet", name=["x"])
    with pytest.raises(ToolError):
        server.call("no such tool")
    server.close()


def test_a_server_process_that_hangs_or_dies_is_started_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setenv("TURNWISE_TEST_SECRET", "hidden")
    (tmp_path / "troubled.py").write_text(TROUBLED)
    server = McpServer([sys.executable, str(tmp_path / "troubled.py")], environment={"GIVEN": "shown"}, deadline_s=20)
    assert server.call("add", a=2, b=3) == "5"
    assert server.call("reveal", name="TURNWISE_TEST_SECRET") == "unset"
    assert server.call("reveal", name="GIVEN") == "shown"
    with pytest.raises(ToolError, match="die failed"):
        server.call("die")
    assert server.call("add", a=2, b=4) == "6"
    server.deadline_s = 0.5
    with pytest.raises(ToolError, match="no answer within"):
        server.call("hang")
    server.deadline_s = 20
    assert server.call("add", a=2, b=5) == "7"
    server.close()


@pytest.mark.parametrize("server", [["/no/such/program"], "http://127.0.0.1:9/mcp", python_server("this_is_no_module")])
def test_a_server_that_cannot_be_reached_is_a_failure_of_the_environment(server: Any) -> None:
    with pytest.raises(EnvFailure, match="the MCP server cannot be reached"):
        McpServer(server).tools()


def test_a_server_over_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [*python_server("turnwise.envs.tools.example_server"), "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            game = mcp_game(
                server=f"http://127.0.0.1:{port}/mcp", tasks=[{"question": "What is a lamp?", "answer": "37 crowns"}]
            )
            for _ in range(100):  # until it listens
                with contextlib.suppress(EnvFailure):
                    game.start(np.random.default_rng(0))
                    break
                time.sleep(0.1)
            game.play("<price>lamp</price>")
            assert game.observe("player_0") == '<tool_response name="price">\n37\n</tool_response>'
            process.kill()
            process.wait()
            game.play("<price>lamp</price>")
            assert "error: price failed" in game.observe("player_0") or "gave no answer" in game.observe("player_0")
        finally:
            process.kill()


# --- the environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_the_expert_shops(level: str) -> None:
    game = mcp_game(transport="memory", level=level)
    for seed in range(3):
        game.start(np.random.default_rng(seed))
        while game.seat:
            step = game.play(game.solution()[0])
        assert step.rewards == {"player_0": 1.0}
    assert game.level == level and game.task == f"order of {LEVELS[level]}"
    game.draw.link.close()  # type: ignore[attr-defined]


def test_the_example_over_stdio_and_its_copy() -> None:
    game = mcp_game(transport="stdio")
    game.start(np.random.default_rng(0))
    game.play("<price>lamp</price>")
    assert game.observe("player_0") == f'<tool_response name="price">\n{PRICES["lamp"]}\n</tool_response>'
    twin = pickle.loads(pickle.dumps(game))
    for one in (game, twin, game.clone()):
        one.play("<price>moon</price>")
        assert "price: the shop has no 'moon'" in one.observe("player_0")
    for one in (game, twin):
        one.draw.link.close()


def test_a_connection_per_episode_ends_with_it() -> None:
    game = mcp_game(transport="memory", share="episode")
    game.start(np.random.default_rng(0))
    game.play("<price>lamp</price>")
    first = game.draw.link._link  # type: ignore[attr-defined]
    game.start(np.random.default_rng(1))
    assert not first.alive
    game.play("<price>lamp</price>")
    assert "37" in game.observe("player_0")
    game.close()


def test_tasks_of_one_s_own(tmp_path: Path) -> None:
    (tmp_path / "tasks.jsonl").write_text('{"question": "Greet Ada.", "answer": "Hello, Ada."}\n\n')
    game = mcp_game(server=greeter, tasks=str(tmp_path / "tasks.jsonl"))
    game.start(np.random.default_rng(0))
    assert game.observe("player_0").endswith("Question: Greet Ada.")
    game.play("<greet>Ada</greet>")
    assert "Hello, Ada." in game.observe("player_0")
    assert game.play("<answer>hello, ada.</answer>").rewards == {"player_0": 1.0}
    game.draw.link.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"question": "x"}], "record 1: a task is"),
        ([], "holds no tasks"),
        ([{"question": "x", "answer": 3}], "record 1"),
    ],
)
def test_bad_tasks(records: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read_tasks(records)
    path = tmp_path / f"{len(records)}.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(ValueError, match=message):
        read_tasks(str(path))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"server": "http://x"}, "come together"),
        ({"level": "x"}, "level is one of easy, medium, hard"),
        ({"share": "world"}, "share is one of process, game, episode"),
    ],
)
def test_settings(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mcp_game(**kwargs)


def test_no_process_is_left_behind() -> None:
    server = McpServer(python_server("turnwise.envs.tools.example_server"))
    server.tools()
    children = {int(pid) for pid in os.listdir("/proc") if pid.isdigit() and _parent(pid) == os.getpid()}
    assert children
    server.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(_parent(str(pid)) == os.getpid() for pid in children):
        time.sleep(0.02)
    assert not any(_command(pid) for pid in children)


def _parent(pid: str) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return None


def _command(pid: int) -> bool:
    try:
        return b"example_server" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
