"""A simulation of engines, environments, queue and learner: checked against `scale.py`, then carried to many GPUs.

    python benchmarks/scale_model.py --json benchmarks/results/scale_model.json

Parts are workers that compute (sharing the cores there are) or let time pass, and hand episodes over in a queue. An
engine takes the next task, a share of a step's episodes, as soon as that step is no further ahead of the learner than
the mode allows. What each part takes is read from the rows of one worker in `benchmarks/results/scale.json`; the rows
of two workers, of nodes and of the other modes are predicted and compared. The plan for many GPUs is the same
simulation with the figures of `Planned`, each of which says where it comes from.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import print_table, save_result

RESULTS = Path(__file__).resolve().parent / "results"
TOLERANCE = 0.25
"""Largest error of a predicted step time, as a share of the measured one."""
STEPS = 40
"""That are simulated."""

Event = tuple[str, float]
"""("work", seconds of a core), ("pass", seconds), ("task", 0) and ("episodes", step): wait for a task, for a step's."""


@dataclass(frozen=True)
class Costs:
    """What the parts take of one step."""

    engine_work_s: float
    """Seconds of a core for all episodes of a step."""
    engine_pass_s: float
    """Seconds that pass by themselves for all episodes, one after the other in an engine."""
    task_s: float
    """Seconds of a core to hand a task out and its episodes back."""
    learner_s: float
    """Seconds of a core for the whole update, credit and packing, on one rank."""
    shared_s: float = 0.0
    """Of these, what every rank does alike."""
    exchange_s: float = 0.0
    """Seconds that ranks take to exchange weights and gradients, with more than one."""
    sync_s: float = 0.0
    """Seconds from the end of an update to its weights in the engines."""


@dataclass(frozen=True)
class Layout:
    """Who works, and how far ahead of the learner."""

    engines: int = 1
    learners: int = 1
    ahead: int = 0
    """Steps that may be played beyond the one that is learned."""
    cores: int = 2


class Cluster:
    """The state of one simulation: who waits for what, and what has been played and learned."""

    def __init__(self, layout: Layout, costs: Costs, steps: int) -> None:
        self.layout, self.costs, self.steps = layout, costs, steps
        self.tasks = deque(step for step in range(steps) for _ in range(layout.engines))
        self.shares = [0] * steps
        """Tasks of each step that have been played."""
        self.learned = 0
        self.started = [steps] * steps
        """What had been learned when the step's first task began: its staleness follows."""
        self.ends: list[float] = []
        """When each step was learned."""

    def engine(self) -> Iterator[Event]:
        layout, costs = self.layout, self.costs
        while self.tasks:
            yield "task", 0
            if not self.tasks:
                return
            step = self.tasks.popleft()
            self.started[step] = min(self.started[step], self.learned)
            yield "work", costs.task_s
            yield "work", costs.engine_work_s / layout.engines
            yield "pass", costs.engine_pass_s / layout.engines
            self.shares[step] += 1

    def learner(self) -> Iterator[Event]:
        layout, costs = self.layout, self.costs
        spread = (costs.learner_s - costs.shared_s) / layout.learners + costs.shared_s
        for step in range(self.steps):
            yield "episodes", step
            yield "work", spread
            if layout.learners > 1:
                yield "pass", costs.exchange_s
            yield "pass", costs.sync_s
            self.learned = step + 1
            self.ends.append(0.0)

    def may_go_on(self, event: Event) -> bool:
        """Whether what this worker waits for is there."""
        if event[0] == "task":
            return not self.tasks or self.tasks[0] <= self.learned + self.layout.ahead
        return self.shares[int(event[1])] == self.layout.engines


def simulate(layout: Layout, costs: Costs, steps: int = STEPS) -> dict[str, float]:
    """Seconds of a step, its staleness, and the shares of time in which engines and learner are at work."""
    cluster = Cluster(layout, costs, steps)
    workers = [cluster.engine() for _ in range(layout.engines)] + [cluster.learner()]
    doing: list[list[Any] | None] = [list(next(worker)) for worker in workers]
    busy = [0.0] * len(workers)
    ranks = {len(workers) - 1: layout.learners}
    now, ended = 0.0, 0
    while any(doing):
        moved = True
        while moved:
            moved = False
            for index, event in enumerate(doing):
                while event is not None and _over(event, cluster):
                    following = next(workers[index], None)
                    event = doing[index] = None if following is None else list(following)
                    moved = True
        while ended < len(cluster.ends):
            cluster.ends[ended] = now
            ended += 1
        at_work = [i for i, event in enumerate(doing) if event is not None and event[0] == "work"]
        passing = [i for i, event in enumerate(doing) if event is not None and event[0] == "pass"]
        if not at_work and not passing:
            break
        speed = min(1.0, layout.cores / sum(ranks.get(i, 1) for i in at_work)) if at_work else 1.0
        left = [doing[i][1] / speed for i in at_work] + [doing[i][1] for i in passing]  # type: ignore[index]
        step = min(left)
        for i in at_work:
            doing[i][1] -= step * speed  # type: ignore[index]
        for i in passing:
            doing[i][1] -= step  # type: ignore[index]
        for i in (*at_work, *passing):
            busy[i] += step
        now += step
    half, last = steps // 2, steps - 1 - layout.ahead  # engines have nothing left to play during the last steps
    later = range(half, steps)
    return {
        "step_s": (cluster.ends[last] - cluster.ends[half - 1]) / (last + 1 - half),
        "staleness": sum(step - cluster.started[step] for step in later) / len(later),
        "engines_busy": sum(busy[:-1]) / layout.engines / now,
        "learner_busy": busy[-1] / now,
    }


