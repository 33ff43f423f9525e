"""The routes of play: what the page `#/play` asks for. Who may ask is the server's business (`turnwise.view`)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from turnwise.play.session import NotNow, Session
from turnwise.play.sessions import NoSession, Sessions, TooMany
from turnwise.play.setup import Setup
from turnwise.view.body import json_body

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

LONGEST_BODY = 100_000
"""Bytes of a request."""
SOON_S = 0.4
"""How long an answer waits for agents that reply at once, which saves the page from asking again."""
_STATUSES: tuple[tuple[type[Exception], int], ...] = ((NoSession, 404), (TooMany, 429), (NotNow, 409))
_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "game": str,
    "kwargs": dict,
    "seat": str,
    "opponents": (str, dict),
    "seed": int,
    "invalid": str,
}


class BadRequest(ValueError):
    """A request does not say what is needed."""


def routes(sessions: Sessions) -> list[Route]:
    """For a Starlette application. Whatever takes long happens in threads, so that the server answers meanwhile."""
    from starlette.concurrency import run_in_threadpool
    from starlette.routing import Route

    async def games(request: Request) -> Any:
        env_id = request.query_params.get("game")
        if env_id is not None:
            return await run_in_threadpool(sessions.details, env_id)
        return await run_in_threadpool(sessions.catalogue)

    async def start(request: Request) -> Any:
        setup = read_setup(await json_body(request, LONGEST_BODY))
        return await shown(await run_in_threadpool(sessions.start, setup))

    async def look(request: Request) -> Any:
        session = sessions.get(request.path_params["sid"])
        return await run_in_threadpool(sessions.state, session)

    async def act(request: Request) -> Any:
        session = sessions.get(request.path_params["sid"])
        text = (await json_body(request, LONGEST_BODY)).get("text")
        if not isinstance(text, str):
            raise BadRequest('a reply is sent as {"text": "..."}')
        session.act(text)
        return await shown(session)

    async def leave(request: Request) -> Any:
        session = sessions.get(request.path_params["sid"])
        await run_in_threadpool(session.leave, 2.0)
        return await run_in_threadpool(sessions.state, session)

    async def again(request: Request) -> Any:
        return await shown(await run_in_threadpool(sessions.again, request.path_params["sid"]))

    async def shown(session: Session) -> Any:
        await run_in_threadpool(session.wait, SOON_S)
        return await run_in_threadpool(sessions.state, session)

    table = (
        ("/api/play/games", games, "GET"),
        ("/api/play", start, "POST"),
        ("/api/play/{sid}", look, "GET"),
        ("/api/play/{sid}/act", act, "POST"),
        ("/api/play/{sid}/leave", leave, "POST"),
        ("/api/play/{sid}/again", again, "POST"),
    )
    return [Route(path, _answered(handler), methods=[method]) for path, handler, method in table]


def read_setup(body: Mapping[str, Any]) -> Setup:
    """The setup that a request asks for. Raises BadRequest, naming the field."""
    unknown = sorted(body.keys() - _FIELDS.keys())
    if unknown or "game" not in body:
        raise BadRequest(f"a game is begun with {', '.join(_FIELDS)}, the first of them at least: got {sorted(body)}")
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        kinds = _FIELDS[name]
        if not isinstance(value, kinds) or isinstance(value, bool):
            wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
            raise BadRequest(f"{name} is of type {wanted}, or null: got {type(value).__name__}")
    opponents = given.get("opponents")
    if isinstance(opponents, dict) and not all(isinstance(name, str) for name in opponents.values()):
        raise BadRequest("opponents is a name, or names by seat")
    return Setup(**given)


def _answered(handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    """The handler's answer as JSON in ASCII; what the person can mend as {"error": sentence}."""
    from starlette.responses import Response

    def shown(found: Any, status: int = 200) -> Response:
        return Response(json.dumps(found, allow_nan=False), status, media_type="application/json")

    async def answer(request: Request) -> Response:
        try:
            return shown(await handler(request))
        except (NoSession, TooMany, ValueError, ImportError, OSError) as error:
            status = next((code for kind, code in _STATUSES if isinstance(error, kind)), 400)
            text = error.args[0] if isinstance(error, NoSession) else " ".join(str(error).split())
            return shown({"error": str(text)}, status)

    return answer
