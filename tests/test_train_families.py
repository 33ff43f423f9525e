"""One environment of every family trains a few steps, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.envs.registry import GAMES

OPTIONS = {
    "openspiel": ("env=goofspiel", "env.kwargs.num_cards=3"),
    "talk": ("env=truth_and_deception",),
    "words": ("env=mastermind",),
    "puzzles": ("env=guess_the_number",),
    "bandits": ("env=bandit", "env.kwargs.horizon=4"),
    "credit": ("env=bifurcation",),
    "kitchen": ("env=kitchen", "env.kwargs.ticks=4"),
    "minigrid": ("env=minigrid", "env.kwargs.max_steps=4"),
    "textworld": ("env=textworld", "env.kwargs.max_steps=4", "env.kwargs.games=1"),
    "alfworld": ("env=alfworld_simple", "env.kwargs.max_steps=12", "model.sft.teacher=expert"),
    "search": ("env=search_qa", "env.kwargs.size=200", "model.sft.teacher=expert"),
    "python": ("env=python_math", "env.kwargs.families=[divisible]", "model.sft.teacher=expert"),
    "tools": ("env=mcp_tools", "model.sft.teacher=expert"),
    "bridges": ("env=frozen_lake", "env.kwargs.max_steps=4"),
}
"""Family -> settings that make a run of it short."""
FEW = (
    *("model=tiny", "steps=2", "games_per_step=4", "model.sft.steps=4", "model.sft.games=8", "model.sft.batch=8"),
    *("evaluation.games=4", "evaluation.final_games=4", "tensorboard=false"),
)


def test_no_family_is_left_out() -> None:
    assert OPTIONS.keys() == {spec.family for spec in GAMES.values()}


@pytest.mark.parametrize("family", OPTIONS)
def test_a_family_trains(
    family: str,
    command: Callable[..., Any],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path_factory.getbasetemp() / "families-cache"))
    run = tmp_path / "run"
    done = command("train", *OPTIONS[family], *FEW, f"run_dir={run}")
    assert done.exit_code == 0, done.output
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["steps"], summary["games"]) == (2, 8)
    assert summary["turns"] >= 8 and (run / "report.html").is_file()
