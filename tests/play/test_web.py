"""The routes of play, and the games that a server holds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from turnwise.parquet import read_parquet
from turnwise.play.sessions import Limits, NoSession, Sessions, TooMany
from turnwise.play.setup import Setup
from turnwise.play.web import LONGEST_BODY, routes
from turnwise.records import Reply, Request

WAIT_S = 60.0
KUHN = {"game": "KuhnPoker-LLM", "seat": "player_0", "opponents": "random", "seed": 1}


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    held = Sessions([tmp_path], tmp_path / "play")
    yield held
    held.close()


@pytest.fixture
def client(sessions: Sessions) -> TestClient:
    return TestClient(Starlette(routes=routes(sessions)))


def until_asked(client: TestClient, state: dict[str, Any]) -> dict[str, Any]:
    """Poll, as the page does."""
    end = time.monotonic() + WAIT_S
    while state["waiting"]:
        assert time.monotonic() < end
        state = client.get(f"/api/play/{state['id']}").json()
    return state


def post(client: TestClient, path: str, body: object, status: int = 200) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found if status != 200 else until_asked(client, found)


def test_a_whole_game(client: TestClient, tmp_path: Path) -> None:
    state = post(client, "/api/play", KUHN)
    assert {name: state[name] for name in ("game", "seat", "seats", "agents", "legal", "over", "outcome", "error")} == {
        "game": "KuhnPoker-LLM",
        "seat": "player_0",
        "seats": ["player_0", "player_1"],
        "agents": {"player_0": "human", "player_1": "random"},
        "legal": ["check", "bet"],
        "over": False,
        "outcome": None,
        "error": None,
    }
    assert [message["from"] for message in state["messages"]] == ["environment"]
    act = f"/api/play/{state['id']}/act"
    assert "no action was found" in post(client, act, {"text": "raise"})["error"]
    state = post(client, act, {"text": "[bet]"})
    assert (state["over"], state["outcome"], state["returns"]) == (True, "loss", {"player_0": -2.0, "player_1": 2.0})
    (episode,) = read_parquet(state["saved"])
    assert (episode.returns, episode.metadata["kind"]) == (state["returns"], "play")
    assert Path(state["saved"]).parent == tmp_path / "play/episodes"
    assert post(client, act, {"text": "[bet]"}, 409)["error"] == "the game is over"
    again = post(client, f"/api/play/{state['id']}/again", {})
    assert (again["seat"], again["agents"]["player_0"], again["id"] != state["id"]) == ("player_1", "random", True)


def test_a_game_that_is_left_is_saved(client: TestClient) -> None:
    state = post(client, "/api/play", {**KUHN, "game": "ConnectFour-LLM"})
    post(client, f"/api/play/{state['id']}/act", {"text": "3"})
    state = post(client, f"/api/play/{state['id']}/leave", {})
    assert (state["over"], state["outcome"]) == (True, "truncated")
    assert read_parquet(state["saved"])[0].status == "truncated"


def test_what_there_is_to_choose_from(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "a/b/checkpoints/step-000010").mkdir(parents=True)
    (tmp_path / "empty/checkpoints").mkdir(parents=True)
    found = client.get("/api/play/games").json()
    kuhn = next(game for game in found["games"] if game["id"] == "KuhnPoker-LLM")
    assert kuhn["family"] == "openspiel"
    assert found["agents"][:3] == ["random", "first_legal", "optimal"]
    assert found["agents"][-1] == str(tmp_path / "a/b")
    details = client.get("/api/play/games", params={"game": "Sokoban-LLM"}).json()
    assert (details["seats"], details["levels"]) == (["player_0"], ["easy", "medium", "hard"])
    assert "did you mean" in client.get("/api/play/games", params={"game": "Sokoban"}).json()["error"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "the first of them at least"),
        ({"game": "KuhnPoker-LLM", "sead": 1}, "a game is begun with game, kwargs, seat"),
        ({"game": 5}, "game is of type str, or null: got int"),
        ({"game": "KuhnPoker-LLM", "seed": True}, "seed is of type int, or null: got bool"),
        ({"game": "KuhnPoker-LLM", "opponents": {"player_1": 3}}, "opponents is a name, or names by seat"),
        ({"game": "KuhnPoker-LLM", "opponents": "nobody"}, "nobody"),
        ({"game": "KuhnPoker-LLM", "kwargs": {"x": 1}}, "does not fit KuhnPoker-LLM"),
        ([], "a request is a JSON object"),
    ],
)
def test_a_request_that_does_not_fit_is_told_why(client: TestClient, body: object, reason: str) -> None:
    assert reason in post(client, "/api/play", body, 400)["error"]


def test_bodies_are_checked(client: TestClient) -> None:
    state = post(client, "/api/play", KUHN)
    act = f"/api/play/{state['id']}/act"
    assert "at most" in client.post(act, content=b" " * (LONGEST_BODY + 1)).json()["error"]
    assert "JSON object" in client.post(act, content=b"{").json()["error"]
    assert '{"text": "..."}' in post(client, act, {"words": "x"}, 400)["error"]
    assert "text in UTF-8" in client.post(act, content=b'{"text": "\\ud800"}').json()["error"]
    assert "JSON object" in client.post(act, content=b"[" * 50_000).json()["error"]
    assert client.get("/api/play/nobody").status_code == 404
    assert client.get(act).status_code == 405
    post(client, f"/api/play/{state['id']}/leave", {})


class Slow:
    """Thinks until it is told to speak."""

    def __init__(self) -> None:
        self.name, self.speak = "slow", threading.Event()

    def act(self, requests: list[Request]) -> list[Reply]:
        assert self.speak.wait(WAIT_S)
        return [Reply(text="[check]") for _ in requests]


def test_the_server_answers_while_an_agent_thinks(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    monkeypatch.setattr("turnwise.play.setup.load_opponent", lambda *_: slow)
    begun = client.post("/api/play", json={**KUHN, "seat": "player_1"}).json()
    assert (begun["waiting"], begun["legal"], begun["messages"]) == (True, None, [])
    act = f"/api/play/{begun['id']}/act"
    assert post(client, act, {"text": "[bet]"}, 409)["error"] == "it is not your turn yet"
    assert client.get("/api/play/games").status_code == 200
    slow.speak.set()
    assert until_asked(client, begun)["legal"] == ["check", "bet"]


def test_games_are_limited_in_number_and_age(tmp_path: Path) -> None:
    sessions = Sessions([], tmp_path, limits=Limits(games=2, kept=3))
    setup = Setup(game="KuhnPoker-LLM", seat="0", seed=1)
    first, second = sessions.start(setup), sessions.start(setup)
    with pytest.raises(TooMany, match="2 games are going on here"):
        sessions.start(setup)
    first.wait(WAIT_S)
    first.act("[check]")
    first.wait(WAIT_S)
    first.leave(WAIT_S)
    third = sessions.start(setup)
    assert sessions.get(first.id) is first
    third.leave(WAIT_S)
    sessions.start(setup)
    with pytest.raises(NoSession):
        sessions.get(first.id)  # the oldest of those that are over
    assert sessions.get(second.id) is second
    second.wait(WAIT_S)
    second.act("[check]")
    second.wait(WAIT_S)
    second.touched -= sessions.limits.idle_s + 1
    sessions.start(setup)  # nobody has looked at the second for an hour
    second._thread.join(WAIT_S)
    assert second.over
    assert second.episode is not None
    sessions.close()
    assert all(session.over for session in sessions._games.values())
