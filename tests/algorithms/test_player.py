"""What a step trains on: whole groups of finished episodes; the others are left out and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from turnwise.agents.plan import Plan
from turnwise.algorithms.checkpoint import load_checkpoint
from turnwise.algorithms.checks import NothingPlayed
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.ledger import check_ledger, counts
from turnwise.algorithms.player import Played, merged, require_some, share_of, whole_groups
from turnwise.algorithms.reporting.runlog import read_metrics, read_records
from turnwise.algorithms.trainer import train
from turnwise.records import Episode

Build = Callable[..., Episode]


def test_a_group_that_lost_a_member_is_left_out_whole(episode: Build) -> None:
    games = [
        episode("01", {"0": 1.0, "1": 0.0}, id=name, group=group, status=status)
        for name, group, status in (
            *(("a", "g", "ok"), ("b", "h", "ok"), ("c", "g", "timeout"), ("d", "h", "truncated")),
            *(("e", None, "env_error"), ("f", None, "ok"), ("g", "g", "env_error")),
        )
    ]
    whole, dropped = whole_groups(games)
    assert [game.id for game in whole] == ["b", "d", "f"]
    assert dropped == {"group": ["a"], "timeout": ["c"], "env_error": ["e", "g"]}
    assert whole_groups(whole) == (whole, {})


def test_ranks_share_the_groups_and_leave_none_out() -> None:
    plans = [Plan(id=f"{i}", env_id="E", seed=0, stream=0, seats={}, group=f"{i // 2}") for i in range(10)]
    for size in (1, 2, 3, 5, 7):
        shares = [share_of(plans, rank, size) for rank in range(size)]
        assert [plan for share in shares for plan in share] == plans
        assert all(len({plan.group for plan in share}) * 2 == len(share) for share in shares)


def test_parts_of_a_step_add_up(episode: Build) -> None:
    parts = [
        Played(
            episodes=[episode("0", {"0": 1.0}, id=f"0-{i}")],
            metrics={"groups": 2.0, "rounds": 1.0 + i, "dropped_share": 0.5 * i},
            planned=[f"0-{i}", f"0-{i + 2}"],
            dropped={"timeout": [f"0-{i + 2}"]},
            retried=i,
            tokens=3,
            answered=2,
            model_seconds=1.0 + i,
        )
        for i in range(2)
    ]
    whole = merged(parts)
    assert [game.id for game in whole.episodes] == ["0-0", "0-1"]
    assert whole.planned == ["0-0", "0-2", "0-1", "0-3"]
    assert whole.dropped == {"timeout": ["0-2", "0-3"]}
    assert whole.metrics == {"groups": 4.0, "rounds": 1.5, "dropped_share": 0.25}
    assert (whole.retried, whole.tokens, whole.answered, whole.model_seconds) == (1, 6, 4, 2.0)


def test_a_step_of_failures_alone_says_so(episode: Build) -> None:
    lost = Played(episodes=[], planned=["0-0", "0-1"], dropped={"env_error": ["0-0"], "group": ["0-1"]})
    message = (
        r"none of the 2 episodes of step 7 can be trained on \(1 env_error, 1 group\); the failures are those of the "
        "environment or of the agents, see `turnwise check`"
    )
    with pytest.raises(NothingPlayed, match=message):
        require_some(lost, 7)
    some = Played(episodes=[episode("0", {"0": 1.0})], planned=["0-0", "0-1"], dropped=lost.dropped)
    none_wanted = Played(episodes=[], planned=["0-0"], dropped={"unused": ["0-0"]})
    assert [require_some(some, 7), require_some(none_wanted, 7)] == [some, none_wanted]


# --- in a run ----------------------------------------------------------------------------------------------------

WORDS = (
    *("env=by_id", "env.id=Flaky-LLM", "algorithm=spiral", "algorithm.group_size=2", "games_per_step=8", "steps=3"),
    *("evaluation.games=4", "evaluation.final_games=4", "evaluation.every=0", "model.sft.steps=5", "ledger=true"),
    *("model.sft.games=40", "engine.device=cpu", "tensorboard=false", "env.retries=1", "env.invalid=random_legal"),
)


@pytest.fixture
def trouble(flaky: str) -> Iterator[Counter[str]]:
    from flaky_game import TROUBLE

    TROUBLE.clear()
    yield TROUBLE
    TROUBLE.clear()


def task_of(step: int, group: int) -> str:
    """What the episodes of a group play: the first number that their game draws."""
    from turnwise.algorithms.games import arms_of
    from turnwise.algorithms.matchmaker import Matchmaker
    from turnwise.envs.referee import Referee
    from turnwise.envs.registry import make_game

    settings = run_settings(compose(WORDS))
    plans = Matchmaker(settings, arms_of(settings.env.games, every_level=False), None).plans(step)
    referee = Referee(make_game("Flaky-LLM"), invalid="forfeit", max_turns=None)
    referee.start(plans[2 * group].seed)
    return str(referee.game.task)


def run(folder: Path, *words: str) -> dict[str, Any]:
    return train(run_settings(compose([*WORDS, *words])), folder)


def baselines(folder: Path) -> Any:
    (state,) = [
        value
        for name, value in load_checkpoint(folder / "checkpoints/step-000003")["algorithm"].items()
        if name.startswith("credit.")
    ]
    return state


def test_failures_of_a_run_are_mended_or_left_out_with_their_group(trouble: Counter[str], tmp_path: Path) -> None:
    """One group fails once and is mended; of another one both members fail for good, and its step goes on without."""
    undisturbed = run(tmp_path / "undisturbed")
    assert (undisturbed["games"], undisturbed["dropped"], undisturbed["retried"]) == (24, 0, 0)
    trouble.update({task_of(1, 0): 1, task_of(2, 3): 99})
    summary = run(tmp_path / "disturbed")
    assert (summary["games"], summary["dropped"], summary["retried"]) == (22, 2, 3)
    first, second, third = read_metrics(tmp_path / "disturbed")[1:]
    assert (first["planned"], first["trained"], first["retried"]) == (8, 8, 0)
    assert (second["planned"], second["trained"], second["retried"], "dropped/env_error" in second) == (8, 8, 1, False)
    assert (third["planned"], third["trained"], third["dropped/env_error"], third["dropped"]) == (8, 6, 2, 2)
    lines = read_records(tmp_path / "disturbed/ledger.jsonl")
    assert lines[2]["dropped"] == {"env_error": ["2-6", "2-7"]}
    assert counts(lines[2]) == {"planned": 8.0, "trained": 6.0, "dropped/env_error": 2.0}
    totals = check_ledger(tmp_path / "disturbed", games_per_step=8)
    assert totals == {"steps": 3, "planned": 24, "trained": 22, "dropped": 2}


def test_baselines_move_by_what_is_trained_on_and_by_nothing_else(trouble: Counter[str], tmp_path: Path) -> None:
    run(tmp_path / "undisturbed")
    whole = baselines(tmp_path / "undisturbed")
    assert whole["counts"] == {"Flaky-LLM|player_0": 24, "Flaky-LLM|player_1": 24}
    trouble.update({task_of(0, 1): 1, task_of(2, 2): 1})
    run(tmp_path / "mended")
    assert baselines(tmp_path / "mended") == whole
    trouble.update({task_of(2, 3): 99})
    run(tmp_path / "less")
    less = baselines(tmp_path / "less")
    assert less["counts"] == {"Flaky-LLM|player_0": 22, "Flaky-LLM|player_1": 22}
    assert less["baselines"].keys() == whole["baselines"].keys()


def test_a_run_that_can_play_nothing_ends_in_one_line(
    trouble: Counter[str], tmp_path: Path, refused: Callable[..., str]
) -> None:
    trouble.update({task_of(0, group): 99 for group in range(4)})
    message = refused("train", *WORDS, f"run_dir={tmp_path / 'run'}")
    assert "none of the 8 episodes of step 0 can be trained on (8 env_error)" in message
