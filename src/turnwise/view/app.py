"""The application: which address gets which answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from turnwise.algorithms.reporting.runlog import plain_json
from turnwise.play.sessions import Sessions
from turnwise.play.web import routes as play_routes
from turnwise.records import RecordError
from turnwise.view.body import json_body
from turnwise.view.diff import Comparison, compare, require_comparable
from turnwise.view.export import export, name_of
from turnwise.view.filters import read_filters
from turnwise.view.jobs import Jobs, NoJob, TooManyJobs
from turnwise.view.runs import NoRun, Runs
from turnwise.view.security import App, Guard
from turnwise.view.store import NoEpisode, Store
from turnwise.view.transcript import transcript, tree

ASSETS = Path(str(files("turnwise.view"))) / "assets"
LONGEST_BODY = 10_000
"""Bytes of a request."""
_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (NoRun, 404),
    (NoEpisode, 404),
    (NoJob, 404),
    (TooManyJobs, 429),
    (RecordError, 422),
    (ValueError, 400),
    (OSError, 422),
)


class Json(Response):
    """JSON in ASCII, so that nothing in it can be mistaken for something else; numbers that are none are null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of an answer."""
        return json.dumps(plain_json(content), ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()


def make_app(paths: Sequence[Path], *, token: str, port: int, sessions: Sessions | None = None) -> App:
    """The guarded application. paths: where runs are looked for; port: where it is served; sessions: of play."""
    runs, jobs = Runs(paths), Jobs()
    sessions = sessions or Sessions([path for path in paths if path.is_dir()] or [Path("runs")])
    sessions.locate = runs.locate

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        yield
        sessions.close()  # what people have played so far is saved
        runs.close()

    async def unhandled(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = error.detail if isinstance(error, HTTPException) else "the server made a mistake; its terminal says more"
        return Json({"error": text}, status_code=status)

    routes: list[BaseRoute] = [
        Route("/", lambda request: FileResponse(ASSETS / "index.html")),
        *_read_routes(runs, jobs),
        Route("/api/runs/{run}/diff", _answered(lambda request: _start_diff(request, runs, jobs)), methods=["POST"]),
        *play_routes(sessions),
        Mount("/assets", StaticFiles(directory=ASSETS)),
    ]
    handlers: Any = {HTTPException: unhandled, Exception: unhandled}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.router.redirect_slashes = False  # an address that is not ours leads nowhere
    return Guard(app, token, port)


def _read_routes(runs: Runs, jobs: Jobs) -> list[Route]:
    """What is only looked at. Every handler runs in a thread: the server answers others meanwhile."""

    def table(request: Request) -> Any:
        return {"runs": [runs.summary(source) for source in runs.sources()]}

    def details(request: Request) -> Any:
        return runs.details(_run(request))

    def metrics(request: Request) -> Any:
        names = request.query_params.get("names")
        return runs.metrics(_run(request)).after(_step(request, "after"), set(names.split(",")) if names else None)

    def episodes(request: Request) -> Any:
        return runs.store(_run(request)).page(read_filters(dict(request.query_params)))

    def facets(request: Request) -> Any:
        return runs.store(_run(request)).facets()

    def episode(request: Request) -> Any:
        return transcript(runs.store(_run(request)), request.path_params["key"])

    def exported(request: Request) -> Response:
        return _exported(runs.store(_run(request)), request.path_params["key"])

    def of_group(request: Request) -> Any:
        return tree(runs.store(_run(request)), request.query_params.get("group", ""))

    def job(request: Request) -> Any:
        return jobs.get(request.path_params["job"])

    places = {
        "/api/runs": table,
        "/api/runs/{run}": details,
        "/api/runs/{run}/metrics": metrics,
        "/api/runs/{run}/episodes": episodes,
        "/api/runs/{run}/facets": facets,
        "/api/runs/{run}/episodes/{key}": episode,
        "/api/runs/{run}/episodes/{key}/export": exported,
        "/api/runs/{run}/tree": of_group,
        "/api/jobs/{job}": job,
    }
    return [Route(place, _in_thread(handler), methods=["GET"]) for place, handler in places.items()]


def _run(request: Request) -> str:
    return str(request.path_params["run"])


def _step(request: Request, name: str) -> int | None:
    """A step that may be left out. Raises ValueError where it is no number."""
    text = request.query_params.get(name) or ""
    digits = text.removeprefix("-")
    if text and not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise ValueError(f"{name} is the number of a step: got {text[:40]!r}")
    return int(text) if text else None


def _exported(store: Store, key: str) -> Response:
    found = transcript(store, key)
    headers = {"Content-Disposition": f'attachment; filename="{name_of(found["episode"]["id"])}"'}
    text = export(found, str(store.source.path)).encode(errors="replace")
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


async def _start_diff(request: Request, runs: Runs, jobs: Jobs) -> Any:
    run, body = _run(request), await json_body(request, LONGEST_BODY)
    kinds = {"a": int, "b": int, "games": int, "opponent": str}
    if body.keys() - kinds.keys() or any(type(body.get(name, 0)) is not int for name in ("a", "b", "games")):
        raise ValueError(
            'a comparison is asked for as {"a": STEP, "b": STEP, "games": N, "opponent": "self" or a name}'
        )
    if not {"a", "b"} <= body.keys() or not isinstance(body.get("opponent", ""), str):
        raise ValueError("a comparison needs the steps a and b, and an opponent's name, or self")
    wanted = Comparison(**({"games": 16} | body))
    store = await run_in_threadpool(runs.store, run)
    require_comparable(store.source, wanted)
    return {"job": jobs.start(lambda name, tell: compare(store, wanted, name, tell))}


def _in_thread(handler: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Response]]:
    return _answered(lambda request: run_in_threadpool(handler, request))


def _answered(handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    """What the handler returns as JSON; what the reader can mend as {"error": sentence}."""

    async def answer(request: Request) -> Response:
        try:
            found = await handler(request)
        except tuple(kind for kind, _ in _STATUSES) as error:
            status = next(code for kind, code in _STATUSES if isinstance(error, kind))
            text = error.args[0] if isinstance(error, KeyError) else " ".join(str(error).split())
            return Json({"error": str(text)}, status_code=status)
        return found if isinstance(found, Response) else Json(found)

    return answer
