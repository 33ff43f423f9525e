"""What a run keeps of its episodes: the numbers that they were trained with, and no change to any of those."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.algorithm import Judged
from turnwise.algorithms.batch import pack
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.recipes import Magnet, Objective, Optimisation
from turnwise.algorithms.recording.choose import chosen, is_due
from turnwise.algorithms.recording.folder import recorded
from turnwise.algorithms.recording.recorder import Recorder
from turnwise.algorithms.recording.settings import RecordingSettings
from turnwise.parquet import read_parquet
from turnwise.records import Episode

CONTEXT: Any = SimpleNamespace(tokenizer=SimpleNamespace(pad_token_id=0))
RATE = 0.01


def learner_of(model: Any, **objective: Any) -> Learner:
    optimisation = Optimisation(learning_rate=RATE, final_learning_rate=RATE, warmup_steps=0, mean_decay=0.0)
    clock = ModelClock(torch.device("cpu"))
    return Learner(model, optimisation, Objective(**objective), Magnet(weight=0.0), temperature=1.0, clock=clock)


@pytest.fixture
def judged(spoken: Callable[..., Episode]) -> Judged:
    """A game of the policy against somebody else, and another in which it spoke once."""
    first = spoken(("a", (1, 2), (3, 4)), ("b", (5,), (6, 7, 8)), ("a", (1, 2, 3, 4, 9), (10,)), id="x")
    first = replace(first, seats={"a": "policy", "b": "somebody"}, metadata={"mine": 1})
    second = spoken(("a", (1, 2), (3, 5)), id="y")
    return Judged([first, second], [[0.5, None, -0.25], [(1.0, -2.0)]], None, {})


def keep(learner: Learner, judged: Judged, folder: Path, step: int = 10, **settings: int) -> list[Episode]:
    """What is written down of a step in which an update is made."""
    recorder = Recorder(RecordingSettings(**settings), folder, learner, CONTEXT)
    kept = recorder.before(judged, step, last=False)
    batch = pack(judged.episodes, judged.advantages, pad_id=0)
    assert batch is not None
    learner.update(batch, 0.0)
    recorder.after(kept, step)
    files = list(recorded(folder / "episodes"))
    assert [number for number, _ in files] == ([step] if kept else [])
    return read_parquet(files[0][1]) if files else []


def test_the_columns_of_every_turn(
    new_model: Callable[..., Any], judged: Judged, tmp_path: Path, forward: Callable[..., Any]
) -> None:
    learner, before = learner_of(new_model()), new_model()
    first, second = keep(learner, judged, tmp_path)
    assert first.metadata == {"mine": 1, "step": 10, "kind": "train"}
    assert [turn.advantages for turn in first.turns] == [(0.5, 0.5), None, (-0.25,)]
    assert second.turns[0].advantages == (1.0, -2.0)
    others = first.turns[1]
    assert (others.train_logprobs, others.token_entropy, others.updated_logprobs) == (None, None, None)
    for turn in (first.turns[0], first.turns[2], second.turns[0]):
        ids = turn.prompt_ids + turn.completion_ids
        places = range(len(turn.prompt_ids) - 1, len(ids) - 1)
        with torch.no_grad():
            old, new = forward(before, ids), forward(learner.model, ids)
        assert turn.train_logprobs == pytest.approx([float(old[i, ids[i + 1]]) for i in places], abs=1e-5)
        assert turn.updated_logprobs == pytest.approx([float(new[i, ids[i + 1]]) for i in places], abs=1e-5)
        assert turn.token_entropy == pytest.approx([float(-(old[i].exp() * old[i]).sum()) for i in places], abs=1e-5)
        assert turn.updated_logprobs != pytest.approx(turn.train_logprobs, abs=1e-3), "the weights have moved"


def test_what_was_praised_is_likelier_after_the_update(
    new_model: Callable[..., Any], spoken: Callable[..., Episode], tmp_path: Path
) -> None:
    """One token of advantage 1: plain gradient ascent of its log-prob, so its ratio is above 1."""
    judged = Judged([spoken(("a", (1, 2), (3,)))], [[1.0]], None, {})
    (episode,) = keep(learner_of(new_model()), judged, tmp_path)
    (turn,) = episode.turns
    assert turn.updated_logprobs is not None and turn.train_logprobs is not None
    assert math.exp(turn.updated_logprobs[0] - turn.train_logprobs[0]) > 1.01


def test_advantages_are_those_of_the_batch(new_model: Callable[..., Any], judged: Judged, tmp_path: Path) -> None:
    batch = pack(judged.episodes, judged.advantages, pad_id=0)
    assert batch is not None
    trained = [float(x) for x in batch.advantages[batch.mask]]
    kept = keep(learner_of(new_model()), judged, tmp_path)
    written = [x for episode in kept for turn in episode.turns for x in turn.advantages or ()]
    assert sorted(written) == sorted(trained) == [-2.0, -0.25, 0.5, 0.5, 1.0]


def test_a_token_that_the_objective_leaves_out_has_no_advantage(
    new_model: Callable[..., Any], judged: Judged, tmp_path: Path
) -> None:
    """The sampler gave every token log p = -1, probability 0.37, but for one of 0.9."""
    (turn,) = judged.episodes[1].turns
    likely = replace(judged.episodes[1], turns=(replace(turn, logprobs=(-1.0, math.log(0.9))),))
    judged = Judged([judged.episodes[0], likely], judged.advantages, None, {})
    _, second = keep(learner_of(new_model(), probability_mask=0.8), judged, tmp_path)
    assert second.turns[0].advantages == (1.0, None)


def test_what_is_known_already_is_kept(new_model: Callable[..., Any], judged: Judged, tmp_path: Path) -> None:
    turns = tuple(replace(turn, train_logprobs=(-0.5,) * len(turn.completion_ids)) for turn in judged.episodes[1].turns)
    known = Judged([replace(judged.episodes[1], turns=turns)], [judged.advantages[1]], None, {})
    (found,) = keep(learner_of(new_model()), known, tmp_path)
    assert found.turns[0].train_logprobs == (-0.5, -0.5)
    assert found.turns[0].token_entropy is not None


def test_whole_groups_come_first(spoken: Callable[..., Episode]) -> None:
    groups = ["g", "g", "g", None, "h", "h", None]
    episodes = [replace(spoken(id=f"e{i}"), group=group) for i, group in enumerate(groups)]
    assert chosen(episodes, 16) == [0, 1, 2, 3, 4, 5, 6]
    assert chosen(episodes, 5) == [0, 1, 2, 3, 6], "h does not fit, the one after it does"
    assert chosen(episodes, 2) == [3, 6]
    assert chosen(episodes[:3], 2) == [0, 1], "no whole group fits"
    assert chosen([], 4) == []


def test_the_steps_that_are_kept() -> None:
    assert [step for step in range(1, 26) if is_due(step, 10, last=step == 25)] == [1, 10, 20, 25]
    assert not is_due(1, 0, last=True)


def test_nothing_is_kept_where_nothing_is_asked_for(
    new_model: Callable[..., Any], judged: Judged, tmp_path: Path
) -> None:
    assert keep(learner_of(new_model()), judged, tmp_path, every=0) == []
    assert not (tmp_path / "episodes").exists()


def unhurried(folder: Path) -> dict[int, list[Episode]]:
    """What a run has kept, without the time that the replies took."""
    return {
        step: [
            replace(episode, turns=tuple(replace(turn, seconds=None) for turn in episode.turns))
            for episode in read_parquet(path)
        ]
        for step, path in recorded(folder / "episodes")
    }


def test_recording_changes_no_number(
    finished_run: Path,
    small_run: tuple[str, ...],
    tmp_path: Path,
    command: Callable[..., Any],
    fingerprint: Callable[[Path], dict[str, Any]],
) -> None:
    done = command("train", *small_run, "recording.every=0", f"run_dir={tmp_path / 'run'}")
    assert done.exit_code == 0, done.output
    assert fingerprint(tmp_path / "run") == fingerprint(finished_run)
    assert not (tmp_path / "run/episodes").exists()
    kept = unhurried(finished_run)
    assert {step: len(episodes) for step, episodes in kept.items()} == {1: 16, 10: 16, 12: 16}
    turns = [turn for episodes in kept.values() for episode in episodes for turn in episode.turns]
    assert all(turn.observation[-1].content.startswith("card ") for turn in turns)
    assert all(turn.advantages and turn.updated_logprobs and turn.token_entropy for turn in turns)


def test_a_resumed_run_keeps_the_same_episodes(finished_run: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    run = shutil.copytree(finished_run, tmp_path / "run")
    for name in ("summary.json", "evaluation.json", "report.html"):
        (run / name).unlink()
    shutil.rmtree(run / "checkpoints/step-000012")
    (run / "episodes/step-000010.parquet").write_bytes(b"torn")
    shutil.copy(run / "episodes/step-000012.parquet", run / "episodes/step-000011.parquet")
    done = command("train", "--resume", run)
    assert done.exit_code == 0, done.output
    assert unhurried(run) == unhurried(finished_run)
