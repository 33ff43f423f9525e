"""Models behind an API from the command line: as opponents in training and evaluation, and as who is evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback_server import Answer, Seen, Server, chat

from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.reporting.runlog import read_metrics

Command = Callable[..., Any]
KEY = "sk-very-secret-0123456789"


def words(server: Server) -> tuple[str, ...]:
    return f"agent.api.base_url={server.root}/v1", "agent.api.input_price=2", "agent.api.retries=0"


def test_a_model_behind_an_api_is_evaluated_by_its_games(server: Server, command: Command) -> None:
    server.answer = lambda seen: chat("[check]" if "King" not in seen.text else "I say [bet]")
    given = ("env=kuhn_poker", *words(server), "--opponents", "random", "--games", 10, "--json")
    result = command("eval", "openai:small", *given)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert "nash_conv" not in found
    assert (found["weights"], found["env"]) == ("openai:small", "KuhnPoker-LLM")
    (rate,) = found["win_rates"]
    assert (rate["agent"], rate["total"]["games"], rate["failed"], rate["usage"]) == ("openai:small", 10, 0, None)
    assert found["usage"]["requests"] == rate["turns"] == len(server.seen)
    assert found["usage"]["cost"] == pytest.approx(len(server.seen) * 10 * 2 / 1e6)
    assert "This is Kuhn poker" in server.seen[0].text, "it reads the rules"


def test_a_run_is_evaluated_against_a_model_behind_an_api(
    server: Server, command: Command, finished_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.answer = lambda seen: chat("[check]")
    given = (*words(server), "agent.api.key_variable=MY_KEY", "--opponents", "openai:small,random", "--games", 6)
    result = command("eval", finished_run, *given, "--json")
    assert result.exit_code == 0, result.output
    asked, scripted = json.loads(result.stdout)["win_rates"]
    assert (asked["opponent"], scripted["opponent"]) == ("openai:small", "random")
    assert asked["usage"]["requests"] == len(server.seen) > 0
    assert scripted["usage"] is None
    assert KEY not in result.stdout
    shown = command("eval", finished_run, *given)
    assert "openai:small: " in shown.stdout
    assert "tokens read" in shown.stdout.replace("\n", " ")


def test_other_settings_of_a_run_stay(command: Command, finished_run: Path, refused: Callable[..., str]) -> None:
    assert "leave out agent.sampling.top_p=0.5" in refused("eval", finished_run, "agent.sampling.top_p=0.5")


def test_games_that_a_broken_server_leaves_unfinished_do_not_count(
    server: Server, command: Command, finished_run: Path, refused: Callable[..., str]
) -> None:
    def answer(seen: Seen) -> Answer:
        return Answer({"error": "no"}, status=400) if "Jack" in seen.text else chat("[check]")

    server.answer = answer
    given = (*words(server), "--opponents", "openai:small", "--games", 40, "--json")
    result = command("eval", finished_run, *given)
    assert result.exit_code == 0, result.output
    (rate,) = json.loads(result.stdout)["win_rates"]
    assert 0 < rate["failed"] < 40
    assert rate["failed"] % 2 == 0
    assert rate["total"]["games"] == 40 - rate["failed"]
    server.answer = lambda seen: Answer({"error": "no"}, status=400)
    assert "status 400, no (1 try)" in refused("eval", finished_run, *given)


def test_a_policy_is_trained_against_a_model_behind_an_api(
    server: Server, command: Command, small_run: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.answer = lambda seen: chat("[check]")
    run = tmp_path / "run"
    given = (*words(server), "agent.opponent=openai:small", "agent.api.key_variable=MY_KEY")
    result = command("train", *small_run, *given, "steps=2", f"run_dir={run}")
    assert result.exit_code == 0, result.output
    records = [record for record in read_metrics(run) if record["step"]]
    assert sum(record["api/requests"] for record in records) == len(server.seen) >= 2 * 8
    assert sum(record["api/cost"] for record in records) == pytest.approx(len(server.seen) * 10 * 2 / 1e6)
    assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    for path in run.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_who_may_be_behind_an_api() -> None:
    settings = run_settings(compose(["agent.opponent=anthropic:small", "evaluation.opponents=[random,openai:a/b]"]))
    assert settings.agent.opponent == "anthropic:small"
    assert settings.evaluation.opponents == ("random", "openai:a/b")
    extra = run_settings(compose(["agent.api.extra.top_k=5", "agent.api.extra.seed=null"])).agent.api.extra
    assert extra == {"top_k": 5, "seed": None}


REFUSED = [
    (("agent=league", "agent.league.scripted=[openai:small]"), "agent.league.scripted: "),
    (("model.sft.teacher=openai:small",), "model.sft.teacher: "),
    (("agent.opponent=openai:",), "an agent behind an API is called openai:MODEL: got 'openai:'"),
    (("agent.opponent=openai:small",), "in the environment variable OPENAI_API_KEY: it is not set"),
    (("agent.api.deadline_s=0",), "api.deadline_s is finite and above 0: got 0"),
    (
        ("engine=openai", "engine.api.model=small", "engine.api.base_url=http://203.0.113.1/v1"),
        "is elsewhere; start it",
    ),
    (("engine=openai", "launcher=ray", "engine.api.model=small"), "engine=openai trains in one process"),
    (
        ("engine=openai", "engine.api.base_url=http://127.0.0.1:9/v1"),
        "engine.api.model, what the server calls its model",
    ),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line(
    given: tuple[str, ...],
    message: str,
    refused: Callable[..., str],
    small_run: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert message in refused("train", *small_run, *given, f"run_dir={tmp_path / 'run'}")


def test_training_through_a_server_that_returns_no_token_ids_is_refused(
    server: Server, refused: Callable[..., str], small_run: tuple[str, ...], tmp_path: Path
) -> None:
    server.answer = lambda seen: Answer({"choices": [{"text": "hello", "finish_reason": "stop", "logprobs": None}]})
    given = ("engine=openai", "engine.api.model=small", f"engine.api.base_url={server.root}/v1", "engine.api.retries=0")
    told = refused("train", *small_run, *given, f"run_dir={tmp_path / 'run'}")
    assert "needs a server whose /v1/completions takes token ids and returns those that it sampled" in told
    assert "its reply has no token_ids, or no log-prob for each of them (1 try)" in told
