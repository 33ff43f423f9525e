"""What each address answers, on a run that was trained and recorded here."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from turnwise.algorithms.checkpoint import steps_saved
from turnwise.algorithms.evaluation.measure import headline
from turnwise.algorithms.reporting.runlog import lock_run, read_metrics
from turnwise.parquet import read_parquet, write_parquet
from turnwise.view.runs import HEADLINES

from .conftest import JSON_POST, changed, game


@pytest.fixture
def client(pages: Callable[..., TestClient], finished_run: Path) -> TestClient:
    return pages(finished_run)


def ask(client: TestClient, address: str, **query: Any) -> Any:
    answer = client.get(f"/api/{address}", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def run_of(client: TestClient) -> str:
    (run,) = ask(client, "runs")["runs"]
    return str(run["id"])


def test_the_table_of_runs(client: TestClient, finished_run: Path) -> None:
    (run,) = ask(client, "runs")["runs"]
    expected = {"name": "run", "env": "KuhnPoker-LLM", "algorithm": "spiral", "model": "tiny", "seed": 0}
    expected |= {"step": 12, "steps": 12, "games": 192, "status": "done", "has_episodes": True, "alerts": run["alerts"]}
    last = read_metrics(finished_run)[-1]["eval"]["nash_conv"]
    expected |= {"headline": {"name": "nash_conv", "value": last, "lower_is_better": True}}
    assert run == expected | {"id": run["id"], "path": str(finished_run), "updated": run["updated"]}
    assert abs(run["updated"] - time.time()) < 3600


def test_the_headlines_are_those_of_the_trainer() -> None:
    assert dict(headline(method) for method in ("exact", "win_rate", "return")) == HEADLINES  # type: ignore[arg-type]


def test_a_run(client: TestClient, finished_run: Path) -> None:
    found = ask(client, f"runs/{run_of(client)}")
    assert found["config"] == (finished_run / "config.yaml").read_text()
    assert found["summary"] == json.loads((finished_run / "summary.json").read_text())
    assert found["evaluation"]["nash_conv"] == found["summary"]["nash_conv"]
    assert found["checkpoints"] == steps_saved(finished_run)
    assert (found["recorded_steps"], found["problems"]) == ([1, 10, 12], [])
    assert isinstance(found["alerts"], list)


def test_curves_come_in_parts(client: TestClient, finished_run: Path) -> None:
    run, records = run_of(client), read_metrics(finished_run)
    whole = ask(client, f"runs/{run}/metrics")
    assert whole["last"] == 12
    assert whole["series"]["loss"] == [[record["step"], record["loss"]] for record in records[1:]]
    assert sorted(whole["series"]) == whole["names"]
    part = ask(client, f"runs/{run}/metrics", after=10, names="loss,eval/nash_conv")
    assert {name: [step for step, _ in points] for name, points in part["series"].items()} == {
        "loss": [11, 12],
        "eval/nash_conv": [12],
    }
    assert part["names"] == whole["names"]


def test_curves_follow_a_run_that_goes_on_and_one_that_is_cut_back(
    pages: Callable[..., TestClient], tmp_path: Path
) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text('{"step":0,"a":1}\n{"step":1,"a":2,"b":{"c":3}}\n{"step":2,"a":')
    client = pages(tmp_path)
    run = run_of(client)
    assert ask(client, f"runs/{run}/metrics") == {
        "last": 1,
        "names": ["a", "b/c"],
        "series": {"a": [[0, 1], [1, 2]], "b/c": [[1, 3]]},
    }
    with log.open("a") as file:
        file.write("5}\n")
    assert ask(client, f"runs/{run}/metrics", after=1)["series"]["a"] == [[2, 5]]
    log.write_text('{"step":0,"a":1}\n{"step":1,"a":7}\n{"step":2,"a":8}\nnonsense\n{"step":3,"a":1e400}\n')
    assert ask(client, f"runs/{run}/metrics")["series"] == {"a": [[0, 1], [1, 7], [2, 8]]}
    assert ask(client, f"runs/{run}")["problems"] == [f"{log} has 1 lines that are no records"]


def test_a_run_that_is_going_on_says_so(pages: Callable[..., TestClient], tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step":0}\n')
    client = pages(tmp_path)
    with lock_run(tmp_path):
        assert ask(client, "runs")["runs"][0]["status"] == "running"
    assert ask(client, "runs")["runs"][0]["status"] == "stopped"


def test_the_list_of_episodes(client: TestClient, finished_run: Path) -> None:
    run = run_of(client)
    found = ask(client, f"runs/{run}/episodes", kind="train", sort="step", desc=0, size=20)
    assert (found["total"], found["page"], found["size"]) == (48, 0, 20)
    first = read_parquet(finished_run / "episodes/step-000001.parquet")
    for row, episode in zip(found["rows"], first, strict=False):
        mine = episode.returns["player_0"]
        assert row == {
            "key": row["key"],
            "id": episode.id,
            "step": 1,
            "kind": "train",
            "env_id": "KuhnPoker-LLM",
            "seats": dict(episode.seats),
            "returns": dict(episode.returns),
            "outcome": "win" if mine > 0 else "loss" if mine < 0 else "draw",
            "status": "ok",
            "turns": len(episode.turns),
            "tokens": sum(len(turn.completion_ids) for turn in episode.turns),
            "invalid": sum(turn.status != "ok" for turn in episode.turns),
            "level": None,
            "group": episode.group,
            "parent": None,
            "forked": 0,
        }
    assert [row["step"] for row in found["rows"]] == [1] * 16 + [10] * 4
    facets = ask(client, f"runs/{run}/facets")
    assert facets == {
        "env_id": ["KuhnPoker-LLM"],
        "agent": ["policy"],
        "seat": ["player_0", "player_1"],
        "level": [],
        "kind": ["final", "train"],
        "step": [1, 12],
        "total": 60,
    }


def test_a_transcript(client: TestClient, finished_run: Path) -> None:
    run = run_of(client)
    (row,) = ask(client, f"runs/{run}/episodes", kind="train", step_min=12, size=1)["rows"]
    found = ask(client, f"runs/{run}/episodes/{row['key']}")
    episode = next(e for e in read_parquet(finished_run / "episodes/step-000012.parquet") if e.id == row["id"])
    assert found["episode"]["seed"] == str(episode.seed)
    assert (found["episode"]["step"], found["episode"]["kind"], found["forks"]) == (12, "train", [])
    assert len(found["boards"]) == len(episode.turns) + 1
    assert found["boards"][0]["kind"] == "cards"
    for turn, known in zip(found["turns"], episode.turns, strict=True):
        assert turn["observation"] == [{"role": "user", "content": known.observation[-1].content}]
        assert (turn["reply"], turn["thinking"], turn["action"]) == (known.text, None, known.action)
        assert turn["advantage"] == pytest.approx(statistics.fmean(known.advantages))
        assert turn["trained"] == len(turn["tokens"]) == len(known.completion_ids)
        assert [token["id"] for token in turn["tokens"]] == list(known.completion_ids)
        for name, column in (("logprob", known.logprobs), ("entropy", known.token_entropy)):
            assert [token[name] for token in turn["tokens"]] == list(column)
        for name in ("train_logprobs", "updated_logprobs", "advantages"):
            assert [token[name.removesuffix("s")] for token in turn["tokens"]] == list(getattr(known, name))


def test_thinking_calls_and_numbers_that_are_none(pages: Callable[..., TestClient], tmp_path: Path) -> None:
    call = json.dumps({"name": "search", "arguments": {"q": "a"}})
    episode = game("e", "<think>well\nso</think>\n[bet]", "[call]", "[fold]")
    episode = changed(episode, 0, tool_calls=(call, "torn"), completion_ids=(1, 2), logprobs=(-math.inf, -0.5))
    path = tmp_path / "some.parquet"
    write_parquet(path, [episode])
    client = pages(path)
    run = run_of(client)
    (row,) = ask(client, f"runs/{run}/episodes")["rows"]
    first, second, _ = ask(client, f"runs/{run}/episodes/{row['key']}")["turns"]
    assert (first["thinking"], first["reply"]) == ("well\nso", "[bet]")
    assert first["tool_calls"] == [
        {"name": "search", "arguments": {"q": "a"}},
        {"name": "(unreadable)", "arguments": "torn"},
    ]
    assert (first["tool_results"], second["tool_results"]) == (["observation 2"], [])
    assert (first["tokens"], first["advantage"], first["trained"]) == (None, None, 0)
    summary = ask(client, "runs")["runs"][0]
    assert (summary["status"], summary["step"], summary["headline"]) == ("episodes", None, None)


def test_forks_are_a_tree(pages: Callable[..., TestClient], tmp_path: Path) -> None:
    trunk = changed(
        game("p", "[bet]", "[fold]", group="g"), 0, completion_ids=(7,), logprobs=(-1.0,), advantages=(0.5,)
    )
    forks = [game(f"p@{i}", "[bet]", "[call]", group="g", parent="p", fork_turn=1) for i in range(2)]
    other = game("x", group="h")
    write_parquet(tmp_path / "some.parquet", [trunk, *forks, other])
    client = pages(tmp_path / "some.parquet")
    run = run_of(client)
    rows = {row["id"]: row for row in ask(client, f"runs/{run}/episodes")["rows"]}
    assert {id: (row["forked"], row["parent"]) for id, row in rows.items()} == {
        "p": (2, None),
        "p@0": (0, rows["p"]["key"]),
        "p@1": (0, rows["p"]["key"]),
        "x": (0, None),
    }
    nodes = ask(client, f"runs/{run}/tree", group="g")["nodes"]
    assert [(node["id"], node["parent"], node["fork_turn"], node["advantages"]) for node in nodes] == [
        ("p", None, None, [0.5, None]),
        ("p@0", rows["p"]["key"], 1, [None, None]),
        ("p@1", rows["p"]["key"], 1, [None, None]),
    ]
    whole = ask(client, f"runs/{run}/episodes/{rows['p']['key']}")
    assert [(fork["id"], fork["fork_turn"]) for fork in whole["forks"]] == [("p@0", 1), ("p@1", 1)]
    child = ask(client, f"runs/{run}/episodes/{rows['p@0']['key']}")
    assert child["episode"]["parent"] == rows["p"]["key"]


@pytest.mark.parametrize(
    ("address", "status", "text"),
    [
        ("runs/nowhere", 404, "there is no run 'nowhere' here"),
        ("runs/{run}/episodes/nothing-1", 404, "there is no episode 'nothing-1' here"),
        ("runs/{run}/episodes?outcome=won", 400, "outcome is one of win, draw, loss, truncated, failed: got 'won'"),
        ("runs/{run}/episodes?size=0", 400, "size is from 1 to 500: got 0"),
        ("runs/{run}/episodes?size=501", 400, "size is from 1 to 500: got 501"),
        ("runs/{run}/episodes?page=-1", 400, "page is a number, 0 or more: got '-1'"),
        ("runs/{run}/episodes?sort=id", 400, "sort is one of step, return, turns, tokens: got 'id'"),
        ("runs/{run}/episodes?evn=x", 400, "got evn"),
        ("runs/{run}/metrics?after=x", 400, "after is the number of a step: got 'x'"),
        ("jobs/none", 404, "there is no job 'none' here"),
        ("nothing", 404, "Not Found"),
    ],
)
def test_a_mistake_gets_a_sentence(client: TestClient, address: str, status: int, text: str) -> None:
    answer = client.get("/api/" + address.replace("{run}", run_of(client)))
    assert answer.status_code == status
    assert text in answer.json()["error"]


def test_two_checkpoints_on_the_same_deals(client: TestClient, finished_run: Path) -> None:
    run = run_of(client)
    a, b = ask(client, f"runs/{run}")["checkpoints"][-2:]
    wanted = {"a": a, "b": b, "games": 6, "opponent": "random"}
    answer = client.post(f"/api/runs/{run}/diff", json=wanted, headers=JSON_POST)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = {"state": "running"}
    while job["state"] == "running":
        job = ask(client, f"jobs/{answer.json()['job']}")
        time.sleep(0.05)
    assert (job["state"], job["error"], job["done"], job["total"]) == ("done", None, 12, 12)
    result = job["result"]
    pairs = result["pairs"]
    assert [pair["seat"] for pair in pairs] == ["player_0", "player_1"] * 3
    assert len({pair["seed"] for pair in pairs}) == 3
    assert result["mean_a"] == pytest.approx(statistics.fmean(pair["return_a"] for pair in pairs))
    assert result["mean_b"] == pytest.approx(statistics.fmean(pair["return_b"] for pair in pairs))
    gains = [pair["return_b"] - pair["return_a"] for pair in pairs]
    deals = [(gains[i] + gains[i + 1]) / 2 for i in (0, 2, 4)]
    reach = 1.959963984540054 * statistics.stdev(deals) / math.sqrt(3)
    assert result["difference"]["mean"] == pytest.approx(statistics.fmean(deals))
    assert result["difference"]["high"] - result["difference"]["low"] == pytest.approx(2 * reach)
    for pair in pairs:
        games = [ask(client, f"runs/{run}/episodes/{pair[side]}") for side in ("a", "b")]
        assert [one["episode"]["seed"] for one in games] == [pair["seed"]] * 2
        assert [one["episode"]["step"] for one in games] == [a, b]
        assert {one["episode"]["kind"] for one in games} == {"diff"}
        assert [one["episode"]["returns"][pair["seat"]] for one in games] == [pair["return_a"], pair["return_b"]]
        replies = [[(turn["seat"], turn["reply"]) for turn in one["turns"]] for one in games]
        same = next((i for i, (x, y) in enumerate(zip(*replies, strict=False)) if x != y), min(map(len, replies)))
        assert pair["same_turns"] == same
    assert ask(client, f"runs/{run}/episodes", kind="diff")["total"] == 12
    assert not (finished_run / "diff").exists()


def test_a_checkpoint_against_itself_is_the_same(client: TestClient) -> None:
    run = run_of(client)
    step = ask(client, f"runs/{run}")["checkpoints"][-1]
    wanted = {"a": step, "b": step, "games": 4, "opponent": "self"}
    job = client.post(f"/api/runs/{run}/diff", json=wanted, headers=JSON_POST).json()["job"]
    while (found := ask(client, f"jobs/{job}"))["state"] == "running":
        time.sleep(0.05)
    assert found["result"]["difference"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found["result"]["mean_a"] == 0.0, "it sits opposite itself"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"a": 1, "b": 12}, "there is no checkpoint of step 1; there are: "),
        ({"a": 12}, "a comparison needs the steps a and b"),
        ({"a": 12, "b": 12, "games": 10**9}, "games is from 1 to 2000: got 1000000000"),
        ({"a": True, "b": 12}, "a comparison is"),
        ({"a": 12, "b": 12, "path": "/"}, "a comparison is"),
        ([], "a request is a JSON object"),
    ],
)
def test_what_cannot_be_compared_is_refused(client: TestClient, body: Any, text: str) -> None:
    answer = client.post(f"/api/runs/{run_of(client)}/diff", json=body, headers=JSON_POST)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(text)


def test_a_job_that_fails_says_why(client: TestClient) -> None:
    run = run_of(client)
    wanted = {"a": 12, "b": 12, "opponent": "randon"}
    job = client.post(f"/api/runs/{run}/diff", json=wanted, headers=JSON_POST).json()["job"]
    while (found := ask(client, f"jobs/{job}"))["state"] == "running":
        time.sleep(0.05)
    assert found["state"] == "failed"
    assert "opponent: " in found["error"] and "random" in found["error"]


def test_games_of_people_are_found_where_they_were_saved(pages: Callable[..., TestClient], tmp_path: Path) -> None:
    from turnwise.view.runs import Runs

    path = tmp_path / "play/episodes/one.parquet"
    path.parent.mkdir(parents=True)
    write_parquet(path, [game("one", metadata={"kind": "play"})])
    run, key = Runs([tmp_path]).locate(path) or ("", "")
    client = pages(tmp_path)
    assert run_of(client) == run
    assert ask(client, f"runs/{run}/episodes/{key}")["episode"]["kind"] == "play"
    assert Runs([tmp_path]).locate(tmp_path / "elsewhere.parquet") is None


def test_runs_are_found_three_folders_deep(pages: Callable[..., TestClient], tmp_path: Path) -> None:
    for place in ("a", "b/c", "d/e/f", "g/h/i/j", ".hidden"):
        (tmp_path / place / "episodes").mkdir(parents=True)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert [run["name"] for run in ask(pages(tmp_path), "runs")["runs"]] == ["a", "c", "f"]
