"""Who gets an answer, and what comes with it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from turnwise.parquet import write_parquet
from turnwise.view.security import POLICY
from turnwise.view.serve import listen

from .conftest import JSON_POST, PORT, TOKEN, game

ADDRESSES = (
    *("runs", "runs/x", "runs/x/metrics", "runs/x/episodes", "runs/x/facets", "runs/x/episodes/k"),
    *("runs/x/episodes/k/export", "runs/x/tree?group=g", "jobs/j", "play/games", "play/s", "nothing"),
)
POSTS = ("runs/x/diff", "play", "play/s/act")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs/one/episodes").mkdir(parents=True)
    write_parquet(tmp_path / "runs/one/episodes/step-000001.parquet", [game()])
    (tmp_path / "runs/one/config.yaml").write_text("name: one\n")
    (tmp_path / "secret.parquet").write_bytes((tmp_path / "runs/one/episodes/step-000001.parquet").read_bytes())
    (tmp_path / "secret.txt").write_text("the secret")
    return tmp_path / "runs"


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_the_token_nothing_is_told(stranger: Callable[..., TestClient], folder: Path, address: str) -> None:
    client = stranger(folder)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Cookie": "turnwise_8123=no"}):
        answer = client.get(f"/api/{address}", headers=headers)
        assert answer.status_code == 401
        assert answer.json() == {"error": "open the address with ?token= that turnwise view printed"}
    assert client.get(f"/api/{address}", params={"token": TOKEN}).status_code == 401, "only the first page takes it so"


@pytest.mark.parametrize("address", POSTS)
def test_a_post_is_asked_for_its_header_and_its_kind(
    stranger: Callable[..., TestClient], folder: Path, address: str
) -> None:
    client = stranger(folder)
    assert client.post(f"/api/{address}", content="{}", headers=JSON_POST).status_code == 401
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    bad = (
        {"Content-Type": "application/json"},
        {"X-Turnwise": "1"},
        {"X-Turnwise": "1", "Content-Type": "text/plain"},
        {"X-Turnwise": "1", "Content-Type": "application/x-www-form-urlencoded"},
        {**JSON_POST, "Origin": "http://evil.example"},
        {**JSON_POST, "Origin": "null"},
        {**JSON_POST, "Origin": f"https://127.0.0.1:{PORT}.evil.example"},
    )
    for headers in bad:
        assert client.post(f"/api/{address}", content="{}", headers=headers).status_code == 403
    own = {**JSON_POST, "Origin": f"http://127.0.0.1:{PORT}"}
    assert client.post(f"/api/{address}", content="{}", headers=own).status_code in (400, 404)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_do_nothing(pages: Callable[..., TestClient], folder: Path, method: str) -> None:
    client = pages(folder)
    assert client.request(method, "/api/runs").status_code == 403
    assert client.request(method, "/api/runs", headers=JSON_POST, content="{}").status_code == 405
    assert client.request(method, "/").status_code == 405


@pytest.mark.parametrize(
    "host",
    ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "localhost", f"127.0.0.1.evil:{PORT}", ""],
)
@pytest.mark.parametrize("address", ["/", f"/?token={TOKEN}", "/api/runs", "/assets/main.js"])
def test_another_name_of_this_machine_is_refused(
    pages: Callable[..., TestClient], folder: Path, host: str, address: str
) -> None:
    answer = pages(folder).get(address, headers={"Host": host})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_both_usual_names_are_served(pages: Callable[..., TestClient], folder: Path) -> None:
    for name in ("127.0.0.1", "localhost", "LOCALHOST"):
        assert pages(folder).get("/api/runs", headers={"Host": f"{name}:{PORT}"}).status_code == 200


def test_the_token_becomes_a_cookie_that_scripts_cannot_read(stranger: Callable[..., TestClient], folder: Path) -> None:
    client = stranger(folder)
    wrong = client.get("/", params={"token": TOKEN + "x"})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    answer = client.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"] == f"turnwise_{PORT}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    assert client.get("/api/runs").status_code == 200
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("address", ["/", "/assets/main.js", "/assets/style.css", "/api/runs", "/api/nothing", "/none"])
def test_every_answer_forbids_what_is_not_ours(pages: Callable[..., TestClient], folder: Path, address: str) -> None:
    answer = pages(folder).get(address)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in answer.headers
    assert "'unsafe" not in POLICY and POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self';")


UPWARDS = (
    *("../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "..%5csecret.txt", "....//secret.txt"),
    *("../../secret.parquet", "%2e%2e%2f%2e%2e%2fsecret.parquet", "/etc/passwd", "%2fetc%2fpasswd", "..", "."),
    *("one%00", "one/../../secret", "file:///etc/passwd", "\\..\\secret", "%252e%252e%252fsecret.txt", "*", "'"),
)


@pytest.mark.parametrize("place", UPWARDS)
def test_no_address_leads_out_of_what_is_shown(pages: Callable[..., TestClient], folder: Path, place: str) -> None:
    client = pages(folder)
    (run,) = client.get("/api/runs").json()["runs"]
    for address in (
        f"/assets/{place}",
        f"/{place}",
        f"/api/runs/{place}",
        f"/api/runs/{place}/metrics",
        f"/api/runs/{run['id']}/episodes/{place}",
        f"/api/runs/{run['id']}/episodes/{place}/export",
        f"/api/jobs/{place}",
    ):
        answer = client.get(address)
        assert "the secret" not in answer.text
        assert "root:" not in answer.text
        assert answer.status_code in (400, 404) or place in (".", "..")  # these two the client takes away itself
        assert asked(client.app, f"/assets/{place}") != 200
        assert asked(client.app, f"/api/runs/{place}/facets") != 200


def asked(app: Any, path: str) -> int:
    """The status that the application itself answers with, where no client has tidied the path."""
    headers = [(b"host", f"127.0.0.1:{PORT}".encode()), (b"authorization", f"Bearer {TOKEN}".encode())]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": headers, "root_path": "", "scheme": "http", "http_version": "1.1", "server": None}
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 0))

    asyncio.run(app(scope, receive, send))
    return statuses[0]


def test_a_link_out_of_the_assets_is_not_followed_nor_a_pipe_read(
    pages: Callable[..., TestClient], folder: Path
) -> None:
    os.mkfifo(folder / "one/episodes/pipe.jsonl")
    client = pages(folder)
    (run,) = client.get("/api/runs").json()["runs"]
    assert client.get(f"/api/runs/{run['id']}/facets").json()["total"] == 1


def test_only_this_machine_is_listened_to() -> None:
    with listen(0) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"
        assert sock.family == socket.AF_INET
        taken = sock.getsockname()[1]
        sock.listen()
        with pytest.raises(OSError, match=f"port {taken} cannot be served: .*; give another with --port"):
            listen(taken)


def test_a_mistake_of_the_server_tells_no_more_than_that(
    stranger: Callable[..., TestClient], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from turnwise.view import runs

    client = stranger(folder)
    client.headers["Authorization"] = f"Bearer {TOKEN}"
    monkeypatch.setattr(runs, "_headline", lambda evaluated: 1 / 0)
    client._transport.raise_server_exceptions = False  # type: ignore[attr-defined]  # as a browser sees it
    answer = client.get("/api/runs")
    assert (answer.status_code, answer.json()) == (500, {"error": "the server made a mistake; its terminal says more"})
