"""The end of a run: a last evaluation of the reported weights, sample games, summary.json and report.html."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from turnwise.algorithms.checkpoint import checkpoint_path
from turnwise.algorithms.evaluation.exams import Exam
from turnwise.algorithms.evaluation.measure import (
    FINAL,
    exact_evaluation,
    exact_to_report,
    return_figures,
    self_play,
    win_rate_evaluation,
    win_rate_figures,
)
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.games import of_game
from turnwise.algorithms.league import LEARNER
from turnwise.algorithms.metrics import episode_metrics
from turnwise.algorithms.reporting.report import write_report
from turnwise.algorithms.run import Run
from turnwise.records import Episode

SAMPLE_GAMES = 12


def finish(run: Run) -> dict[str, Any]:
    """Write evaluation.json, games.jsonl, summary.json and report.html; returns the summary."""
    found: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    lines: list[str] = []
    for exam in run.exams:
        games = self_play(exam.settings, run.reported, exam.settings.evaluation.final_games, FINAL)
        report, mine = _examined(run, exam, games)
        figures |= of_game(mine, exam.name)
        if exam.name:
            found.setdefault("others", {})[exam.name] = report
        else:
            found |= report
        lines += [episode.to_json() + "\n" for episode in games[: max(1, SAMPLE_GAMES // len(run.exams))]]
    summary = _summary(run, figures)
    write_atomically(run.run_dir / "evaluation.json", json.dumps(found, indent=1))
    write_atomically(run.run_dir / "games.jsonl", "".join(lines))
    write_atomically(run.run_dir / "summary.json", json.dumps(summary, indent=1) + "\n")
    write_report(run.run_dir)
    if run.log is not None:
        run.log.end(summary)
    return summary


def _examined(run: Run, exam: Exam, games: Sequence[Episode]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what evaluation.json holds, figures of the summary) of one exam; `games`: of the policy with itself."""
    settings = exam.settings
    found: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    if exam.method == "return":
        figures |= return_figures(games)
    else:
        rates = win_rate_evaluation(settings, run.reported, settings.evaluation.final_games)
        found |= {"win_rates": [rate.to_dict() for rate in rates]}
        figures |= win_rate_figures(rates)
    if exam.method == "exact":
        result = exact_evaluation(settings, run.reported, run.learner.reported, exam.game)
        found |= exact_to_report(result) | {"references": {"uniform": result.nash_conv_uniform, "equilibrium": 0.0}}
        figures |= {"nash_conv": result.nash_conv, "exploitability": result.exploitability}
        figures |= {"illegal_mass": result.illegal_mass_mean}
        if run.learner.mean is not None:
            last = exact_evaluation(settings, run.policy.agent, run.policy.model, exam.game)
            figures["nash_conv_last"] = last.nash_conv
    play = episode_metrics(games, LEARNER)
    figures["illegal_rate"] = play["invalid_rate"]
    return found, figures | {f"{status}_rate": play[f"{status}_rate"] for status in ("unparsable", "truncated")}


def _summary(run: Run, figures: dict[str, Any]) -> dict[str, Any]:
    settings = run.settings
    name, _ = run.headline
    stepping = run.seconds - run.evaluation_seconds
    outside = stepping - run.model_seconds
    best_step, best = run.best or (None, None)
    return {
        "name": settings.title,
        "env": settings.env.id,
        **({"other_games": ", ".join(exam.name for exam in run.exams[1:])} if len(run.exams) > 1 else {}),
        "algorithm": settings.algorithm.name,
        "model": settings.model.path or "tiny",
        "seed": settings.seed,
        "weights": "running mean" if run.learner.mean is not None else "last",
        f"{name}_start": run.start,
        **figures,
        f"{name}_best": best,
        "best_checkpoint": None if best_step is None else checkpoint_path(run.run_dir, best_step).name,
        "steps": run.steps_done,
        "games": run.games,
        "turns": run.turns,
        "tokens": run.tokens,
        "answered": run.answered,
        "dropped": run.dropped,
        "retried": run.retried,
        "seconds": run.seconds,
        "evaluation_seconds": run.evaluation_seconds,
        "model_seconds": run.model_seconds,
        "time_outside_model": outside / stepping if stepping else 0.0,
        "us_outside_model_per_turn": 1e6 * outside / max(run.turns, 1),
        "parameters": sum(p.numel() for p in run.policy.model.parameters()),
    }
