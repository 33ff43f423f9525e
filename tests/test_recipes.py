"""Every recipe trains three steps with the tiny model, and what its method is about happens in them."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from turnwise.algorithms.checkpoint import load_checkpoint, newest, steps_saved
from turnwise.algorithms.compose import options
from turnwise.algorithms.reporting.runlog import read_metrics

Command = Callable[..., Any]
Steps = Sequence[Mapping[str, Any]]
"""What was written of steps 1, 2, 3."""

SHORT = (
    *("engine.device=cpu", "steps=3", "games_per_step=16", "evaluation.every=0", "evaluation.games=4"),
    *("evaluation.final_games=4", "tensorboard=false", "checkpoints_kept=9", "model.sft.steps=0"),
)
TASKS = {
    "chain": ("env=tool_chain", "model.sft.teacher=expert"),
    "kuhn": ("env=kuhn_poker",),
    "toy": ("env=by_id", "env.id=ToyTools-LLM", "env.kwargs.prompt=compact", "model.sft.teacher=expert"),
}
"""Task -> its settings. The chain of look-ups has anchors, right answers and solutions, the toy has tools."""
WARM = ("engine.device=cpu", "model.sft.games=200", "model.sft.batch=64", "model.sft.steps=70")
"""So that some episodes end well, and some do not."""
TWICE = ("algorithm.optimisation.epochs=2",)
"""In the second epoch the ratio has left 1."""


class Trial(NamedTuple):
    """Where a recipe is tried, and what has to be seen there."""

    task: str
    seen: Callable[[Steps], bool]
    words: tuple[str, ...] = ()


def total(steps: Steps, name: str) -> float:
    return sum(step[name] for step in steps)


def every(name: str, low: float, high: float = math.inf) -> Callable[[Steps], bool]:
    """Whether a figure lies strictly between these in every step."""
    return lambda steps: all(low < step[name] < high for step in steps)


def some(*names: str) -> Callable[[Steps], bool]:
    """Whether every one of these figures is above 0 in some step."""
    return lambda steps: all(max(step[name] for step in steps) > 0 for name in names)


def once_shown(steps: Steps) -> bool:
    """Demonstrations are learned from exactly where tasks were not solved."""
    shares = [step["demonstrate/shown_share"] for step in steps]
    return max(shares) > 0 and all(
        ("sft_loss" in step) == (share > 0) for step, share in zip(steps, shares, strict=True)
    )


def explained(steps: Steps) -> bool:
    """The critic predicts, and is told by how much it was wrong."""
    return every("value_loss", 0.0)(steps) and all(step["explained_variance"] <= 1 for step in steps)


def chosen(steps: Steps) -> bool:
    """Levels are drawn by what they taught."""
    chances = [value for name, value in steps[-1].items() if name.startswith("curriculum/chance/")]
    return len(chances) == 3 and math.isclose(sum(chances), 1.0) and max(chances) > 1 / 3


def baselines(steps: Steps) -> bool:
    """Either role has its own, and they are apart."""
    first, second = (steps[-1][f"baseline/KuhnPoker-LLM|player_{seat}"] for seat in (0, 1))
    return first != second


PLAIN = every("grad_norm", 0.0)
CLIPPED = some("clip_fraction")
EAGER = ("algorithm.explore_settings.branch_probability=1",)
NUCLEUS = ("agent.sampling.top_p=0.9",)
"""What is sampled is not quite what is trained: there is something to correct."""
SMALL_GROUPS = ("algorithm.group_size=2",)
TRIALS = {
    "aepo": Trial(
        "chain", some("aepo/forks", "aepo/extra_tokens"), ("algorithm.explore_settings.branch_probability=0",)
    ),
    "alp": Trial("chain", PLAIN, TWICE),
    "arpo": Trial("chain", some("arpo/forks", "arpo/shared_tokens"), EAGER),
    "aspo_tool": Trial("toy", some("aspo_tool/eligible")),
    "bnpo": Trial("chain", some("beta_alpha", "beta_beta")),
    "canon": Trial("chain", every("mu", 0.4, 0.6)),
    "cispo": Trial("chain", CLIPPED, TWICE),
    "dapo": Trial("chain", lambda steps: total(steps, "dynamic/rounds") > 3, SMALL_GROUPS),
    "dppo": Trial("chain", CLIPPED, TWICE),
    "dr_grpo": Trial("chain", PLAIN),
    "gdpo": Trial("chain", lambda steps: total(steps, "format/mean_format") < 0),
    "gigpo": Trial("chain", lambda steps: 0 < total(steps, "anchors_alone") < len(steps)),
    "grpo": Trial("chain", PLAIN),
    "gspo": Trial("chain", CLIPPED, TWICE),
    "hapo": Trial("chain", every("fell_back", -1.0, 1.0), TWICE),
    "hpt": Trial("chain", once_shown, SMALL_GROUPS),
    "icepop": Trial("chain", every("correction_weight", 0.0, 1.0), NUCLEUS),
    "igpo": Trial("chain", some("gains", "gain_std")),
    "mis": Trial("chain", every("correction_weight", 0.0, 1.0), NUCLEUS),
    "opmd": Trial("chain", CLIPPED, TWICE),
    "optimal_token_baseline": Trial("chain", PLAIN),
    "par": Trial("chain", every("par/mean_par", 0.0, 1.0)),
    "pav": Trial("chain", some("pav/extra_tokens", "pav/progress")),
    "ppo": Trial("chain", lambda steps: explained(steps) and total(steps, "kl/mean_kl") != 0.0),
    "rebn": Trial("kuhn", PLAIN),
    "reinforce": Trial("kuhn", PLAIN),
    "rloo": Trial("chain", PLAIN),
    "sapo": Trial("chain", PLAIN, TWICE),
    "sec": Trial("chain", chosen),
    "spiral": Trial("kuhn", baselines),
    "spo_chain": Trial("chain", some("spo_chain/extra_tokens", "valued_states")),
    "spo_tree": Trial("chain", some("spo_tree/shared_tokens", "root_value", "replayed_turns")),
    "tis": Trial("chain", every("correction_weight", 0.0, 1.0), NUCLEUS),
    "toolrl": Trial("toy", lambda steps: total(steps, "toolrl/mean_toolrl_correctness") != 0.0),
    "topr": Trial("kuhn", every("effective_positive_share", 0.0, 1.0)),
    "tppo": Trial(
        "chain", some("windows/unfinished", "windows/resumed", "value_loss"), ("algorithm.explore_settings.window=4",)
    ),
    "trust_masks": Trial("chain", some("correction_masked"), TWICE),
    "turn_ppo": Trial("chain", explained),
}
"""Recipe -> its trial."""


@pytest.fixture(scope="module")
def warm(command: Command, toy_tools: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`warm("chain")`: the folder of a tiny model that has a notion of the task."""
    root = tmp_path_factory.mktemp("warm")

    def model(task: str) -> Path:
        if not (root / task).exists():
            done = command("sft", "--out", root / task, *TASKS[task], *WARM)
            assert done.exit_code == 0, done.output
        return root / task

    return model


