"""A stand-in for the server with canned answers, for states that a short real run does not come to.

What /api/PATH answers is JSON, or (status, JSON). It keeps the rules of the real one on content security.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

ASSETS = Path(__file__).resolve().parents[2] / "src/turnwise/view/assets"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def fake(answers: Mapping[str, Any]) -> Starlette:
    """The pages, and /api/PATH out of `answers`; a path that is not there is a 404 with a sentence."""

    async def answer(request: Request) -> Response:
        found = answers.get(request.path_params["path"], (404, {"error": "This is not in the canned answers."}))
        status, body = found if isinstance(found, tuple) else (200, found)
        return JSONResponse(body, status_code=status)

    async def index(request: Request) -> Response:
        return FileResponse(ASSETS / "index.html", headers={"Content-Security-Policy": POLICY})

    return Starlette(
        routes=[
            Route("/", index),
            Route("/api/{path:path}", answer, methods=["GET", "POST"]),
            Mount("/assets", StaticFiles(directory=ASSETS)),
        ]
    )
