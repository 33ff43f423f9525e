"""Sicknesses of a run: each one provoked, none seen in healthy runs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.reporting.alerts import (
    ALERTS,
    CHECKS,
    DEFAULT,
    Alert,
    Thresholds,
    Watch,
    alerts_of,
    read_alerts,
)
from turnwise.algorithms.reporting.progress import Progress
from turnwise.algorithms.reporting.report import write_report
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.algorithms.trainer import train

HEALTHY: dict[str, dict[str, list[Any]]] = json.loads(
    gzip.decompress((Path(__file__).with_name("healthy.json.gz")).read_bytes())
)
"""Metrics of whole runs with default settings: Kuhn poker with three seeds, tic-tac-toe."""
WELL = {
    "reply_tokens": 20.0,
    "entropy": 0.5,
    "mismatch_kl_p999": 1e-3,
    "invalid_rate": 0.02,
    "truncated_rate": 0.01,
    "grad_norm": 0.3,
    "magnet_kl": 0.2,
    "even_groups": 0.4,
    "planned": 64.0,
}


def records(steps: int, sick_from: int, sick: Mapping[str, float]) -> list[dict[str, Any]]:
    """Steps 1, 2, ... of a healthy run that falls sick."""
    return [{"step": step, **WELL, **(sick if step >= sick_from else {})} for step in range(1, steps + 1)]


def kinds(found: list[Alert]) -> set[str]:
    return {alert.kind for alert in found}


@pytest.mark.parametrize("name", sorted(HEALTHY))
def test_healthy_runs_alarm_nobody(name: str) -> None:
    columns = HEALTHY[name]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    assert rows[-1]["step"] >= 1200
    windows = (rows[max(0, end - DEFAULT.history) : end] for end in range(1, len(rows) + 1))
    assert [alert for window in windows for alert in alerts_of(window)] == []


SICK: dict[str, dict[str, float]] = {
    "reply_length_collapse": {"reply_tokens": 7.9},
    "reply_length_explosion": {"reply_tokens": 60.1},
    "entropy_collapse": {"entropy": 0.019},
    "mismatch_tail": {"mismatch_kl_p999": 0.11},
    "invalid_rate": {"invalid_rate": 0.26},
    "truncation": {"truncated_rate": 0.21},
    "zero_variance_groups": {"even_groups": 0.91},
    "gradient_spikes": {"grad_norm": 3.1},
    "kl_blow_up": {"magnet_kl": 1.6},
    "staleness": {"dropped/stale": 17.0},
}
JUST_WELL: dict[str, dict[str, float]] = {
    "reply_length_collapse": {"reply_tokens": 8.1},
    "reply_length_explosion": {"reply_tokens": 59.9},
    "entropy_collapse": {"entropy": 0.021},
    "mismatch_tail": {"mismatch_kl_p999": 0.09},
    "invalid_rate": {"invalid_rate": 0.24},
    "truncation": {"truncated_rate": 0.19},
    "zero_variance_groups": {"even_groups": 0.89},
    "gradient_spikes": {"grad_norm": 2.9},
    "kl_blow_up": {"magnet_kl": 1.4},
    "staleness": {"dropped/stale": 15.0},
}


def test_every_check_has_its_case() -> None:
    assert CHECKS.keys() == SICK.keys() == JUST_WELL.keys()


@pytest.mark.parametrize("kind", CHECKS)
def test_each_sickness_is_seen_at_its_threshold(kind: str) -> None:
    (alert,) = alerts_of(records(50, 41, SICK[kind]))
    assert (alert.step, alert.kind) == (50, kind)
    assert alert.text[-1] == "."
    assert alert.text.count(". ") >= 1, "what was seen, then what to do"
    assert alerts_of(records(50, 41, JUST_WELL[kind])) == []


@pytest.mark.parametrize("kind", CHECKS)
def test_a_few_odd_steps_are_no_sickness(kind: str) -> None:
    """Four of the latest ten; shares of episodes count by their number, so that a few of those are allowed less."""
    odd = {"dropped/stale": 15.0} if kind == "staleness" else SICK[kind]
    assert alerts_of(records(50, 47, odd)) == []


@pytest.mark.parametrize("kind", ["reply_length_collapse", "entropy_collapse", "gradient_spikes", "kl_blow_up"])
def test_without_a_past_nothing_is_compared(kind: str) -> None:
    assert alerts_of(records(29, 15, SICK[kind])) == []


def test_null_and_missing_figures_are_left_out() -> None:
    rows = records(50, 41, SICK["invalid_rate"])
    for row in rows[::3]:
        row["invalid_rate"] = None
    assert kinds(alerts_of(rows)) == {"invalid_rate"}
    assert alerts_of([{"step": step} for step in range(50)]) == []
    assert alerts_of([]) == []


def test_a_watch_tells_once_and_again_after_a_while(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    told = {row["step"]: watch.look(row) for row in records(130, 21, SICK["invalid_rate"])}
    first = min(step for step, found in told.items() if found)
    assert first == 26  # six of the latest ten are odd: a step earlier their median is still in between
    assert [step for step, found in told.items() if found] == [first, first + 51, first + 102]
    assert [alert.step for alert in read_alerts(tmp_path)] == [first, first + 51, first + 102]
    lines = (tmp_path / ALERTS).read_text().splitlines()
    assert json.loads(lines[0]).keys() == {"step", "kind", "text"}


def test_a_watch_goes_on_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    rows = records(100, 21, SICK["invalid_rate"])
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    for folder in (whole, cut):
        folder.mkdir()
    watch = Watch(whole)
    for row in rows:
        watch.look(row)
    watch = Watch(cut)
    for row in rows[:90]:
        watch.look(row)
    (cut / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:90]))
    watch = Watch(cut)
    watch.go_on_from(60)
    assert [alert.step for alert in read_alerts(cut)] == [26]
    for row in rows[60:]:
        watch.look(row)
    assert read_alerts(cut) == read_alerts(whole)


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    (tmp_path / ALERTS).write_text('{"step": 1, "kind": "x", "text": "y"}\n{"step": 2}\n')
    with pytest.raises(RunFolderError, match=r"line 2 of .*alerts\.jsonl is no alert"):
        read_alerts(tmp_path)


def test_progress_says_an_alert_at_once(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as stream, Progress(10, stream=stream, every=100) as progress:
        progress.update({"step": 3, "alerts": [{"step": 3, "kind": "truncation", "text": "Too long [0m]."}]})
    assert (tmp_path / "out").read_text().splitlines()[0] == "alert at step 3, truncation: Too long [0m]."


# --- real runs -----------------------------------------------------------------------------------------------------

TINY = (
    *("env=kuhn_poker", "steps=12", "games_per_step=16", "evaluation.every=0", "evaluation.games=4"),
    *("evaluation.final_games=4", "engine.device=cpu", "tensorboard=false", "model.sft.games=40"),
)


def sick_run(folder: Path, *words: str) -> tuple[set[str], list[dict[str, Any]]]:
    """Kinds of alerts that such a run writes down, and what it shows."""
    shown: list[dict[str, Any]] = []
    train(run_settings(compose([*TINY, *words])), folder, observe=shown.append)
    return kinds(read_alerts(folder)), shown


def test_a_run_without_a_warm_start_is_told_of_its_invalid_replies(tmp_path: Path) -> None:
    found, shown = sick_run(tmp_path, "model.sft.steps=1", "algorithm.optimisation.learning_rate=1e-6")
    assert "invalid_rate" in found
    told = [alert["kind"] for record in shown for alert in record.get("alerts", ())]
    assert "invalid_rate" in told
    assert not any("alerts" in record for record in read_metrics(tmp_path)), "metrics stay numbers"
    page = write_report(tmp_path).read_text()
    assert "<h2>Alerts</h2>" in page
    assert "are no legal move. Warm the policy up" in page


def test_a_run_is_told_of_replies_that_are_cut_and_of_groups_that_are_all_alike(tmp_path: Path) -> None:
    """With one token a reply, every one of them forfeits: each game of a group ends the same way."""
    words = ("algorithm=grpo", "algorithm.group_size=4", "agent.opponent=random", "env.invalid=forfeit")
    found, _ = sick_run(tmp_path, *words, "model.sft.steps=5", "agent.sampling.max_tokens=1")
    assert {"truncation", "invalid_rate", "zero_variance_groups"} <= found


def test_thresholds_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Thresholds().recent = 3  # type: ignore[misc]