def _over(event: Sequence[Any], cluster: Cluster) -> bool:
    if event[0] in ("work", "pass"):
        return bool(event[1] <= 1e-12)
    return cluster.may_go_on((event[0], event[1]))


# --- checked against what was measured --------------------------------------------------------------------------------

AHEAD = {"one step off": 1, "async": 2}


def layout_of(setup: str, cores: int) -> Layout:
    """Of a row of `scale.py`."""
    what, _, mode = setup.partition(", ")
    engines = 2 if what in ("2 engines", "2 ranks", "2 nodes") else 1
    return Layout(engines, 2 if what in ("2 ranks", "2 learners") else 1, AHEAD.get(mode, 0), cores)


def calibrated(rows: dict[str, dict[str, Any]], wait_ms: float) -> Costs:
    """From the rows of one process, one engine and two learners. Negative differences are noise: they count as 0."""
    alone, apart, spread = (rows[name] for name in ("1 process", "1 engine", "2 learners"))
    passing = min(alone["turns"] * wait_ms / 1e3, alone["rollout_s"])
    shared = alone["credit_s"] + alone["pack_s"]
    learning = alone["step_s"] - alone["rollout_s"]
    return Costs(
        engine_work_s=alone["rollout_s"] - passing,
        engine_pass_s=passing,
        task_s=max(0.0, apart["rollout_s"] - alone["rollout_s"]),
        learner_s=learning,
        shared_s=shared,
        exchange_s=max(0.0, spread["update_s"] - alone["update_s"] / 2),
        sync_s=max(0.0, apart["step_s"] - apart["rollout_s"] - learning),
    )


KNOWN = ("1 process", "1 engine", "2 learners")
"""Rows that the costs are read from."""


