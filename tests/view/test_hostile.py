"""Texts that want to run: none gets out of JSON or becomes an element, an attribute or an address of an export."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from starlette.testclient import TestClient

from turnwise.parquet import write_parquet
from turnwise.records import Episode, Message, Turn

from .conftest import game
from .payloads import PAYLOADS

PLACES = ("reply", "observation", "tool output", "environment text", "names", "ids", "settings")
HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "dl", "dt", "dd", "p", "span", "article"),
    *("header", "pre"),
}
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "title"}


def poisoned(text: str) -> Episode:
    """An episode with a text in every place that a model, a tool or an environment can write to."""
    call = json.dumps({"name": text, "arguments": {text: text}})
    turn = Turn(
        seat=text or "seat",
        observation=(Message("user", text), Message("tool", text), Message("system", text)),
        text=f"<think>{text}</think>{text}",
        action=text,
        status="illegal",
        tool_calls=(call, text),
        anchor=text,
        completion_ids=(1, 2),
        logprobs=(-1.0, -2.0),
        advantages=(0.5, None),
    )
    seats = {text or "seat": text}
    return Episode(
        id=text,
        env_id=text,
        env_kwargs={text: text},
        seats=seats,
        returns=dict.fromkeys(seats, 1.0),
        turns=(turn, replace(turn, text=text)),
        task=text,
        level=text,
        group=text,
        ground_truth=text,
        reward_parts={text: dict.fromkeys(seats, 1.0)},
        metadata={"step": text, "kind": text, text: [text]},
    )


class Elements(HTMLParser):
    """Every element and attribute of a page, and its text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a page has no comments: {data!r}")


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    found.close()
    return found


