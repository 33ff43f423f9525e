"""Variants times seeds: every run is a `turnwise train`, a stopped sweep goes on, and its table holds the figures."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms import sweep
from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.sweep import Sweep, run_sweep, sweep_of

Command = Callable[..., Any]

WORDS = ("steps=1", "games_per_step=4", "model.sft.steps=2", "model.sft.games=20", "evaluation.final_games=4")
VARIANTS = {"rae": ["algorithm=spiral"], "none": ["algorithm=reinforce", "games_per_step=8"]}


@pytest.fixture
def commands(command: Command, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the sweep gives, each carried out in this process."""
    given: list[list[str]] = []

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        given.append(words[3:])
        done = command(*words[3:])
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    monkeypatch.setattr(sweep.subprocess, "run", run)
    return given


@pytest.mark.processes
def test_a_sweep_trains_every_variant_with_every_seed(
    tmp_path: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    plan = Sweep(variants=VARIANTS, seeds=(3, 5), figures=("nash_conv", "games"))
    words = [*WORDS, "sweep.jobs=1", "seed=9", f"run_dir={tmp_path / 'sweep'}"]
    run_sweep(plan, words, str(tmp_path / "sweep"), said.append)
    folders = [tmp_path / f"sweep/{name}-seed{seed}" for name in VARIANTS for seed in (3, 5)]
    rest = ["sweep=null", "seed=3", f"run_dir={folders[0]}"]
    assert commands[0] == ["train", *WORDS, "algorithm=spiral", *rest]
    table = json.loads((tmp_path / "sweep/table.json").read_text())
    assert table["command"] == ["turnwise", "train", *words]
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in folders]
    for row, (name, pair) in zip(table["rows"], (("rae", summaries[:2]), ("none", summaries[2:])), strict=True):
        values = [summary["nash_conv"] for summary in pair]
        assert row["variant"] == name
        assert row["seeds"] == [3, 5]
        assert row["nash_conv"] == {
            "values": values,
            "mean": pytest.approx(sum(values) / 2),
            "min": min(values),
            "max": max(values),
        }
    assert table["rows"][1]["games"]["values"] == [8, 8]
    assert said[-1].split()[0] == "none"

    # Again, after one run was lost and another stopped before its first checkpoint.
    commands.clear()
    shutil.rmtree(folders[1])
    shutil.rmtree(folders[2] / "checkpoints")
    (folders[2] / "summary.json").unlink()
    run_sweep(plan, words, str(tmp_path / "sweep"), said.append)
    assert commands[0][-1] == f"run_dir={folders[1]}"
    assert commands[1:] == [["train", "--resume", str(folders[2])]]
    again = json.loads((tmp_path / "sweep/table.json").read_text())
    assert [row["nash_conv"] for row in again["rows"]] == [row["nash_conv"] for row in table["rows"]]


def test_a_run_that_fails_is_named_with_its_reason(tmp_path: Path, commands: list[list[str]]) -> None:
    plan = Sweep(variants={"bad": ["model=/no/such/model"]}, seeds=(0,))
    with pytest.raises(RunFolderError, match=r"bad-seed0 of the sweep failed: .*there is no model folder"):
        run_sweep(plan, list(WORDS), str(tmp_path / "sweep"), lambda line: None)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (["algorithm=spirl"], "did you mean 'spiral'"),
        (["algorithm=igpo", "games_per_step=8"], "credit 'igpo' needs the right answer"),
    ],
)
def test_a_variant_that_cannot_be_trained_is_refused_before_the_others_are(
    bad: list[str], reason: str, tmp_path: Path, commands: list[list[str]]
) -> None:
    plan = Sweep(variants={**VARIANTS, "bad": bad}, seeds=(0,))
    with pytest.raises(SettingsError, match=f"variant bad: .*{reason}"):
        run_sweep(plan, list(WORDS), str(tmp_path / "sweep"), lambda line: None)
    assert not commands
    assert not (tmp_path / "sweep").exists()


def test_a_figure_that_no_summary_has_is_named(tmp_path: Path, commands: list[list[str]]) -> None:
    plan = Sweep(variants={"rae": []}, seeds=(0,), figures=("nash_conf",))
    with pytest.raises(SettingsError, match="no 'nash_conf'"):
        run_sweep(plan, list(WORDS), str(tmp_path / "sweep"), lambda line: None)


def test_what_a_sweep_needs() -> None:
    assert sweep_of({"sweep": None}) is None
    assert sweep_of({"sweep": {"variants": {"a": ["steps=1"]}}}) == Sweep(variants={"a": ["steps=1"]})
    for wrong in ({"variants": {}}, {"variants": {"a": []}, "seeds": []}, {"variants": {"a": []}, "jobs": 0}):
        with pytest.raises(SettingsError, match="at least one variant, one seed and one job"):
            sweep_of({"sweep": wrong | {"figures": ["x"]}})
    with pytest.raises(SettingsError, match=r"run_dir=FOLDER"):
        run_sweep(Sweep(variants={"a": []}), [], None, lambda line: None)


def test_a_run_that_was_killed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = subprocess.CompletedProcess([], -9, "step 3", "a warning")
    monkeypatch.setattr(sweep.subprocess, "run", lambda words, **_: killed)
    assert sweep.run_apart("train") == "it was ended by signal 9"
