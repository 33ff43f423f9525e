"""The profile of a step books time where it was spent, and its picture is drawn."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
profile_step = import_module("profile_step")

STEP = [("/x/run.py", "step"), ("/x/run.py", "_step")]
PLAY = [*STEP, ("/x/player.py", "play"), ("/x/agents/rollout.py", "collect")]
UPDATE = [*STEP, ("/x/run.py", "_update"), ("/x/learner.py", "update")]


@pytest.mark.parametrize(
    ("calls", "part"),
    [
        ([*PLAY, ("/x/agents/local.py", "receive"), ("/x/agents/decoder.py", "__call__")], "rollout/forward"),
        ([*PLAY, ("/x/agents/local.py", "_rows"), ("/t/modeling_qwen3.py", "forward")], "rollout/forward"),
        ([*PLAY, ("/x/agents/local.py", "receive"), ("/x/agents/kv.py", "reserve")], "rollout/sampling"),
        ([*PLAY, ("/x/agents/table.py", "ask"), ("/x/agents/context.py", "bridge")], "rollout/text"),
        ([*PLAY, ("/x/agents/table.py", "answer"), ("/x/envs/referee.py", "submit")], "rollout/games"),
        ([*PLAY, ("/x/agents/table.py", "episode")], "rollout/records"),
        ([*STEP, ("/x/algorithm.py", "judge"), ("/x/grpo.py", "credit")], "credit"),
        ([*STEP, ("/x/batch.py", "pack")], "pack"),
        ([*STEP, ("/x/metrics.py", "step_metrics")], "rest"),
        ([*STEP, ("/x/recorder.py", "after"), ("/t/modeling_qwen3.py", "forward")], "rest/forward"),
        ([*UPDATE, ("/t/_tensor.py", "backward"), ("/x/tree_attention.py", "backward")], "update/backward"),
        ([*UPDATE, ("/x/policy.py", "score"), ("/t/modeling_qwen3.py", "forward")], "update/forward"),
        ([*UPDATE, ("/x/policy.py", "score"), ("/x/kernels/logprobs.py", "token_scores")], "update/head"),
        ([*UPDATE, ("/x/learner.py", "_step"), ("/t/optim/adamw.py", "step")], "update/optimiser"),
        ([*UPDATE, ("/x/objective.py", "policy_objective")], "update/loss"),
        ([("/x/run.py", "step")], "rest"),
    ],
)
def test_time_is_booked_to_what_runs(calls: list[tuple[str, str]], part: str) -> None:
    assert "/".join(profile_step.part_of(calls)) == part


def test_a_sampler_books_the_time_that_has_passed() -> None:
    sampler = profile_step.Sampler()
    started = profile_step.time.process_time()
    with sampler:
        while profile_step.time.process_time() - started < 0.1:
            pass
    assert sum(sampler.spent.values()) == pytest.approx(0.1, abs=0.03)
    assert sampler.spent.keys() == {("rest",)}


def test_boxes_lie_side_by_side_below_what_they_are_part_of(tmp_path: Path) -> None:
    spent = {"rollout/games": 1.0, "rollout/forward": 3.0, "credit": 0.5, "update/backward": 2.0, "rest": 0.5}
    assert list(profile_step.boxes(spent)) == [
        ("step", 0, 0.0, 7.0),
        ("rollout", 1, 0.0, 4.0),
        ("forward", 2, 0.0, 3.0),
        ("games", 2, 3.0, 1.0),
        ("credit", 1, 4.0, 0.5),
        ("update", 1, 4.5, 2.0),
        ("backward", 2, 4.5, 2.0),
        ("rest", 1, 6.5, 0.5),
    ]
    rows = [
        {"workload": "kuhn", "state": state, "step_ms": 7.0, "in_model": 5 / 7, "ms": spent}
        for state in ("before", "after")
    ]
    profile_step.draw(rows, tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_size > 10_000
