"""The commands, as one types them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from turnwise.algorithms.compose import load_config
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.envs.registry import GAMES
from turnwise.records import Episode

Command = Callable[..., Any]


def test_the_command_is_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "turnwise", "list", "envs"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(GAMES)


def test_help_names_every_command(command: Command) -> None:
    shown = command("--help").stdout
    for name in ("train", "sft", "eval", "list", "report", "check", "doctor", "new"):
        assert name in shown
        assert command(name, "--help").exit_code == 0


def test_a_dry_run_prints_the_effective_settings_and_stops(command: Command, tmp_path: Path) -> None:
    done = command("train", "--dry-run", "steps=7", "env=nim", f"run_dir={tmp_path / 'run'}")
    assert done.exit_code == 0
    config = yaml.safe_load(done.stdout)
    assert (config["steps"], config["env"]["id"]) == (7, "Nim-LLM")
    assert list(tmp_path.iterdir()) == []


def test_training_leaves_a_run_folder_with_everything_in_it(finished_run: Path, small_run: tuple[str, ...]) -> None:
    names = {path.name for path in finished_run.iterdir()} - {".lock", "alerts.jsonl"}
    assert names == {
        *("config.yaml", "recipe.json", "metrics.jsonl", "tb", "checkpoints"),
        *("evaluation.json", "games.jsonl", "summary.json", "report.html", "episodes"),
    }
    assert load_config(finished_run)["steps"] == 12
    games = [Episode.from_json(line) for line in (finished_run / "games.jsonl").read_text().splitlines()]
    assert len(games) == 12
    assert all(game.turns[0].observation[-1].content for game in games)
    assert "<html" in (finished_run / "report.html").read_text()


def test_a_run_without_a_folder_gets_one_named_after_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("steps=1", "games_per_step=2", "model.sft.steps=1", "model.sft.games=20", "evaluation.final_games=2")
    done = command("train", *words, "algorithm=rloo", "games_per_step=8", "engine.device=cpu")
    assert done.exit_code == 0, done.output
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("kuhnpoker-rloo-20")
    assert f"run folder: runs/{folder.name}" in done.stdout
    assert f"report: runs/{folder.name}/report.html" in done.stdout


def test_an_empty_folder_may_be_given(command: Command, tmp_path: Path) -> None:
    words = ("steps=1", "games_per_step=2", "model.sft.steps=1", "model.sft.games=20", "evaluation.final_games=2")
    assert command("train", *words, "engine.device=cpu", f"run_dir={tmp_path}").exit_code == 0
    assert [record["step"] for record in read_metrics(tmp_path)] == [0, 1]


def test_a_finished_run_that_goes_on_has_nothing_left_to_do(
    command: Command, finished_run: Path, tmp_path: Path, fingerprint: Callable[[Path], dict[str, Any]]
) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    done = command("train", "--resume", run)
    assert done.exit_code == 0, done.output
    assert "going on after step 12" in done.stdout
    assert fingerprint(run) == fingerprint(finished_run)


def test_report_writes_the_page_again(command: Command, finished_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    page = run / "report.html"
    before = page.read_text()
    page.unlink()
    done = command("report", run)
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == f"report: {page}"
    assert page.read_text() == before


def test_a_warm_start_of_its_own_makes_a_model_that_trains_and_is_judged(command: Command, tmp_path: Path) -> None:
    model, run = tmp_path / "model", tmp_path / "run"
    made = command("sft", "--out", model, "model.sft.steps=40", "model.sft.games=200", "engine.device=cpu")
    assert made.exit_code == 0, made.output
    assert made.stdout.splitlines()[-1] == f"model: {model}"
    words = ("steps=2", "games_per_step=8", "model.prompt=compact", "agent.sampling.max_tokens=8", "engine.device=cpu")
    done = command("train", f"model={model}", *words, "evaluation.final_games=4", f"run_dir={run}")
    assert done.exit_code == 0, done.output
    assert json.loads((run / "summary.json").read_text())["model"] == str(model)
    judged = command("eval", model, "--json", "--games", "2", "engine.device=cpu")
    assert judged.exit_code == 0, judged.output
    assert 0 < json.loads(judged.stdout)["nash_conv"] < 2


def test_a_warm_start_of_no_steps_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "model.sft.steps=0" in refused("sft", "--out", tmp_path / "m", "model.sft.steps=0")
    assert list(tmp_path.iterdir()) == []
