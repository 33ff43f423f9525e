"""Which tasks are handed out when, and which are trained on: for any engines, be they fast, slow or lost. No actors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.agents.plan import Plan
from turnwise.algorithms.launch import player as launched
from turnwise.algorithms.launch.player import Agenda, RemotePlayer
from turnwise.algorithms.launch.settings import LauncherSettings
from turnwise.algorithms.launch.task import task_from_dict, tasks_of
from turnwise.algorithms.launch.troupe import Issue, Job
from turnwise.algorithms.player import Played
from turnwise.algorithms.world import ALONE
from turnwise.records import Episode, Turn

GROUPS, SIZE = 6, 2


@pytest.fixture(autouse=True, scope="module")
def at_once() -> Iterator[None]:
    """These engines work only when the player looks whether the run is to stop: let it look all the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launched, "_LOOK_S", 0.0)
        yield


def plans(step: int, attempt: int = 0) -> list[Plan]:
    """Six groups of two."""
    return [
        Plan(
            id=f"{step}{f'.{attempt}' * bool(attempt)}-{number}",
            env_id="KuhnPoker-LLM",
            seed=number,
            seats={"player_0": "policy"},
            group=f"{step}.{attempt}-{number // SIZE}",
        )
        for number in range(GROUPS * SIZE)
    ]


def test_a_step_is_cut_into_tasks_of_whole_neighbouring_groups() -> None:
    first, second = tasks_of(3, [plans(3), plans(3, 1)], 2)
    assert [plan.id for plan in first.plans] == [f"3-{number}" for number in range(6)]
    assert [plan.id for plan in second.plans] == [f"3-{number}" for number in range(6, 12)]
    assert [[plan.id for plan in more] for more in second.more] == [[f"3.1-{number}" for number in range(6, 12)]]
    assert task_from_dict(second.to_dict()) == second
    uneven = tasks_of(0, [plans(0)], 4)
    assert [len(task.plans) // SIZE for task in uneven] == [1, 2, 1, 2]


def played(job: Job) -> Played:
    """What an engine comes back with: one turn an episode, by the weights that it began with."""
    turn = Turn(seat="player_0", observation=(), text="pass", weight_version=((0, job.begun or 0),))
    episodes = [
        Episode(id=plan.id, env_id=plan.env_id, seed=0, seats=plan.seats, turns=(turn,), returns={"player_0": 0.0})
        for plan in job.task.plans
    ]
    return Played(episodes=episodes, planned=[plan.id for plan in job.task.plans], tokens=len(episodes))


class Engines:
    """Stands where a troupe does, and works when the player looks for something to do: a little, at random."""

    def __init__(self, count: int, seed: int, losses: float) -> None:
        self.rng, self.count, self.losses = np.random.default_rng(seed), count, losses
        self.latest = Issue(None, 0)
        self.jobs: list[Job] = []
        self.seen: list[Job] = []

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.seen.append(job)

    def renew(self, issue: Issue, *, at_once: bool) -> None:
        self.latest = issue

    def close(self) -> None:
        pass

    def work(self) -> None:
        self.jobs = [job for job in self.jobs if not job.done.done()]
        for job in self.jobs[: self.count]:
            if job.begun is None:
                job.begun = (job.issue or self.latest).version
            elif self.rng.random() < self.losses:  # its actor died: whoever plays it again begins with other weights
                job.begun = None
            elif self.rng.random() < 0.3:
                job.done.set_result(played(job))


def player_of(mode: str, engines: Engines, steps: int | None = None, **more: Any) -> RemotePlayer:
    settings = LauncherSettings(name="ray", mode=mode, **more)
    agenda = Agenda(plans, attempts=1, parts=3, steps=steps)
    return RemotePlayer(settings, agenda, lambda: engines, lambda packed: packed, ALONE, engines.work)  # type: ignore[arg-type, return-value]


@given(
    mode=st.sampled_from(["sync", "one_step_off", "async"]),
    count=st.integers(1, 8),
    bound=st.integers(1, 4),
    seed=st.integers(0, 2**31),
    losses=st.sampled_from([0.0, 0.2]),
)
def test_every_episode_is_trained_once_and_none_beyond_the_bound(
    mode: str, count: int, bound: int, seed: int, losses: float
) -> None:
    steps, engines = 8, Engines(count, seed, losses)
    player = player_of(mode, engines, steps, max_staleness=bound)
    ahead = {"sync": 0, "one_step_off": 1, "async": bound}[mode]
    trained: Counter[str] = Counter()
    for step in range(steps):
        found = player.play(step)
        assert len(found.episodes) == GROUPS * SIZE
        trained.update(episode.id for episode in found.episodes)
        assert found.dropped == {}
        assert found.metrics["staleness/max"] <= ahead
        assert sum(found.metrics[f"staleness/{age}"] for age in range(ahead + 1)) == GROUPS * SIZE
        out = len(player.state()["tasks"])
        assert out <= 3 * min(ahead, steps - step - 1)
        if mode != "async":
            assert {episode.id.split("-")[0] for episode in found.episodes} == {str(step)}
        player.load_weights(lambda: (), step + 1)
        engines.work()
    assert trained == Counter(plan.id for step in range(steps) for plan in plans(step))
    assert player.state() == {"planned": steps, "tasks": []}


def test_what_was_planned_and_not_trained_is_played_again_by_the_run_that_goes_on() -> None:
    player = player_of("async", Engines(2, 0, 0.0), max_staleness=2)
    trained = [episode.id for step in range(2) for episode in player.play(step).episodes]
    kept = player.state()
    assert kept["planned"] == 4
    again = player_of("async", Engines(2, 1, 0.0), max_staleness=2)
    again.load(kept)
    again.load_weights(lambda: (), 2)
    trained += [episode.id for step in range(2, 6) for episode in again.play(step).episodes]
    left = [raw["plans"][0]["id"].split("-")[0] for raw in again.state()["tasks"]]
    assert len(set(trained)) == len(trained) == 6 * GROUPS * SIZE
    assert {name.split("-")[0] for name in trained} | set(left) == set("01234567")


def test_what_comes_too_late_is_dropped_as_stale_and_made_up_for() -> None:
    class Stuck(Engines):
        def work(self) -> None:
            """The very first task is never done, and the second one late."""
            for job in [job for job in self.jobs if not job.done.done()]:
                job.begun = self.latest.version if job.begun is None else job.begun
                if job is not self.seen[0] and (job is not self.seen[1] or self.latest.version == 2):
                    job.done.set_result(played(job))

    engines = Stuck(9, 0, 0.0)
    player = player_of("async", engines, max_staleness=1, patience_s=0.0)
    for step in range(2):
        assert len(player.play(step).episodes) == 12
        player.load_weights(lambda: (), step + 1)
    engines.work()
    third = player.play(2)
    assert third.dropped == {"stale": [f"0-{number}" for number in range(8)]}
    assert len(third.episodes) == 12
    assert len(third.planned) == 20
    assert third.tokens == 12 + 4  # the second task's were sampled for nothing
    assert engines.seen[0].done.cancelled()


def test_an_engine_s_mistake_ends_the_run_with_its_own_words() -> None:
    class Wrong(Engines):
        def work(self) -> None:
            self.jobs[0].done.set_exception(ValueError("a plan needs the seats a, b"))

    with pytest.raises(ValueError, match="a plan needs the seats a, b"):
        player_of("sync", Wrong(1, 0, 0.0)).play(0)
