"""What a run leaves behind: metrics, baselines, checkpoints, summary, and the clock's account of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.checkpoint import load_checkpoint, newest, steps_saved
from turnwise.algorithms.collector import YOUNG, quiet_collector
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.algorithms.startup import make_opponent, saved_policy
from turnwise.algorithms.trainer import train

Command = Callable[..., Any]

TIMES = {"step", "rollout", "credit", "pack", "update", "model"}


def trained(run: Path, *words: str) -> dict[str, Any]:
    """Train with these settings; returns the summary."""
    return train(run_settings(compose(list(words))), run)


def test_the_summary_says_what_was_reached_and_what_it_took(finished_run: Path) -> None:
    summary = json.loads((finished_run / "summary.json").read_text())
    last = read_metrics(finished_run)[-1]
    assert summary["steps"] == 12
    assert summary["games"] == 12 * 16
    assert summary["turns"] == last["turns"] >= summary["games"]
    assert summary["nash_conv_start"] == read_metrics(finished_run)[0]["eval"]["nash_conv"]
    assert summary["nash_conv"] == last["eval"]["nash_conv"]
    assert summary["exploitability"] == pytest.approx(summary["nash_conv"] / 2)
    assert summary["weights"] == "running mean"
    assert 0 <= summary["illegal_rate"] <= 1
    assert (summary["env"], summary["algorithm"], summary["model"]) == ("KuhnPoker-LLM", "spiral", "tiny")


def test_the_summary_s_clock_adds_up(finished_run: Path) -> None:
    """What is outside the model is what a step took, less the model's share of it; evaluation counts apart."""
    summary = json.loads((finished_run / "summary.json").read_text())
    records = read_metrics(finished_run)[1:]
    assert summary["model_seconds"] == pytest.approx(sum(record["time"]["model"] for record in records))
    evaluation = sum(record["time"].get("evaluation", 0.0) for record in records)
    assert summary["evaluation_seconds"] == pytest.approx(evaluation)
    assert summary["seconds"] >= sum(record["time"]["step"] for record in records) + evaluation
    outside = summary["seconds"] - evaluation - summary["model_seconds"]
    assert summary["us_outside_model_per_turn"] == pytest.approx(1e6 * outside / summary["turns"])
    assert summary["time_outside_model"] == pytest.approx(outside / (summary["seconds"] - evaluation))
    assert summary["time_outside_model"] > 0


def test_every_step_is_logged_with_its_baselines_and_times(finished_run: Path) -> None:
    records = read_metrics(finished_run)
    assert [record["step"] for record in records] == list(range(13))
    assert [record["step"] for record in records if "eval" in record] == [0, 4, 8, 12]
    for record in records[1:]:
        assert record["games"] == 16 * record["step"]
        assert record["time"].keys() >= TIMES
        parts = sum(record["time"][name] for name in ("rollout", "credit", "pack", "update"))
        assert parts == pytest.approx(record["time"]["step"], abs=1e-6)
        assert record["time"]["model"] < record["time"]["step"]
        assert record["return/player_0"] == -record["return/player_1"]
        baselines = [record[f"baseline/KuhnPoker-LLM|player_{seat}"] for seat in (0, 1)]
        assert baselines[0] == pytest.approx(-baselines[1])  # zero-sum, and both decay alike


def test_the_baseline_is_the_decayed_mean_of_the_returns(finished_run: Path) -> None:
    """decay 0.95 over 16 games: what is kept of the old one is 0.95^16, so the new one lies between old and extreme."""
    records = read_metrics(finished_run)
    old = 0.0
    for record in records[1:]:
        new = record["baseline/KuhnPoker-LLM|player_0"]
        kept = 0.95**16
        assert -2 * (1 - kept) <= new - kept * old <= 2 * (1 - kept)
        old = new


def test_the_newest_checkpoints_and_the_best_are_kept(tmp_path: Path) -> None:
    words = ("steps=9", "games_per_step=4", "checkpoint_every=1", "checkpoints_kept=2", "evaluation.final_games=4")
    quick = ("model.sft.steps=2", "model.sft.games=50", "engine.device=cpu", "tensorboard=false")
    summary = trained(tmp_path, *words, *quick, "evaluation.every=2")
    evaluated = {r["step"]: r["eval"]["nash_conv"] for r in read_metrics(tmp_path)[1:] if "eval" in r}
    assert sorted(evaluated) == [2, 4, 6, 8, 9]  # at intervals and at the end
    best = min(evaluated, key=lambda step: evaluated[step])
    assert steps_saved(tmp_path) == sorted({best, 8, 9})
    assert summary["best_checkpoint"] == f"step-{best:06d}"
    assert summary["nash_conv_best"] == evaluated[best]


