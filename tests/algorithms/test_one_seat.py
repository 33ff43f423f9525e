"""A game of one seat trains, and is judged by its mean return."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from turnwise.algorithms.compose import compose, dump_config, run_settings
from turnwise.algorithms.evaluation.folder import evaluate_folder
from turnwise.algorithms.trainer import train
from turnwise.envs.core import IllegalAction, Step, TextGame
from turnwise.envs.registry import GAMES, GameSpec


class CallTheDigit(TextGame):
    """The observation names a digit; calling it is worth 1."""

    seats = ("player_0",)
    utility_bounds = (0.0, 1.0)

    def start(self, rng: np.random.Generator) -> None:
        self.digit, self.seat = str(rng.integers(3)), "player_0"

    def observe(self, seat: str) -> str:
        return f"digit {self.digit}"

    def legal(self) -> Sequence[str]:
        return ("0", "1", "2")

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction("a digit from 0 to 2")
        self.seat = None
        return Step({"player_0": float(action == self.digit)}, terminated=True)


@pytest.fixture
def one_seat(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    module = types.ModuleType("call_the_digit")
    module.CallTheDigit = CallTheDigit  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "call_the_digit", module)
    spec = GameSpec(id="CallTheDigit-LLM", entry_point="call_the_digit:CallTheDigit")
    monkeypatch.setitem(GAMES, spec.id, spec)
    yield spec.id


def overrides(env_id: str) -> list[str]:
    model = ["model.tiny.init_std=0.1", "model.sft.steps=60", "model.sft.games=200"]
    algorithm = ["algorithm.magnet.weight=0", "algorithm.optimisation.mean_decay=0.9"]
    sizes = ["steps=60", "games_per_step=64", "evaluation.every=0", "evaluation.final_games=60"]
    return [f"env={env_id}", *model, *algorithm, *sizes]


def test_it_learns_to_read_the_digit(one_seat: str, tmp_path: Path) -> None:
    config = compose(overrides(one_seat))
    (tmp_path / "config.yaml").write_text(dump_config(config))
    summary = train(run_settings(config), tmp_path)
    assert abs(summary["mean_return_start"] - 1 / 3) < 0.15
    assert summary["mean_return"] > 0.5
    assert json.loads((tmp_path / "summary.json").read_text())["mean_return"] == summary["mean_return"]
    found = evaluate_folder(tmp_path, [], ["random"], games=60)
    assert found["mean_return"] > 0.5
    assert found["win_rates"] == []


def test_exact_and_win_rate_need_two_seats(one_seat: str, tmp_path: Path) -> None:
    settings = run_settings(compose([*overrides(one_seat), "evaluation.method=exact"]))
    with pytest.raises(ValueError, match="CallTheDigit-LLM has one"):
        train(settings, tmp_path)
