"""What a run says of its recipe: every value in effect, also those that nobody wrote down."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turnwise.algorithms.effective import effective, effective_text
from turnwise.algorithms.recipes import AlgorithmSettings, Critic, Objective, Optimisation


def test_defaults_are_spelled_out() -> None:
    objective = Objective(corrections={"tis": {"cap": 3.0}, "veto": None})
    recipe = AlgorithmSettings(
        credit="gae", critic=Critic(kind="own"), objective=objective, optimisation=Optimisation(old_logprobs="trainer")
    )
    found = effective(recipe)
    assert found == json.loads(effective_text(recipe))
    assert [(part["stage"], part["name"]) for part in found["parts"]] == [
        ("explore", "independent"),
        ("credit", "gae"),
        ("guard", "clip"),
        ("corrections", "tis"),
        ("corrections", "veto"),
    ]
    assert found["parts"][1]["settings"]["lam"] == 0.95
    assert found["parts"][2]["settings"] == {"low": 0.2, "high": 0.2, "dual": None}
    assert [part["settings"] for part in found["parts"][3:]] == [{"cap": 3.0}, {"threshold": 0.0001}]
    assert found["critic"]["kind"] == "own"


def test_a_run_writes_them_down(command: Callable[..., Any], tmp_path: Path) -> None:
    run = tmp_path / "run"
    few = ("steps=1", "games_per_step=8", "model.sft.steps=2", "model.sft.games=8", "evaluation.final_games=2")
    done = command("train", *few, "algorithm=grpo", "tensorboard=false", f"run_dir={run}")
    assert done.exit_code == 0, done.output
    parts = {part["name"]: part["settings"] for part in json.loads((run / "recipe.json").read_text())["parts"]}
    assert parts["grpo"]["eps"] == 1e-6 and parts["clip"]["low"] == 0.2