@pytest.fixture
def train(
    command: Command, warm: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """`train("grpo", ...)`: the folder of a run, without its report, which takes as long as the rest of it."""
    monkeypatch.setattr("turnwise.algorithms.summary.write_report", lambda run: run)

    def run(recipe: str, *words: str) -> Path:
        task, _, own = TRIALS[recipe]
        given = (*SHORT, f"algorithm={recipe}", *TASKS[task], f"model.path={warm(task)}", *own, *words)
        done = command("train", *given, f"run_dir={tmp_path / 'run'}")
        assert done.exit_code == 0, done.output
        return tmp_path / "run"

    return run


def test_no_recipe_is_left_out() -> None:
    assert sorted(TRIALS) == options("algorithm")


@pytest.mark.parametrize("recipe", options("algorithm"))
def test_a_recipe_trains(recipe: str, train: Callable[..., Path]) -> None:
    run = train(recipe)
    start, *steps = read_metrics(run)
    assert start["step"] == 0
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert all(math.isfinite(step[name]) for step in steps for name in ("loss", "grad_norm", "entropy"))
    assert max(step["grad_norm"] for step in steps) > 1e-3
    assert all(step["tokens"] > 0 and 0.0 <= step["clip_fraction"] <= 1.0 for step in steps)
    assert TRIALS[recipe].seen(steps), steps
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["steps"], summary["algorithm"]) == (3, recipe)


def test_the_noise_learns_how_large_it_is(train: Callable[..., Path]) -> None:
    run = train("alp", "algorithm.noise.learning_rate=0.1")
    first, last = (load_checkpoint(run / f"checkpoints/step-{step:06d}")["learner"]["noise"] for step in (0, 3))
    assert first.keys() == last.keys() != set()
    moved = [float((last[name] - first[name]).abs().max()) for name in first]
    assert all(0.0 < size < 1.0 for size in moved), moved


# --- what a resumed run needs ----------------------------------------------------------------------------------------

KEPT = {
    "tppo": (),
    "ppo": (),
    "sec": (),
    "opmd": ("algorithm.credit_settings.drop_surplus=true",),
    "spo_tree": (),
    "spiral": (),
}
"""Recipes with a state of their own: replies that were cut, a critic, a bandit, draws, a replay buffer, baselines."""


@pytest.mark.parametrize("recipe", KEPT)
def test_a_run_that_goes_on_ends_as_one_left_alone(
    recipe: str, train: Callable[..., Path], command: Command, fingerprint: Callable[[Path], Any], tmp_path: Path
) -> None:
    whole = train(recipe, "steps=4", "checkpoint_every=2", *KEPT[recipe])
    assert steps_saved(whole) == [0, 2, 4]
    cut = tmp_path / "cut"
    shutil.copytree(whole, cut)
    last = newest(cut)
    assert last is not None
    shutil.rmtree(last)
    state = load_checkpoint(cut / "checkpoints/step-000002")
    assert state["algorithm"] | {"bandit": state["matchmaker"]["bandit"]}
    done = command("train", "--resume", cut)
    assert done.exit_code == 0, done.output
    assert fingerprint(cut) == fingerprint(whole)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
