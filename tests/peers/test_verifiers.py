"""A game of ours, run by verifiers against a server that answers at once with a legal move."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import verifiers.v1 as vf
from aiohttp import web
from verifiers.v1.clients import ModelContext
from verifiers.v1.runtimes import base
from verifiers.v1.utils.generic import concrete_type

from turnwise.envs.referee import Referee
from turnwise.envs.registry import make_game

HANDS, SEATS = 2, ("player_0", "player_1")


async def prepared(self: Any, script: str | bytes, env: Any = None, *, activate: bool = True) -> list[str]:
    """In place of `uv`, which would fetch packages: the script in a file, for this interpreter."""
    data = script.encode() if isinstance(script, str) else script
    path = Path("/var/tmp") / f"turnwise_{hashlib.sha256(data).hexdigest()[:16]}.py"
    path.write_bytes(data)
    return [sys.executable, str(path)]


async def serve(told: list[str], reply: str | None) -> tuple[Any, int]:
    """Chat completions on a free port: the first legal move of the last message, or always the same reply."""

    async def chat(request: Any) -> Any:
        body = await request.json()
        told.append(json.dumps(body["messages"]))
        moves = re.findall(r"\[(\w+)\]", str(body["messages"][-1]["content"]))
        message = {"role": "assistant", "content": reply or f"Well. [{moves[-1]}]"}
        base_ = {"id": "x", "created": 0, "model": body["model"]}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        if not body.get("stream"):
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            return web.json_response({**base_, "object": "chat.completion", "usage": usage, "choices": [choice]})
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for part in (
            {"choices": [{"index": 0, "delta": message, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage},
        ):
            line = json.dumps({**base_, "object": "chat.completion.chunk", **part})
            await answer.write(f"data: {line}\n\n".encode())
        await answer.write(b"data: [DONE]\n\n")
        return answer

    application = web.Application()
    application.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, site._server.sockets[0].getsockname()[1]


MODULE = """
from turnwise.interchange.verifiers import environment

Environment, Tasks = environment({game!r}, **{settings!r})
__all__ = ["Environment", "Tasks"]
"""


async def played(
    folder: Path, name: str, reply: str | None, game: str = "KuhnPoker-LLM", **settings: Any
) -> tuple[list[Any], list[str]]:
    """Episodes of the first deals of a package of that name, and what the server was asked."""
    (folder / f"{name}.py").write_text(MODULE.format(game=game, settings=settings))
    told: list[str] = []
    runner, port = await serve(told, reply)
    client = vf.EvalClientConfig(base_url=f"http://127.0.0.1:{port}/v1", api_key_var="STUB_KEY")
    package = vf.import_environment(name)
    env_class, taskset_class = package.Environment, package.Tasks
    agents = {seat: vf.AgentConfig(harness={"id": "null"}, runtime={"type": "subprocess"}) for seat in SEATS}
    env = env_class(concrete_type(env_class, vf.EnvConfig, origin=vf.Env)(**agents, taskset={"id": name}))
    rows = iter(taskset_class(vf.TasksetConfig(id=name)))
    async with env.serving():
        context = ModelContext(model="stub", client=client)
        episodes = [await env.run_episode(next(rows), context) for _ in range(HANDS)]
    await runner.cleanup()
    return episodes, told


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(base.Runtime, "prepare_uv_script", prepared)
    monkeypatch.setenv("STUB_KEY", "x")


def expected(game: str, seed: int) -> dict[str, float]:
    """The returns of the same replies, played by our referee alone."""
    referee = Referee(make_game(game), invalid="forfeit")
    referee.start(seed)
    while referee.seat is not None:
        moves = re.findall(r"\[(\w+)\]", referee.observe(referee.seat))
        referee.submit(f"Well. [{moves[-1]}]")
    return referee.returns


def test_a_hand_is_played_by_both_seats_and_paid_to_both(tmp_path: Path) -> None:
    episodes, told = asyncio.run(played(tmp_path, "turnwise_kuhn", None, first_seed=11))
    assert [episode.last_error for episode in episodes] == [None] * HANDS
    for seed, episode in enumerate(episodes, start=11):
        found = {trace.info["turnwise"]["seat"]: trace for trace in episode.traces}
        assert set(found) == {"player_0", "player_1"}
        rewards = {seat: trace.reward for seat, trace in found.items()}
        assert rewards == expected("KuhnPoker-LLM", seed)
        assert {trace.info["turnwise"]["seed"] for trace in found.values()} == {seed}
        assert {trace.metrics["invalid"] for trace in found.values()} == {0.0}
    turns = sum(trace.metrics["turns"] for episode in episodes for trace in episode.traces)
    assert turns == len(told)


def test_replies_that_are_no_move_forfeit(tmp_path: Path) -> None:
    episodes, told = asyncio.run(played(tmp_path, "turnwise_mute", "I do not know."))
    assert len(told) == HANDS
    for episode in episodes:
        found = {trace.info["turnwise"]["seat"]: trace for trace in episode.traces}
        assert found["player_0"].reward < 0
        assert found["player_0"].metrics["invalid"] == 1.0
        assert found["player_0"].reward == -found["player_1"].reward