def compared(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Measured and predicted step times of every row of a result of `scale.py`."""
    found = []
    for workload in dict.fromkeys(row["workload"] for row in result["rows"]):
        rows = {row["setup"]: row for row in result["rows"] if row["workload"] == workload}
        costs = calibrated(rows, result["size"]["wait_ms"] if workload == "waiting" else 0.0)
        for setup, row in rows.items():
            own = costs if setup not in ("1 process", "2 ranks") else replace(costs, task_s=0.0, sync_s=0.0)
            said = simulate(layout_of(setup, result["machine"]["cores"]), own)
            measured = row["mean_step_s"] if "," in setup else row["step_s"]
            found.append(
                {
                    "workload": workload,
                    "setup": setup,
                    "measured_s": measured,
                    "predicted_s": said["step_s"],
                    "error": said["step_s"] / measured - 1,
                    "staleness": said["staleness"],
                    "used_for": "costs" if setup in KNOWN else "check",
                }
            )
    return found


# --- carried to many GPUs ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """A number and where it comes from."""

    value: float
    source: str


@dataclass(frozen=True)
class Planned:
    """A run on paper: a model of 4 billion weights whose agents take turns with tools."""

    parameters: Figure = Figure(4.02e9, "Qwen3-4B's configuration")
    turns: Figure = Figure(8, "assumed workload: turns of an episode")
    sampled: Figure = Figure(200, "assumed workload: tokens of a reply")
    read: Figure = Figure(150, "assumed workload: tokens of an observation")
    decode: Figure = Figure(11_800, "assumed: half of the memory-bound floor of 23,600 tokens/s of one H200")
    train: Figure = Figure(10_500, "assumed: half of the compute-bound floor of 21,000 tokens/s of one H200")
    network: Figure = Figure(50e9, "assumed: bytes/s between nodes of 8 GPUs (400 Gb/s)")
    slow_turn_s: Figure = Figure(2.0, "assumed: time that passes in a tool at each turn")
    games_per_learner: Figure = Figure(64, "assumed: episodes of a step per GPU that learns")
    turn_cpu_s: Figure = Figure(0.0, "measured")
    episode_bytes: Figure = Figure(0.0, "measured")
    episode_cpu_s: Figure = Figure(0.0, "measured")


def measured_figures() -> Planned:
    """The figures of this machine: processor time of a turn, and bytes and time of an episode on its way."""
    turns = json.loads((RESULTS / "envs.json").read_text())["rows"]
    games = sorted(row["us_per_turn"] for row in turns if row.get("view") == "referee" and "us_per_turn" in row)
    step = json.loads((RESULTS / "train_step.json").read_text())["rows"][0]
    turn = (games[-1] + step["outside_us_per_turn"]) / 1e6
    size, seconds = on_its_way(Planned())
    return Planned(
        turn_cpu_s=Figure(
            turn, "measured: slowest game of envs.json, and what train_step.json spends outside the model"
        ),
        episode_bytes=Figure(size, "measured: a pickled episode of these turns"),
        episode_cpu_s=Figure(seconds, "measured: such an episode pickled, unpickled and packed for an update"),
    )


def on_its_way(planned: Planned) -> tuple[float, float]:
    """(bytes of an episode, seconds of a core to pickle it, unpickle it and pack it for an update)."""
    import pickle
    import time

    from turnwise.algorithms.batch import pack
    from turnwise.records import Episode, Turn

    sampled, read, count = int(planned.sampled.value), int(planned.read.value), 64
    episodes = []
    for number in range(count):
        turns, ids = [], (number,)
        for turn in range(int(planned.turns.value)):
            prompt = ids + tuple(range(turn, turn + read))
            said = tuple(range(number, number + sampled))
            fields = {"prompt_ids": prompt, "completion_ids": said, "logprobs": (-1.5,) * sampled}
            turns.append(Turn(seat="player_0", observation=(), text="a word " * sampled, **fields))
            ids = prompt + said
        known = {"env_id": "x", "seed": number, "seats": {"player_0": "policy"}, "returns": {"player_0": 1.0}}
        episodes.append(Episode(id=str(number), turns=tuple(turns), status="ok", **known))
    spent = []
    for _ in range(5):
        started = time.process_time()
        content = pickle.dumps(episodes)
        found = pickle.loads(content)
        pack(found, [[1.0] * len(episode.turns) for episode in found], pad_id=0)
        spent.append(time.process_time() - started)
    return len(content) / count, min(spent) / count


def plan(planned: Planned, gpus: int, *, spread: bool) -> dict[str, Any]:
    """One row: so many GPUs, shared between engines and learners so that neither waits, one step off.

    spread: not as it is built today, where one node sends float32 weights to all others and every learner handles all
    episodes, but weights in bfloat16 that go on from node to node, and learners that handle their own share.
    """
    figure = {name: getattr(planned, name).value for name in Planned.__dataclass_fields__}
    tokens = figure["turns"] * (figure["sampled"] + figure["read"])
    playing, learning = figure["turns"] * figure["sampled"] / figure["decode"], tokens / figure["train"]
    learners = max(1, round(gpus * learning / (playing + learning)))
    engines = max(1, gpus - learners)
    games = figure["games_per_learner"] * learners
    handled = games * figure["episode_cpu_s"] / (learners if spread else 1)
    weights, sends = (2 if spread else 4) * figure["parameters"], 1 if spread else -(-engines // 8)
    costs = Costs(
        engine_work_s=games * playing,
        engine_pass_s=0.0,
        task_s=0.0,
        learner_s=games * learning + handled,
        shared_s=handled,
        exchange_s=2 * 4 * figure["parameters"] / figure["network"],
        sync_s=sends * weights / figure["network"],
    )
    said = simulate(Layout(engines, learners, ahead=1, cores=gpus), costs, steps=6 if gpus > 100 else 20)
    rate = games / said["step_s"]
    return {
        "built": "spread" if spread else "as today",
        "GPUs": gpus,
        "engines": engines,
        "learners": learners,
        "games_per_step": games,
        "step_s": said["step_s"],
        "episodes_per_s": rate,
        "tokens_per_s": rate * figure["turns"] * figure["sampled"],
        "tokens_per_s_per_gpu": rate * figure["turns"] * figure["sampled"] / gpus,
        "handling_s": handled,
        "sync_s": costs.sync_s,
        "sync_gb": weights * engines / 1e9,
        "queue_mb_per_s": rate * figure["episode_bytes"] / 1e6,
        "environment_cores": rate * figure["turns"] * figure["turn_cpu_s"],
        "episodes_in_tools": rate * figure["turns"] * figure["slow_turn_s"],
    }


PLAN = (2, 8, 64, 512, 4096)
PLAN_COLUMNS = (
    *("built", "GPUs", "engines", "learners", "step_s", "episodes_per_s", "tokens_per_s", "tokens_per_s_per_gpu"),
    *("handling_s", "sync_s", "sync_gb", "queue_mb_per_s", "environment_cores", "episodes_in_tools"),
)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, default=RESULTS / "scale.json", help="result of scale.py")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    rows = compared(json.loads(given.measured.read_text(encoding="utf-8")))
    print_table(rows, ("workload", "setup", "used_for", "measured_s", "predicted_s", "error", "staleness"))
    planned = measured_figures()
    figures = [{"figure": name, **vars(getattr(planned, name))} for name in Planned.__dataclass_fields__]
    print_table(figures, ("figure", "value", "source"))
    carried = [plan(planned, gpus, spread=spread) for spread in (False, True) for gpus in PLAN]
    print_table(carried, PLAN_COLUMNS)
    if given.json:
        save_result(given.json, rows, packages=("numpy",), tolerance=TOLERANCE, figures=figures, plan=carried)


if __name__ == "__main__":
    main(sys.argv[1:])
