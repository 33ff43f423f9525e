"""`turnwise train engine=vllm`: vLLM samples, the trainer's weights go into it after every update, and it learns."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.reporting.runlog import read_metrics

Command = Callable[..., Any]

SMALL = (
    *("engine=vllm", "engine.vllm.kv_cache_gb=0.0625", "steps=6", "games_per_step=32", "checkpoint_every=3"),
    *("evaluation.every=0", "evaluation.final_games=20", "model.sft.steps=40", "model.sft.games=100"),
    *("algorithm.optimisation.learning_rate=0.003", "tensorboard=false"),
)
SHORT = (
    *("engine=vllm", "games_per_step=256", "evaluation.every=40", "evaluation.final_games=200"),
    *("model.sft.steps=150", "model.sft.games=500", "tensorboard=false"),
    *("algorithm.optimisation.learning_rate=0.001", "algorithm.optimisation.final_learning_rate=0.0002"),
    *("algorithm.optimisation.learning_rate_shape=geometric", "algorithm.optimisation.learning_rate_hold=0"),
    *("algorithm.optimisation.beta1=0", "algorithm.optimisation.beta2=0.99", "algorithm.optimisation.mean_decay=0.9"),
    *("algorithm.magnet.reference=initial", "algorithm.magnet.weight=0.1", "algorithm.magnet.final_weight=0.03"),
)
"""Self-play at a large step. After 80 steps, seeds 0 and 1 ended at a NashConv of 0.18 and 0.16."""


def trained(command: Command, run: Path, *words: str) -> list[dict[str, Any]]:
    """The records of the steps of a run."""
    done = command("train", *words, f"run_dir={run}")
    assert done.exit_code == 0, done.output
    return [record for record in read_metrics(run) if record["step"]]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("agent.sampling.temperature=0.7",),
        ("agent.sampling.temperature=1.5", "algorithm.optimisation.old_logprobs=trainer"),
        ("model.lora.rank=4",),
        ("engine.vllm.in_flight=continue", "engine.vllm.sleep=true"),
    ],
    ids=lambda words: " ".join(words) or "plain",
)
def test_sampler_and_trainer_agree_after_every_update(words: tuple[str, ...], command: Command, tmp_path: Path) -> None:
    """To float32, through steps of 0.003 in every weight: were the sampler one update behind, it would be seen."""
    records = trained(command, tmp_path / "run", *SMALL, *words)
    assert len(records) == 6
    for record in records:
        assert 0 < record["mismatch_kl"] < 1e-9
        assert record["mismatch_kl"] <= record["mismatch_kl_p999"] < 1e-7
        assert record["grad_norm"] > 0


def test_an_engine_that_is_an_update_behind_would_be_seen(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from turnwise.agents.vllm.engine import VllmEngine

    load = VllmEngine.load
    monkeypatch.setattr(VllmEngine, "load", lambda self, weights, version: load(self, list, version))
    records = trained(command, tmp_path / "run", *SMALL)
    assert records[0]["mismatch_kl"] < 1e-9
    assert min(record["mismatch_kl"] for record in records[1:]) > 1e-5


def test_bfloat16_is_reported_as_what_it_is(command: Command, tmp_path: Path) -> None:
    """The engine computes in bfloat16 and so does the trainer, each with kernels of its own."""
    records = trained(command, tmp_path / "run", *SMALL, "engine.dtype=bfloat16")
    for record in records:
        assert 1e-8 < record["mismatch_kl"] < 1e-2
        assert record["mismatch_kl"] < record["mismatch_kl_p999"] < 1.0


def test_a_run_goes_on_with_the_weights_of_its_checkpoint(command: Command, tmp_path: Path) -> None:
    """As if it had been lost after the third of six steps."""
    run = tmp_path / "run"
    trained(command, run, *SMALL)
    shutil.rmtree(run / "checkpoints/step-000006")
    (run / "summary.json").unlink()
    done = command("train", "--resume", run)
    assert done.exit_code == 0, done.output
    records = [record for record in read_metrics(run) if record["step"]]
    assert [record["step"] for record in records] == [1, 2, 3, 4, 5, 6]
    assert all(record["mismatch_kl"] < 1e-9 for record in records)


def test_every_turn_says_which_weights_it_is_of(command: Command, tmp_path: Path) -> None:
    from turnwise.algorithms.player import LocalPlayer

    seen: list[set[Any]] = []
    play = LocalPlayer.play

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = play(self, *args, **kwargs)
        seen.append({turn.weight_version for episode in found.episodes for turn in episode.turns})
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalPlayer, "play", watched)
        trained(command, tmp_path / "run", *SMALL)
    assert seen == [{((0, step),)} for step in range(6)]


def test_a_minute_of_self_play_with_vllm_is_far_harder_to_exploit(command: Command, tmp_path: Path) -> None:
    records = trained(command, tmp_path / "run", *SHORT, "steps=80")
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert 0.7 < summary["nash_conv_start"] < 1.1
    assert summary["nash_conv"] < 0.45
    assert summary["illegal_rate"] < 0.05
    assert summary["games"] == 80 * 256
    assert max(record["mismatch_kl"] for record in records) < 1e-9


BAR = (
    *(*SHORT, "steps=160", "algorithm.optimisation.final_learning_rate=0.00005"),
    "algorithm.optimisation.mean_decay=0.97",
)


@pytest.mark.slow
def test_minutes_of_self_play_with_vllm_come_near_an_equilibrium(command: Command, tmp_path: Path) -> None:
    """The bar of the local engine's default run: `make test-vllm ARGS="-m slow"`."""
    records = trained(command, tmp_path / "run", *BAR)
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["nash_conv_start"] > 0.6
    assert summary["nash_conv"] <= 0.15
    assert summary["illegal_rate"] < 0.02
    assert max(record["mismatch_kl"] for record in records) < 1e-9
