"""Files that come, change, go, are torn or of another kind: each is told of once, and the rest is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from turnwise.parquet import write_parquet
from turnwise.records import RecordError
from turnwise.view import store as stores
from turnwise.view.filters import Filters
from turnwise.view.sources import require_paths, source_of
from turnwise.view.store import NoEpisode, Store

from .conftest import game


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at before every question."""
    monkeypatch.setattr(stores, "LOOK_AGAIN_S", -1.0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "episodes").mkdir(parents=True)
    for step in (1, 2):
        found = [game(f"{step}-{i}", metadata={"step": step, "kind": "train"}) for i in range(3)]
        write_parquet(folder / f"episodes/step-{step:06d}.parquet", found)
    return folder


def ids(store: Store) -> list[str]:
    return [row["id"] for row in store.page(Filters(desc=False))["rows"]]


def test_bad_files_are_told_of_and_the_rest_is_shown(run: Path, pages: Callable[..., TestClient]) -> None:
    import pyarrow
    import pyarrow.parquet

    whole = (run / "episodes/step-000001.parquet").read_bytes()
    place = run / "episodes"
    (place / "torn.parquet").write_bytes(whole[: len(whole) // 2])
    (place / "empty.parquet").write_bytes(b"")
    middle = len(whole) // 3
    (place / "flipped.parquet").write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF] * 40) + whole[middle + 40 :])
    pyarrow.parquet.write_table(pyarrow.table({"x": [1]}), place / "other.parquet")
    older = pyarrow.table({"x": [1]}).replace_schema_metadata({b"turnwise.schema_version": b"2"})
    pyarrow.parquet.write_table(older, place / "older.parquet")
    wrong = pyarrow.table({"id": [1]}).replace_schema_metadata({b"turnwise.schema_version": b"3"})
    pyarrow.parquet.write_table(wrong, place / "wrong.parquet")
    (place / "lines.jsonl").write_text(f"{game('good').to_json()}\nnonsense\n\n{{}}\n" + "[" * 100_000 + "\n")
    store = Store(source_of(run))
    assert sorted(ids(store)) == ["1-0", "1-1", "1-2", "2-0", "2-1", "2-2", "good"]
    told = store.problems
    assert sorted(told) == [
        *("empty.parquet", "flipped.parquet", "lines.jsonl", "older.parquet", "other.parquet", "torn.parquet"),
        "wrong.parquet",
    ]
    assert told["torn.parquet"].startswith(f"{place / 'torn.parquet'} is left out: ")
    assert "is no intact Parquet file" in told["torn.parquet"]
    assert "its metadata lacks turnwise.schema_version" in told["other.parquet"]
    assert "reads episodes of schema version 3" in told["older.parquet"]
    assert told["lines.jsonl"].startswith(f"line 2 of {place / 'lines.jsonl'} is left out: an episode is one JSON")
    assert told["lines.jsonl"].endswith("(and 2 more lines)")
    assert all("\n" not in text for text in told.values())
    client = pages(run)
    (row,) = client.get("/api/runs").json()["runs"]
    assert client.get(f"/api/runs/{row['id']}").json()["problems"] == list(told.values())
    assert client.get(f"/api/runs/{row['id']}/episodes").json()["total"] == 7


def test_files_that_come_change_and_go(run: Path) -> None:
    store = Store(source_of(run))
    (key,) = [row["key"] for row in store.page(Filters())["rows"] if row["id"] == "2-1"]
    write_parquet(run / "episodes/step-000003.parquet", [game("3-0", metadata={"step": 3})])
    assert ids(store) == ["1-0", "1-1", "1-2", "2-0", "2-1", "2-2", "3-0"]
    assert store.facets()["total"] == 7
    write_parquet(run / "episodes/step-000001.parquet", [game("again", metadata={"step": 1})])
    assert ids(store) == ["again", "2-0", "2-1", "2-2", "3-0"]
    assert store.episode(key).id == "2-1", "keys stay"
    (run / "episodes/step-000002.parquet").unlink()
    assert ids(store) == ["again", "3-0"]
    with pytest.raises(NoEpisode, match="there is no episode"):
        store.episode(key)
    torn = (run / "episodes/step-000003.parquet").read_bytes()[:-1]
    (run / "episodes/step-000003.parquet").write_bytes(torn)
    assert ids(store) == ["again"]
    write_parquet(run / "episodes/step-000003.parquet", [game("mended", metadata={"step": 3})])
    assert ids(store) == ["again", "mended"]
    assert store.problems == {}


def test_a_file_that_is_damaged_while_it_is_shown(
    run: Path, monkeypatch: pytest.MonkeyPatch, pages: Callable[..., TestClient]
) -> None:
    client = pages(run)
    (row,) = client.get("/api/runs").json()["runs"]
    key = client.get(f"/api/runs/{row['id']}/episodes").json()["rows"][0]["key"]
    monkeypatch.setattr(stores, "LOOK_AGAIN_S", 1e9)
    for path in (run / "episodes").iterdir():
        path.write_bytes(b"PAR1")
    answer = client.get(f"/api/runs/{row['id']}/episodes/{key}")
    assert answer.status_code == 422
    assert "is no intact Parquet file" in answer.json()["error"]


