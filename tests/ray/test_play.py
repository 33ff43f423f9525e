"""Episodes that actors play: as in one process where they are in step, and of a bounded age where they are not."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from turnwise.algorithms.checkpoint import load_checkpoint, newest
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.launch.casting import troupe_of
from turnwise.algorithms.launch.cluster import cluster
from turnwise.algorithms.launch.player import versions_of
from turnwise.algorithms.ledger import check_ledger
from turnwise.algorithms.player import Cast, LocalPlayer, Played, Player
from turnwise.algorithms.reporting.runlog import flat, read_metrics
from turnwise.algorithms.trainer import train
from turnwise.records import Episode

Before = Callable[[int], None]
"""Called with the number of each step that is about to be played."""


class Watched:
    """A player, and all that it has handed to the learner: (version of the weights that learned, episodes)."""

    def __init__(self, player: Player, before: Before) -> None:
        self.player, self.before, self.version = player, before, 0
        self.seen: list[tuple[int, list[Episode]]] = []

    def play(self, step: int) -> Played:
        self.before(step)
        played = self.player.play(step)
        self.seen.append((self.version, played.episodes))
        return played

    def load_weights(self, weights: Any, version: int) -> None:
        self.version = version
        self.player.load_weights(weights, version)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.player, name)


def run(words: Sequence[str], folder: Path, before: Before = lambda step: None) -> tuple[Watched, list[str]]:
    """Train here, with a troupe of actors if they are asked for; returns the player, and what was said."""
    settings = run_settings(compose([*words]))
    said: list[str] = []
    players: list[Watched] = []

    def watched(cast: Cast, *parts: Any) -> Any:
        players.append(Watched(cast(*parts), before))
        return players[0]

    if settings.launcher.name == "local":
        train(settings, folder, cast=partial(watched, LocalPlayer))
        return players[0], said
    with cluster(settings.launcher) as group:
        troupe = troupe_of(settings, group, said.append, lambda: None)
        train(settings, folder, cast=partial(watched, troupe))
    return players[0], said


def figures(folder: Path) -> list[dict[str, Any]]:
    """The metrics that do not depend on who played."""
    return [
        {name: value for name, value in record.items() if name != "time" and not name.startswith("staleness/")}
        for record in read_metrics(folder)
    ]


def tokens(player: Watched) -> list[Any]:
    """What was said in every episode, by step."""
    return [
        [(episode.id, [turn.completion_ids for turn in episode.turns]) for episode in episodes]
        for _, episodes in player.seen
    ]


def state(folder: Path) -> dict[str, Any]:
    found = newest(folder)
    assert found is not None
    return load_checkpoint(found)


def test_in_step_with_a_league_it_is_the_run_of_one_process_though_an_actor_is_killed_in_its_middle(
    ray_cluster: Any, small: tuple[str, ...], tmp_path: Path
) -> None:
    killed: list[int] = []

    def before(step: int) -> None:
        if step == 3:
            killed.append(ray_cluster.kill_busy("Performer"))

    words = [*small, "agent=league", "agent.league.every=1", "agent.league.keep=2", "agent.league.scripted=[random]"]
    here, _ = run(words, tmp_path / "here")
    there, said = run([*words, "launcher=ray", "launcher.engines=2"], tmp_path / "there", before)
    assert tokens(there) == tokens(here)
    for mine, theirs in zip(figures(tmp_path / "here"), figures(tmp_path / "there"), strict=True):
        assert flat(theirs) == pytest.approx(flat(mine), rel=1e-5, abs=1e-5)  # batches of other sizes round otherwise
    weights = [state(tmp_path / name)["learner"]["model"] for name in ("here", "there")]
    for name, weight in weights[0].items():
        assert torch.allclose(weights[1][name], weight, rtol=1e-4, atol=1e-5), name
    assert len(killed) == 1
    (line,) = said
    assert "while it played part" in line
    assert line.endswith("of step 3 (8 episodes), which is played again; it is started again (1 of 3 times)")
    assert check_ledger(tmp_path / "there", 16) == {"steps": 6, "planned": 96, "trained": 96, "dropped": 0}
    told = [record["staleness/0"] for record in read_metrics(tmp_path / "there")[1:]]
    assert told == [sum(versions_of(episode) != [] for episode in episodes) for _, episodes in there.seen]
    met = [{name for episode in episodes for name in episode.seats.values()} for _, episodes in there.seen]
    assert "league-0" in met[0]
    assert met[5] <= {"policy", "league-4", "league-5", "random"}
    assert met[5] & {"league-4", "league-5"}
    assert "random" in set().union(*met)


@pytest.mark.slow
def test_an_actor_that_hangs_is_replaced_when_its_time_is_over(
    ray_cluster: Any, small: tuple[str, ...], tmp_path: Path, wait_for: Any
) -> None:
    def before(step: int) -> None:
        if step == 2:
            ray_cluster.actors("Performer")[0].send_signal(signal.SIGSTOP)

    _, said = run([*small, "launcher=ray", "launcher.play_timeout_s=60"], tmp_path / "run", before)
    assert said == [
        "engine 0 did not get done within 60 s while it played part 0 of step 2 (16 episodes), which is played again; "
        "it is started again (1 of 3 times)"
    ]
    assert check_ledger(tmp_path / "run", 16) == {"steps": 6, "planned": 96, "trained": 96, "dropped": 0}
    wait_for("its actors to end", lambda: ray_cluster.actors("Performer") == [])


def test_one_step_off_trains_every_episode_one_update_late(
    ray_cluster: Any, small: tuple[str, ...], tmp_path: Path
) -> None:
    words = [*small, "launcher=ray", "launcher.mode=one_step_off"]
    player, said = run(words, tmp_path / "run")
    assert said == []
    ages = [{version - v for episode in episodes for v in versions_of(episode)} for version, episodes in player.seen]
    assert ages == [{0}, *[{1}] * 5]
    assert [record["staleness/1"] for record in read_metrics(tmp_path / "run")[1:]] == [0.0, *[16.0] * 5]
    assert check_ledger(tmp_path / "run", 16) == {"steps": 6, "planned": 96, "trained": 96, "dropped": 0}


def test_ahead_of_the_learner_no_episode_is_older_than_the_bound(
    ray_cluster: Any, small: tuple[str, ...], tmp_path: Path
) -> None:
    words = [*small, "launcher=ray", "launcher.mode=async", "launcher.task_groups=4", "steps=12"]
    player, said = run(words, tmp_path / "run")
    assert said == []
    ages = [version - min(versions_of(episode)) for version, episodes in player.seen for episode in episodes]
    assert len(ages) == 12 * 16
    assert min(ages) >= 0
    assert 1 <= max(ages) <= 2
    records = read_metrics(tmp_path / "run")[1:]
    assert sum(record[f"staleness/{age}"] for record in records for age in range(3)) == 12 * 16
    assert max(record["staleness/max"] for record in records) == max(ages)
    assert check_ledger(tmp_path / "run") == {"steps": 12, "planned": 192, "trained": 192, "dropped": 0}
    assert state(tmp_path / "run")["player"] == {"planned": 12, "tasks": []}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["launcher.mode=async", "algorithm=ppo"], "launcher.mode=async trains on episodes of older weights"),
        (["algorithm=spo_chain"], "explore=spo_chain asks the learner for probabilities while it samples"),
        (["agent=league", "launcher.mode=async"], "launcher.mode=async plays ahead of that: set launcher.mode=sync"),
        (["algorithm=tppo"], "explore=windows keeps unfinished episodes from step to step"),
        (["launcher.mode=async", "launcher.engines=0"], "which needs actors that play"),
        (
            ["launcher.mode=asink"],
            "launcher.mode is one of sync, one_step_off, async: got 'asink'; did you mean 'async'?",
        ),
    ],
)
def test_what_engines_cannot_play_is_refused_in_one_line(refused: Any, words: list[str], text: str) -> None:
    assert text in refused("train", "launcher=ray", *words, "--dry-run")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["launcher.engine_cpus=99"], r"no room for 1 learners of .* and 1 engines of {'CPU': 99.0.* the cluster has"),
        (["launcher.nodes=3"], r"launcher.nodes=3 machines are wanted, and 1 came within 1 s"),
    ],
)
def test_without_room_it_says_what_was_wanted_and_what_there_is(ray_cluster: Any, words: list[str], text: str) -> None:
    launcher = run_settings(compose(["launcher=ray", "launcher.start_timeout_s=1", *words])).launcher
    with pytest.raises(ValueError, match=text), cluster(launcher):
        raise AssertionError
