"""Who may ask, and what a browser may do with an answer. Every request passes here first.

Pages of other sites cannot read answers (there is no CORS), cannot send the header that a POST needs, and cannot get
round both by a name that resolves to this machine: only 127.0.0.1 and localhost are served.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
POST_HEADER = b"x-turnwise"


class Refused(Exception):
    """A request is turned away: (status, sentence)."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Guard:
    """Wraps an application. token: what its user has. port: where it is served."""

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app, self._token, self._port = app, token, port
        self._cookie = f"turnwise_{port}"
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})  # none is served
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in HEADERS}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in own]
                message = {**message, "headers": [*kept, *HEADERS]}
            await send(message)

        try:
            headers = _headers(scope)
            self._check_host(headers)
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
            if scope["path"] == "/" and given:
                await self._sign_in(given[0], guarded)
                return
            self._check(scope, headers)
        except Refused as refused:
            await _answer(guarded, refused.status, {"error": refused.text})
            return
        await self._app(scope, receive, guarded)

    def _check_host(self, headers: dict[bytes, bytes]) -> None:
        if headers.get(b"host", b"").decode("latin-1").lower() not in self._hosts:
            raise Refused(403, f"this server answers at http://127.0.0.1:{self._port} and no other name")

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        if not scope["path"].startswith("/api"):
            if scope["method"] not in ("GET", "HEAD"):
                raise Refused(405, "files of the pages are read, not written")
            return  # the pages themselves hold nothing of any run
        if not self._is_known(headers):
            raise Refused(401, "open the address with ?token= that turnwise view printed")
        if scope["method"] not in ("GET", "HEAD"):
            origin = headers.get(b"origin", b"").decode("latin-1")
            kind = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
            if headers.get(POST_HEADER) != b"1" or kind != "application/json":
                raise Refused(403, "a POST needs the header X-Turnwise: 1 and a body of application/json")
            if origin and origin.removeprefix("http://") not in self._hosts:
                raise Refused(403, "a POST comes from these pages, not from another site's")

    def _is_known(self, headers: dict[bytes, bytes]) -> bool:
        bearer = re.fullmatch(rb"bearer +(\S+)", headers.get(b"authorization", b""), re.IGNORECASE)
        cookies = re.findall(rf"(?:^|;\s*){self._cookie}=([^;\s]*)".encode(), headers.get(b"cookie", b""))
        return any(self._is_token(given) for given in [*([bearer[1]] if bearer else []), *cookies])

    def _is_token(self, given: bytes) -> bool:
        return hmac.compare_digest(given, self._token.encode())

    async def _sign_in(self, given: str, send: Any) -> None:
        """Turn the token in an address into a cookie that scripts cannot read, and the address into one without it."""
        if not self._is_token(given.encode()):
            raise Refused(401, "this is not the token that turnwise view printed: it prints another at every start")
        cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
        headers = [(b"location", b"/"), (b"set-cookie", cookie.encode()), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """Name -> value. Raises Refused where one that decides is there twice."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        name = name.lower()
        if name in found and name in (b"host", b"authorization", b"origin", b"content-type"):
            raise Refused(400, f"the header {name.decode('latin-1')} is there twice")
        found[name] = found[name] + b"; " + value if name == b"cookie" and name in found else value
    return found


async def _answer(send: Any, status: int, content: dict[str, str]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