def test_the_checkpoint_holds_the_reported_weights_and_all_that_moves(finished_run: Path) -> None:
    last = newest(finished_run)
    assert last is not None
    state = load_checkpoint(last)
    assert state["steps_done"] == state["learner"]["updates"] == 12
    settings = run_settings(compose(["engine.device=cpu"]))
    reported = saved_policy(settings, last / "model").model.state_dict()
    mean, moving = state["learner"]["mean"], state["learner"]["model"]
    assert all(torch.equal(reported[name], mean[name]) for name in mean)
    assert not torch.equal(moving["model.embed_tokens.weight"], mean["model.embed_tokens.weight"])
    assert set(state["algorithm"]["credit.rae"]["baselines"]) == {"KuhnPoker-LLM|player_0", "KuhnPoker-LLM|player_1"}


def test_loaded_weights_lie_in_memory_of_their_own(finished_run: Path) -> None:
    """Aligned as those of a model that was never saved: what is askew is summed in another order."""
    settings = run_settings(compose(["engine.device=cpu"]))
    model = saved_policy(settings, finished_run / "checkpoints/step-000012/model").model
    assert {parameter.data_ptr() % 64 for parameter in model.parameters()} == {0}
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_who_watches_sees_every_record(tmp_path: Path) -> None:
    seen: list[dict[str, Any]] = []
    said: list[str] = []
    words = ["steps=2", "games_per_step=4", "model.sft.steps=1", "model.sft.games=20", "evaluation.final_games=4"]
    settings = run_settings(compose([*words, "engine.device=cpu", "tensorboard=false"]))
    train(settings, tmp_path, observe=seen.append, say=said.append)
    assert [record["step"] for record in seen] == [0, 1, 2]
    assert seen[0]["eval"]["nash_conv"] == read_metrics(tmp_path)[0]["eval"]["nash_conv"]
    layout = "the trainer forwards each distinct token of a batch once (layout=tree)"
    assert [line.split()[0] for line in said[:-1]] == ["memory", "together", "playing", "built", "warm"]
    assert said[-1] == layout
    said.clear()
    again = train(settings, tmp_path, say=said.append)
    assert said[2:] == ["going on after step 2", layout]
    assert again["steps"] == 2


QUICK = (
    *("steps=2", "games_per_step=8", "evaluation.games=4", "evaluation.final_games=4"),
    *("model.sft.steps=30", "model.sft.games=100", "engine.device=cpu", "tensorboard=false"),
)


def test_a_frozen_checkpoint_can_sit_opposite(finished_run: Path, tmp_path: Path) -> None:
    trained(tmp_path, *QUICK, "agent=fixed_opponent", f"agent.opponent={finished_run}")
    for record in read_metrics(tmp_path)[1:]:
        assert {"return/player_0", "return/player_1"} <= record.keys()  # four games from either seat
        assert record["return/player_0"] != -record["return/player_1"]  # not of the same games


def test_an_opponent_is_scripted_or_frozen(finished_run: Path) -> None:
    settings = run_settings(compose(["engine.device=cpu"]))
    frozen = make_opponent(settings, str(finished_run))
    assert frozen.name == make_opponent(settings, "optimal").name == "opponent"
    best = make_opponent(settings, str(finished_run / "checkpoints/step-000012"))
    assert all(
        torch.equal(one, other)
        for one, other in zip(frozen.engine.model.parameters(), best.engine.model.parameters(), strict=True)  # type: ignore[attr-defined]
    )


def test_a_game_too_large_to_enumerate_is_judged_by_games(tmp_path: Path) -> None:
    summary = trained(tmp_path, "env=tic_tac_toe", *QUICK, "evaluation.opponents=[first_legal,random]")
    assert read_metrics(tmp_path)[0]["eval"].keys() >= {"not_lost", "not_lost/first_legal", "win_rate/random"}
    assert summary["not_lost_start"] == read_metrics(tmp_path)[0]["eval"]["not_lost"]
    assert summary["not_lost_best"] == max(r["eval"]["not_lost"] for r in read_metrics(tmp_path)[1:] if "eval" in r)
    assert "nash_conv" not in summary


def test_exact_evaluation_of_such_a_game_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="OpenSpiel"):
        trained(tmp_path, "env=simple_negotiation", *QUICK, "evaluation.method=exact")


def test_one_seat_has_no_opponent() -> None:
    for words in (["agent=fixed_opponent"], ["agent=league"]):
        with pytest.raises(SettingsError, match="needs games of several seats: Wordle-LLM has one"):
            run_settings(compose([*words, "env=wordle"]))


def test_the_collector_is_quiet_during_a_run_only() -> None:
    import gc

    before = gc.get_threshold()
    with quiet_collector():
        assert gc.get_threshold()[0] == YOUNG
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
