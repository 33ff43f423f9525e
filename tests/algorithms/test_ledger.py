"""Every planned episode is trained on once, or left out for a reason; whatever else is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.ledger import LEDGER, Unaccounted, check_ledger, counts, entry, planned_id, with_unused
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.algorithms.trainer import train


@pytest.mark.parametrize(
    ("episode", "plan"),
    [
        *(("4-7", "4-7"), ("4.1-7", "4.1-7"), ("4-7@1", "4-7"), ("4-7-shown", "4-7"), ("4-7.12", "4-7")),
        *(("4-7+2.0.1", "4-7"), ("named", "named")),
    ],
)
def test_an_episode_tells_which_plan_it_comes_from(episode: str, plan: str) -> None:
    assert planned_id(episode) == plan


def test_plans_of_which_nothing_came_back_are_unused(episode: Callable[..., Any]) -> None:
    episodes = [episode("0", {"0": 1.0}, id=name) for name in ("0-0", "0-1@3")]
    planned = ["0-0", "0-1", "0-2", "0-3"]
    assert with_unused(planned, episodes, {"timeout": ["0-3"]}) == {"timeout": ["0-3"], "unused": ["0-2"]}
    assert with_unused(planned[:2], episodes, {}) == {}


def test_a_step_that_adds_up() -> None:
    line = entry(3, ["2-0", "2-1", "2-2"], ["2-0", "2-0.1"], {"env_error": ["2-1"], "group": ["2-2"]})
    assert counts(line) == {"planned": 3.0, "trained": 2.0, "dropped/env_error": 1.0, "dropped/group": 1.0}


@pytest.mark.parametrize(
    ("trained", "dropped", "message"),
    [
        (["2-0", "2-0"], {"group": ["2-1"]}, "step 3 counts episode 2-0 twice"),
        (["2-0", "2-1"], {"group": ["2-1"]}, "step 3 counts episode 2-1 twice"),
        (["2-0"], {"a": ["2-1"], "b": ["2-1"]}, "step 3 counts episode 2-1 twice"),
        (["2-0"], {}, "step 3 planned episode 2-1, and neither trains on it nor says why not"),
        ([], {}, "step 3 planned episode 2-0 and 1 more, and neither"),
    ],
)
def test_a_step_that_does_not_add_up(trained: list[str], dropped: dict[str, list[str]], message: str) -> None:
    with pytest.raises(Unaccounted, match=message):
        entry(3, ["2-0", "2-1"], trained, dropped)


def written(folder: Path, lines: list[dict[str, Any]]) -> Path:
    (folder / LEDGER).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def line(step: int, trained: list[str], **more: Any) -> dict[str, Any]:
    return {"step": step, "planned": trained, "trained": trained, "dropped": {}} | more


def test_a_ledger_that_adds_up_over_its_steps(tmp_path: Path) -> None:
    lines = [line(1, ["0-0", "0-1"]), line(2, ["1-0"], planned=["1-0", "1-1"], dropped={"timeout": ["1-1"]})]
    totals = {"steps": 2, "planned": 4, "trained": 3, "dropped": 1}
    assert check_ledger(written(tmp_path, lines)) == check_ledger(tmp_path, games_per_step=2) == totals


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(1, ["0-0"]), line(2, ["0-0"])], "has episode 0-0 planned in more than one step"),
        ([line(1, ["0-0"]), line(2, ["1-0", "0-0"], planned=["1-0"])], "has episode 0-0 trained in more than one step"),
        ([line(1, ["0-0"]), line(2, ["1-0"], dropped={"stale": ["0-0"]})], "has episode 0-0 both trained and left out"),
        ([line(1, ["0-0"]), line(3, ["2-0"])], "step 2 is missing in the ledger: step 3 stands in its place"),
        ([line(1, ["0-0"]), line(2, ["1-1"])], "step 2 has not planned episode 1-0"),
    ],
)
def test_a_ledger_that_does_not_add_up(lines: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    with pytest.raises(Unaccounted, match=message):
        check_ledger(written(tmp_path, lines), games_per_step=1)


def test_a_run_without_a_ledger_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"ledger.jsonl is not there: a run writes it with ledger=true"):
        check_ledger(tmp_path)


WORDS = (
    *("games_per_step=8", "steps=3", "evaluation.every=0", "evaluation.final_games=4", "evaluation.games=4"),
    *("model.sft.steps=5", "model.sft.games=40", "engine.device=cpu", "tensorboard=false", "ledger=true"),
)


@pytest.mark.parametrize(
    "recipe", ["algorithm=spiral", "algorithm=dapo algorithm.group_size=4", "algorithm=tppo", "algorithm=spo_tree"]
)
def test_whatever_the_way_of_sampling_every_plan_is_accounted_for(recipe: str, tmp_path: Path) -> None:
    train(run_settings(compose([*WORDS, *recipe.split()])), tmp_path)
    totals = check_ledger(tmp_path, games_per_step=8)
    records = read_metrics(tmp_path)[1:]
    assert totals["steps"] == len(records) == 3
    assert totals["planned"] == sum(record["planned"] for record in records) >= 24
    assert totals["trained"] == sum(record["trained"] for record in records) == records[-1]["games"]
    assert totals["dropped"] == sum(record.get("dropped/unused", 0) for record in records)
    assert records[-1]["dropped"] == 0
