"""verifiers' own Kuhn poker environment in self-play, with a server that answers at once with a legal move.

`measured_verifiers` starts this file with an interpreter that has verifiers and aiohttp. Its `null` harness runs every
turn in a process of its own, so that processor time is that of this process and of all that it started. verifiers asks
`uv` to prepare that process's script; here the same script runs with the same interpreter, which is cheaper.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HANDS, LIVE = 8, 2


def measured_verifiers(interpreter: Path, folder: Path) -> dict[str, Any]:
    """The row of verifiers."""
    found = subprocess.run(
        [str(interpreter), __file__, str(folder)], check=True, capture_output=True, text=True, timeout=600
    )
    row: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return {"game": "KuhnPoker-LLM", "loop": f"verifiers {row.pop('version')}", "live": LIVE, "games": HANDS, **row}


async def serve(counted: dict[str, int]) -> tuple[Any, int]:
    """A server of chat completions on a free port."""
    from aiohttp import web

    async def chat(request: Any) -> Any:
        body = await request.json()
        counted["calls"] += 1
        asked = str(body["messages"][-1]["content"]).split("legal actions:")[-1]
        (move, *_) = re.findall(r"\[(check|bet|fold|call)\]", asked) or ["check"]
        reply = {"role": "assistant", "content": f"[{move}]"}
        base = {"id": "x", "created": 0, "model": body["model"]}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        if not body.get("stream"):
            choice = {"index": 0, "finish_reason": "stop", "message": reply}
            return web.json_response({**base, "object": "chat.completion", "usage": usage, "choices": [choice]})
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for part in (
            {"choices": [{"index": 0, "delta": reply, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"choices": [], "usage": usage},
        ):
            line = json.dumps({**base, "object": "chat.completion.chunk", **part})
            await answer.write(f"data: {line}\n\n".encode())
        await answer.write(b"data: [DONE]\n\n")
        return answer

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]


async def prepared(self: Any, script: str | bytes, env: Any = None, *, activate: bool = True) -> list[str]:
    """In place of `uv`: the script in a file, for this interpreter."""
    data = script.encode() if isinstance(script, str) else script
    path = Path("/var/tmp") / f"turnwise_{hashlib.sha256(data).hexdigest()[:16]}.py"
    path.write_bytes(data)
    return [sys.executable, str(path)]


def processor_s() -> float:
    """Of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


async def play(folder: str) -> dict[str, Any]:
    """The figures of some hands, after one that does not count."""
    sys.path.insert(0, folder)
    import kuhn_poker.taskset as kuhn
    import verifiers
    import verifiers.v1 as vf
    from verifiers.v1.clients import ModelContext
    from verifiers.v1.runtimes import base

    base.Runtime.prepare_uv_script = prepared
    counted = {"calls": 0}
    runner, port = await serve(counted)
    os.environ["STUB_KEY"] = "x"
    client = vf.EvalClientConfig(base_url=f"http://127.0.0.1:{port}/v1", api_key_var="STUB_KEY")
    context = ModelContext(model="stub", client=client)
    seats = {f"player{i}": vf.AgentConfig(harness={"id": "null"}, runtime={"type": "subprocess"}) for i in range(2)}
    env = kuhn.KuhnPokerEnv(kuhn.KuhnPokerEnvConfig(**seats, taskset={"id": "kuhn_poker"}))
    tasks = kuhn.KuhnPokerTaskset(kuhn.KuhnPokerConfig(id="kuhn_poker")).load()
    episodes = []
    async with env.serving():
        free = asyncio.Semaphore(LIVE)

        async def one(task: Any) -> None:
            async with free:
                episodes.append(await env.run_episode(task, context))

        await one(next(tasks))
        counted["calls"], before = 0, (processor_s(), time.perf_counter())
        await asyncio.gather(*(one(next(tasks)) for _ in range(HANDS)))
        spent, wall = processor_s() - before[0], time.perf_counter() - before[1]
    await runner.cleanup()
    cost = 1e6 * spent / counted["calls"]
    return {
        "version": verifiers.__version__,
        "first_us": cost,
        "last_us": cost,
        "turns_per_game": counted["calls"] / HANDS,
        "wall_us": 1e6 * wall / counted["calls"],
        "errors": [str(episode.last_error)[:200] for episode in episodes if episode.last_error],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(play(sys.argv[1]))))
