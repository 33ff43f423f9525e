"""A turnwise environment behind HTTP, as OpenEnv's clients expect it.

    python -m turnwise.interchange.openenv KuhnPoker-LLM --opponents optimal --port 8000

A WebSocket at /ws plays a game of its own: messages {"type": "reset" | "step" | "state" | "close", "data": ...}. POST
/reset and /step and GET /state play one game that all such callers share. An action is {"text": the whole reply}, or
{"action": the move alone}. Whoever reaches the port can play: it listens on this machine alone unless told otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from turnwise import __version__
from turnwise.envs.gym_view import TextGameEnv
from turnwise.envs.parsing import write_action

MOST_SESSIONS = 64
LONGEST = 1_000_000
"""Characters of a message."""


class BadRequest(ValueError):
    """What a client asked cannot be done; `code` is one of OpenEnv's."""

    def __init__(self, text: str, code: str = "VALIDATION_ERROR") -> None:
        super().__init__(text)
        self.code = code


class Session:
    """One seat of one game, as reset, step and state."""

    def __init__(self, make: Callable[[], TextGameEnv]) -> None:
        self._env = make()
        self._episode: str | None = None
        self._steps, self._over, self._return = 0, True, 0.0
        self._info: Mapping[str, Any] = {}

    def reset(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Begin an episode. `seed` and `episode_id` may be given."""
        seed = asked.get("seed")
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
            raise BadRequest(f"seed is an integer of at least 0, or none: got {seed!r}")
        observation, self._info = self._env.reset(seed=seed)
        self._episode = str(asked.get("episode_id") or uuid.uuid4())
        self._steps, self._over, self._return = 0, False, 0.0
        return self._seen(observation, None)

    def step(self, action: Any) -> dict[str, Any]:
        """Play a reply."""
        if self._over:
            raise BadRequest("the episode is over, or never began: reset first", "EXECUTION_ERROR")
        observation, reward, terminated, truncated, self._info = self._env.step(self._reply(action))
        self._steps += 1
        self._return += reward
        self._over = terminated or truncated
        return self._seen(observation, reward)

    def state(self) -> dict[str, Any]:
        """Nothing that the seat may not know."""
        return {
            "episode_id": self._episode,
            "step_count": self._steps,
            "seat": self._env.learner,
            "done": self._over,
            "return": self._return,
        }

    def close(self) -> None:
        """Let go of the game."""
        self._env.close()

    def _reply(self, action: Any) -> str:
        known = action if isinstance(action, dict) else {}
        given = {name: known[name] for name in ("text", "action") if name in known}
        if len(given) != 1 or not all(isinstance(value, str) for value in given.values()):
            raise BadRequest('an action is {"text": the whole reply} or {"action": the move alone}, with a string')
        return given["text"] if "text" in given else write_action(given["action"], self._info.get("legal_actions"))

    def _seen(self, observation: str, reward: float | None) -> dict[str, Any]:
        legal, known = self._info.get("legal_actions"), ("status", "reason", "action")
        seen = {"text": observation, "seat": self._env.learner, "legal_actions": None if legal is None else list(legal)}
        more = {name: self._info[name] for name in known if self._info.get(name) is not None}
        return {"observation": seen | more, "reward": reward, "done": self._over}


def app(game: str, **settings: Any) -> Any:
    """The web application. settings: as for `TextGameEnv`. Raises what making the game raises."""
    from starlette.applications import Starlette
    from starlette.routing import Route, WebSocketRoute

    def make() -> TextGameEnv:
        return TextGameEnv(game, **settings)

    shared, server = Session(make), Server(make)
    return Starlette(
        routes=[
            Route("/health", _answer(lambda body: {"status": "healthy"}), methods=["GET"]),
            Route("/metadata", _answer(lambda body: metadata(game)), methods=["GET"]),
            Route("/schema", _answer(lambda body: SCHEMA), methods=["GET"]),
            Route("/state", _answer(lambda body: shared.state()), methods=["GET"]),
            Route("/reset", _answer(shared.reset), methods=["POST"]),
            Route("/step", _answer(lambda body: shared.step(body.get("action"))), methods=["POST"]),
            WebSocketRoute("/ws", server.talk),
        ]
    )


def metadata(game: str) -> dict[str, str]:
    """What the environment is."""
    text = f"{game}, one seat of it, with scripted opponents, by turnwise."
    return {"name": game, "description": text, "version": __version__}


def _answer(handle: Callable[[Mapping[str, Any]], Any]) -> Callable[[Any], Any]:
    """A handler of requests: JSON in, JSON out."""
    from starlette.responses import JSONResponse

    async def respond(request: Any) -> Any:
        try:
            body = _object((await request.body()).decode() or "{}") if request.method == "POST" else {}
            return JSONResponse(handle(body))
        except (BadRequest, UnicodeDecodeError) as error:
            return JSONResponse({"detail": str(error)}, status_code=422)

    return respond


class Server:
    """WebSockets, each with a game of its own."""

    def __init__(self, make: Callable[[], TextGameEnv]) -> None:
        self._make, self._open = make, 0

    async def talk(self, socket: Any) -> None:
        """One session, from its first message to its last."""
        from starlette.websockets import WebSocketDisconnect

        await socket.accept()
        if self._open >= MOST_SESSIONS:
            error = BadRequest(f"{MOST_SESSIONS} sessions are open: close one first", "CAPACITY_REACHED")
            await socket.send_text(_error(error))
            await socket.close()
            return
        self._open += 1
        session = Session(self._make)
        try:
            while (answer := await self._next(socket, session)) is not None:
                await socket.send_text(answer)
            await socket.close()
        except WebSocketDisconnect:
            pass  # the client has gone: so has its game
        finally:
            self._open -= 1
            session.close()

    async def _next(self, socket: Any, session: Session) -> str | None:
        """The answer to the next message; None where it is `close`."""
        try:
            message = _object(await socket.receive_text())
            kind, data = message.get("type"), message.get("data") or {}
            if kind == "close":
                return None
            if kind == "state":
                return json.dumps({"type": "state", "data": session.state()})
            if kind not in ("reset", "step"):
                raise BadRequest(f"a message has the type reset, step, state or close: got {kind!r}", "UNKNOWN_TYPE")
            found = await asyncio.to_thread(session.reset if kind == "reset" else session.step, data)
            return json.dumps({"type": "observation", "data": found})
        except BadRequest as error:
            return _error(error)


def _object(text: str) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise BadRequest(f"a message has at most {LONGEST:,} characters: got {len(text):,}")
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"this is no JSON: {error}", "INVALID_JSON") from None
    if not isinstance(found, dict):
        raise BadRequest(f"a message is a JSON object: got {type(found).__name__}", "INVALID_JSON")
    return found


def _error(error: BadRequest) -> str:
    return json.dumps({"type": "error", "data": {"message": str(error), "code": error.code}})


_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "action": {
        "type": "object",
        "properties": {
            "text": _TEXT | {"description": "The whole reply; the last [move] in it is played."},
            "action": _TEXT | {"description": "The move alone, in place of text."},
        },
    },
    "observation": {
        "type": "object",
        "properties": {
            "text": _TEXT | {"description": "What the seat has not read yet."},
            "seat": _TEXT,
            "legal_actions": {"type": ["array", "null"], "items": _TEXT},
            "status": _TEXT,
            "reason": _TEXT,
            "action": _TEXT,
        },
    },
    "state": {
        "type": "object",
        "properties": {
            "episode_id": {"type": ["string", "null"]},
            "step_count": {"type": "integer"},
            "seat": _TEXT,
            "done": {"type": "boolean"},
            "return": {"type": "number"},
        },
    },
}


def main(arguments: Sequence[str]) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m turnwise.interchange.openenv", description="OpenEnv server")
    parser.add_argument("game", help="an id, such as KuhnPoker-LLM")
    parser.add_argument("--seat", default="player_0", help="whose seat clients play; random draws it")
    parser.add_argument("--opponents", default="random", help="who plays the others")
    parser.add_argument("--invalid", default="forfeit", help="what an invalid reply leads to")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args(arguments)
    import uvicorn

    served = app(given.game, seat=given.seat, opponents=given.opponents, invalid=given.invalid)
    uvicorn.run(served, host=given.host, port=given.port, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1:])