@pytest.fixture
def folder(tmp_path: Path, finished_run: Path) -> Path:
    """A run whose every episode, name and setting is a payload, with a tokenizer so that tokens are shown."""
    run = tmp_path / "run"
    (run / "episodes").mkdir(parents=True)
    (run / "checkpoints").symlink_to(finished_run / "checkpoints")
    texts = list(PAYLOADS.values())
    write_parquet(run / "episodes/step-000001.parquet", [poisoned(text) for text in texts])
    config = {"name": texts[0], "env": {"id": texts[5]}, "algorithm": {"name": texts[6]}, "model": {"path": texts[9]}}
    (run / "config.yaml").write_text(yaml.safe_dump(config | {"seed": texts[1], "steps": texts[2], "all": texts}))
    record = {"step": 1, "eval": {"nash_conv": 0.5, texts[3]: 1.0}, texts[4]: 2.0}
    (run / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    (run / "summary.json").write_text(json.dumps({text: text for text in texts}))
    alert = {"step": 1, "kind": texts[7], "text": texts[8]}
    (run / "alerts.jsonl").write_text(json.dumps(alert) + "\n")
    return run


def test_there_are_thirty_payloads() -> None:
    assert len(set(PAYLOADS.values())) >= 30


def test_json_is_never_anything_else(pages: Callable[..., TestClient], folder: Path) -> None:
    """Whatever the text: the type is JSON, the bytes are ASCII, and no browser may guess another type."""
    client = pages(folder)
    (run,) = client.get("/api/runs").json()["runs"]
    assert run["name"] == PAYLOADS["script"]
    addresses = ["runs", f"runs/{run['id']}", *(f"runs/{run['id']}/{part}" for part in ("metrics", "facets"))]
    rows = client.get(f"/api/runs/{run['id']}/episodes?size=200").json()["rows"]
    assert len(rows) == len(PAYLOADS)
    addresses += [f"runs/{run['id']}/episodes/{row['key']}" for row in rows]
    for address in addresses:
        answer = client.get(f"/api/{address}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.content.isascii()
    for text in PAYLOADS.values():
        found = client.get(f"/api/runs/{run['id']}/tree", params={"group": text})
        assert [node["id"] for node in found.json()["nodes"]] == [text]
        asked = client.get(f"/api/runs/{run['id']}/episodes", params={"text": text, "level": text, "agent": text})
        assert text in [row["id"] for row in asked.json()["rows"]], "a text is data in every question"
        answer = client.get(f"/api/runs/{quote(text, safe='')}", headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


@pytest.mark.parametrize("name", PAYLOADS)
def test_an_export_shows_the_text_and_runs_nothing(
    pages: Callable[..., TestClient], tmp_path: Path, finished_run: Path, name: str
) -> None:
    text = PAYLOADS[name]
    (tmp_path / "episodes").mkdir()
    (tmp_path / "checkpoints").symlink_to(finished_run / "checkpoints")
    write_parquet(tmp_path / "episodes/step-000001.parquet", [poisoned(text)])
    client = pages(tmp_path)
    (run,) = client.get("/api/runs").json()["runs"]
    (row,) = client.get(f"/api/runs/{run['id']}/episodes").json()["rows"]
    answer = client.get(f"/api/runs/{run['id']}/episodes/{row['key']}/export")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    given = answer.headers["content-disposition"]
    assert given.startswith('attachment; filename="episode-') and given.isascii() and given.count('"') == 2
    check_harmless(answer.text)
    shown = elements(answer.text).text
    assert shown.count(text.strip()) >= 6, "it is there to be read"


def check_harmless(page: str) -> None:
    found = elements(page)
    assert found.tags <= HARMLESS, f"the page has elements of its own alone: {found.tags - HARMLESS}"
    for attribute, value in found.attributes:
        assert attribute in ATTRIBUTES, attribute
        assert not attribute.startswith("on")
        assert attribute in ("title", "content") or "javascript:" not in (value or "").lower()
    policies = [value for attribute, value in found.attributes if attribute == "content" and "default-src" in value]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]
    assert page.count("<style>") == page.count("</style>") == 1
    assert 'http-equiv="refresh"' not in page


def test_tokens_are_escaped_too(pages: Callable[..., TestClient], tmp_path: Path, finished_run: Path) -> None:
    """Tokens of the run's own tokenizer that spell an element, coloured by their advantages."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(finished_run / "checkpoints/step-000012/model/tokenizer.json"))
    text = "<script>window.pwned=1</script><img src=x onerror=alert(1)>"
    ids = tuple(tokenizer.encode(text, add_special_tokens=False).ids)
    values: dict[str, Any] = {"completion_ids": ids, "logprobs": (-1.0,) * len(ids)}
    values["advantages"] = tuple((-1.0) ** i * i for i in range(len(ids)))
    turn = replace(game("e", text).turns[0], **values)
    (tmp_path / "episodes").mkdir()
    (tmp_path / "checkpoints").symlink_to(finished_run / "checkpoints")
    write_parquet(tmp_path / "episodes/step-000001.parquet", [game("e", turns=(turn,))])
    client = pages(tmp_path)
    (run,) = client.get("/api/runs").json()["runs"]
    (row,) = client.get(f"/api/runs/{run['id']}/episodes").json()["rows"]
    (found,) = client.get(f"/api/runs/{run['id']}/episodes/{row['key']}").json()["turns"]
    assert "".join(token["text"] for token in found["tokens"]) == text
    page = client.get(f"/api/runs/{run['id']}/episodes/{row['key']}/export").text
    check_harmless(page)
    parsed = elements(page)
    assert parsed.text.count(text) == 3  # as the reply, token by token, and as the action
    classes = {value for attribute, value in parsed.attributes if attribute == "class"}
    assert {"plus-5", "minus-5", "trained"} <= classes


def test_a_game_that_a_file_names_is_not_simply_made(
    pages: Callable[..., TestClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Boards come from playing an episode again: a file must not choose a program to start that way."""
    import turnwise.boards

    monkeypatch.setattr(turnwise.boards, "replay", lambda episode: pytest.fail(f"{episode.env_id} was made"))
    path = tmp_path / "some.parquet"
    bad = {"command": ["touch", str(tmp_path / "pwned")]}
    ids = ("McpTools-LLM", "PythonMath-LLM", "CodeRepair-LLM", "TextWorld-LLM", "SearchQA-LLM", "Nothing-LLM")
    write_parquet(path, [game(str(i), env_id=env_id, env_kwargs=bad, seed=1) for i, env_id in enumerate(ids)])
    client = pages(path)
    (run,) = client.get("/api/runs").json()["runs"]
    for row in client.get(f"/api/runs/{run['id']}/episodes").json()["rows"]:
        assert client.get(f"/api/runs/{run['id']}/episodes/{row['key']}").json()["boards"] is None
    assert not (tmp_path / "pwned").exists()