def test_what_an_earlier_look_has_found_is_not_made_again(
    run: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(stores, "KEEP_FROM_S", -1.0)
    first = Store(source_of(run))
    known = first.page(Filters())
    first.close()
    (kept,) = cache.rglob("index-*.parquet")
    assert kept.stat().st_mode & 0o777 == 0o600
    calls: list[str] = []
    inner = stores.add_file
    monkeypatch.setattr(stores, "add_file", lambda c, name, *rest: calls.append(name) or inner(c, name, *rest))
    write_parquet(run / "episodes/step-000002.parquet", [game("new", metadata={"step": 2})])
    second = Store(source_of(run))
    assert ids(second) == ["1-0", "1-1", "1-2", "new"]
    assert calls == ["step-000002.parquet"], "the other file is taken from the cache"
    assert [row for row in second.page(Filters())["rows"] if row["step"] == 1] == known["rows"][3:]
    kept.write_bytes(b"torn")
    third = Store(source_of(run))
    assert ids(third) == ids(second)


def test_a_large_file_is_read_in_part(tmp_path: Path) -> None:
    path = tmp_path / "many.parquet"
    write_parquet(path, [game(f"e{i}", f"[{i}]") for i in range(600)])
    store = Store(source_of(path))
    page = store.page(Filters(desc=False, size=500, page=1))
    assert [row["id"] for row in page["rows"]] == [f"e{i}" for i in range(500, 600)]
    keys = {row["id"]: row["key"] for row in page["rows"]}
    found = store.episodes([keys["e599"], keys["e511"], keys["e512"]])
    assert [episode.turns[0].text for episode in found.values()] == ["[511]", "[512]", "[599]"]


def test_a_parent_of_another_file_with_the_same_name_is_not_meant(run: Path) -> None:
    parents = {}
    for step in (1, 2):
        child = game("child", parent="root", fork_turn=1, metadata={"step": step})
        write_parquet(run / f"episodes/step-{step:06d}.parquet", [game("root", metadata={"step": step}), child])
    store = Store(source_of(run))
    rows = store.page(Filters())["rows"]
    keys = {(row["id"], row["step"]): row["key"] for row in rows}
    parents = {row["step"]: row["parent"] for row in rows if row["id"] == "child"}
    assert parents == {step: keys["root", step] for step in (1, 2)}
    assert [store.parent(keys["child", step], "root") for step in (1, 2)] == [keys["root", 1], keys["root", 2]]
    assert [[fork[0] for fork in store.forks(keys["root", step], "root")] for step in (1, 2)] == [
        [keys["child", 1]],
        [keys["child", 2]],
    ]


def test_metadata_that_is_no_json(tmp_path: Path) -> None:
    import pyarrow.parquet

    path = tmp_path / "some.parquet"
    write_parquet(path, [game("e")])
    table = pyarrow.parquet.read_table(path)
    place = table.schema.get_field_index("metadata")
    torn = table.set_column(place, table.schema.field(place), [["{torn"]])
    pyarrow.parquet.write_table(torn, path, write_page_checksum=True)
    store = Store(source_of(path))
    ((row,), problems) = store.page(Filters())["rows"], store.problems
    assert (row["id"], row["step"], row["kind"], problems) == ("e", None, None, {})
    with pytest.raises(RecordError, match="a row is no episode"):
        store.episode(row["key"])


def test_paths_that_hold_nothing(tmp_path: Path, refused: Callable[..., str]) -> None:
    (tmp_path / "notes.txt").write_text(json.dumps({}))
    with pytest.raises(ValueError, match=r"notes.txt is no file of episodes: those end with .parquet or .jsonl"):
        require_paths([tmp_path / "notes.txt"])
    text = refused("view", tmp_path / "missing", "--no-browser")
    assert text == f"there is no {tmp_path / 'missing'}; give a run folder, a folder of runs, or a file of episodes"


def test_the_command_serves_until_it_is_stopped(tmp_path: Path, run: Path) -> None:
    """The whole command in a process of its own: the address that it prints works, and Ctrl-C ends it with 130."""
    import os
    import signal
    import subprocess
    import sys
    import urllib.request

    words = [sys.executable, "-m", "turnwise", "view", str(run), "--no-browser", "--json", "--port", "0"]
    environment: dict[str, Any] = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["runs"] == 1
        assert told["url"] == f"http://127.0.0.1:{told['port']}/?token={told['token']}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{told['port']}/api/runs", headers={"Authorization": f"Bearer {told['token']}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer)["runs"][0]["path"] == str(run)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (130, "")
