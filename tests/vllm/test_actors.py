"""vLLM in actors of a Ray cluster: it samples with the weights that the learner, in another process, has by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.launch.start import launch
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.algorithms.world import ALONE

SMALL = (
    *("launcher=ray", "engine=vllm", "model.tiny.head_dim=64", "engine.vllm.max_num_seqs=16", "engine.device=cpu"),
    *("steps=4", "games_per_step=16", "tensorboard=false", "algorithm.optimisation.learning_rate=0.01"),
    *("evaluation.every=0", "evaluation.final_games=20", "model.sft.steps=20", "model.sft.games=100"),
)


def test_what_an_actor_samples_is_what_the_learner_would_have_sampled(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path_factory.getbasetemp()))
    launch(run_settings(compose([*SMALL])), tmp_path / "run", lambda record: None, lambda line: None, ALONE)
    records = read_metrics(tmp_path / "run")[1:]
    assert len(records) == 4
    for record in records:
        assert record["staleness/0"] == 16
        assert record["mismatch_kl"] < 1e-6  # with the weights of the step before it is a thousand times that
        assert record["grad_norm"] > 0
