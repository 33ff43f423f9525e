"""`turnwise eval` says of a folder what its run said of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.checkpoint import CheckpointError
from turnwise.algorithms.evaluation.folder import evaluate_folder, print_evaluation, settings_of

Command = Callable[..., Any]


def test_a_run_is_judged_by_its_reported_weights_under_its_settings(finished_run: Path) -> None:
    found = evaluate_folder(finished_run, [], ["random"], 20)
    summary = json.loads((finished_run / "summary.json").read_text())
    written = json.loads((finished_run / "evaluation.json").read_text())
    assert found["env"] == "KuhnPoker-LLM"
    assert found["weights"] == str(finished_run / "checkpoints/step-000012/model")
    assert found["nash_conv"] == pytest.approx(summary["nash_conv"], abs=1e-6)
    assert len(found["policy"]) == 12
    assert found["win_rates"][0]["total"]["games"] == 20
    assert found["win_rates"][0]["total"]["wins"] == written["win_rates"][0]["total"]["wins"]
    assert found["nash_conv_uniform"] == pytest.approx(0.9166667)


def test_a_checkpoint_is_judged_under_its_run_s_settings(finished_run: Path) -> None:
    last = finished_run / "checkpoints/step-000012"
    assert settings_of(last, []) == settings_of(finished_run, [])
    found = evaluate_folder(last, [], [""], 2)
    assert found["win_rates"] == []
    assert found["nash_conv"] == evaluate_folder(finished_run, [], [], 2)["nash_conv"]


def test_a_model_folder_is_judged_under_the_given_settings(finished_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "it's, a [model]=1"
    folder.symlink_to(finished_run / "checkpoints/step-000012/model")
    found = evaluate_folder(folder, ["env=nim", "engine.device=cpu"], ["optimal"], 4)
    assert found["env"] == "Nim-LLM"
    assert found["win_rates"][0]["opponent"] == "optimal"
    assert settings_of(folder, []).model.path == str(folder)


def test_frozen_weights_and_scripted_agents_are_opponents(finished_run: Path) -> None:
    found = evaluate_folder(finished_run, [], ["first_legal", str(finished_run)], 40)
    names = [rate["opponent"] for rate in found["win_rates"]]
    assert names == ["first_legal", finished_run.name]
    against_itself = found["win_rates"][1]["total"]
    assert against_itself["games"] == 40
    assert abs(against_itself["wins"] - against_itself["losses"]) <= 20  # nearly every reply is invalid: seats decide


def test_what_cannot_be_judged_is_refused(finished_run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--opponents: .*did you mean 'random'"):
        evaluate_folder(finished_run, [], ["randm"], 2)
    with pytest.raises(ValueError, match="is judged under its run's settings: leave out env=nim"):
        evaluate_folder(finished_run, ["env=nim"], [], 2)
    with pytest.raises(ValueError, match=r"there is no folder .*nowhere; give a run folder"):
        evaluate_folder(tmp_path / "nowhere", [], [], 2)
    with pytest.raises(SettingsError, match="did you mean"):
        evaluate_folder(tmp_path, ["env=kuhn_pokr"], [], 2)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="is a run without a checkpoint"):
        evaluate_folder(tmp_path, [], [], 2)


def test_the_command_prints_json_or_tables(finished_run: Path, command: Command) -> None:
    done = command("eval", finished_run, "--json", "--games", "20")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    summary = json.loads((finished_run / "summary.json").read_text())
    assert found["nash_conv"] == pytest.approx(summary["nash_conv"], abs=1e-6)
    shown = command("eval", finished_run, "--games", "20", "--opponents", "random,optimal").stdout
    assert f"NashConv {summary['nash_conv']:.4f}" in shown
    assert "(uniform 0.9167)" in shown
    assert "optimal" in shown


def test_sampled_prefixes_come_with_their_error(finished_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluate_folder(finished_run, [], [], 2, prefixes=2)
    assert found["prefixes"] == 2
    assert found["nash_conv_stderr"] is None or found["nash_conv_stderr"] >= 0
    print_evaluation(found, as_json=False)
    assert "NashConv" in capsys.readouterr().out
