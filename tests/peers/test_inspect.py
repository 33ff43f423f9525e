"""Our logs, read by Inspect itself; and what Inspect writes of them, read by us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import list_eval_logs, read_eval_log, read_eval_log_sample_summaries, write_eval_log

from turnwise.interchange import read_episodes, write_episodes
from turnwise.records import Episode, Message, Turn

IMPOSSIBLE: dict[str, Any] = {"logprobs": (float("-inf"),), "completion_ids": (3,)}


def game(name: str, value: float) -> Episode:
    turns = (
        Turn(seat="a", observation=(Message("system", "Rules."), Message("user", "You hold ♠K.")), text="I bet. [bet]"),
        Turn(seat="b", observation=(Message("user", "a bets."),), text="</x> [fold]", status="illegal"),
        Turn(
            seat="a",
            observation=(Message("user", "b errs."),),
            text="[bet]",
            logprobs=(float("-inf"),),
            completion_ids=(3,),
        ),
    )
    seats, returns = {"a": "policy", "b": "random"}, {"a": value, "b": -value}
    return Episode(id=name, env_id="G/Poker-LLM", seats=seats, turns=turns, returns=returns, ground_truth="K", seed=7)


EPISODES = [game("run/0.1", 1.0), game("run/0.2", -2.0), game("run/0.2", 0.5)]


@pytest.mark.parametrize("ending", [".eval", ".json"])
def test_inspect_reads_our_log(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"log{ending}"
    write_episodes(path, EPISODES)
    log = read_eval_log(str(path))
    assert (log.status, log.eval.task, log.eval.model) == ("success", "G/Poker-LLM", "turnwise/policy")
    assert log.results is not None
    assert log.results.scores[0].metrics["mean"].value == pytest.approx(-0.5 / 3)
    assert log.samples is not None
    assert [(sample.id, sample.epoch) for sample in log.samples] == [("run/0.1", 1), ("run/0.2", 1), ("run/0.2", 2)]
    first = log.samples[0]
    assert [message.role for message in first.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert first.messages[2].text == "I bet. [bet]"
    assert (first.output.completion, first.target) == ("[bet]", "K")
    assert first.scores is not None
    assert first.scores["return"].value == 1.0
    assert first.scores["return"].metadata == {"a": 1.0, "b": -1.0}


def test_inspect_lists_our_log_and_its_samples(tmp_path: Path) -> None:
    write_episodes(tmp_path / "2026_game.eval", EPISODES)
    (found,) = list_eval_logs(str(tmp_path))
    summaries = read_eval_log_sample_summaries(found)
    assert [(summary.id, summary.scores["return"].value) for summary in summaries if summary.scores] == [
        ("run/0.1", 1.0),
        ("run/0.2", -2.0),
        ("run/0.2", 0.5),
    ]


@pytest.mark.parametrize("ending", [".eval", ".json"])
def test_episodes_survive_inspect(tmp_path: Path, ending: str) -> None:
    """Ours, written again by Inspect in its own way."""
    write_episodes(tmp_path / f"ours{ending}", EPISODES)
    again = tmp_path / f"theirs{ending}"
    write_eval_log(read_eval_log(str(tmp_path / f"ours{ending}")), str(again))
    assert read_episodes(again) == EPISODES
