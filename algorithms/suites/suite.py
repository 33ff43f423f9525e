"""`turnwise eval A B suite=NAME`: play what is missing, and say how well everybody did."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from turnwise.algorithms.evaluation.players import Player, digest, player, require_able
from turnwise.algorithms.evaluation.rows import Row
from turnwise.algorithms.evaluation.store import EPISODES, Batch, Store
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.reporting.runlog import lock_run
from turnwise.algorithms.suites.definition import Suite
from turnwise.algorithms.suites.figures import Scale, difference, mean_over, problem_means, task_figures
from turnwise.algorithms.suites.play import batches, play_suite
from turnwise.algorithms.suites.verdicts import null_verdict
from turnwise.algorithms.tournament.play import Say

DEFAULT = Path("runs/suites")
_SEED = 0x5017E
"""Of the draws behind intervals: a second call gives the same ends."""
Means = dict[str, dict[str, float]]
"""Task -> problem -> mean value."""


def run_suite(suite: Suite, people: Sequence[Player], folder: Path, say: Say) -> dict[str, Any]:
    """The result of a suite, as its JSON file in the folder holds it. Games that lie there are not played again.

    Raises ValueError where a task cannot be played; RunFolderError where the folder is in use.
    """
    for name, task in suite.tasks.items():
        require_able(people, task.game(), f"{name} (suite.tasks.{name}=null leaves it out)")
    folder.mkdir(parents=True, exist_ok=True)
    store, prompt = Store(folder), next((one.prompt for one in people if one.prompt is not None), "full")
    nulls = [player(name) for name in suite.nulls]
    everybody = [*people, *(null for null in nulls if null.fingerprint not in {one.fingerprint for one in people})]
    with lock_run(folder):
        played = play_suite(suite, everybody, prompt, store, say)
    found = {one.name: batches(suite, one, prompt, store) for one in everybody}
    result = summary(suite, people, nulls, found)
    result["games_played_now"] = played
    result["file"] = str(folder / f"{suite.name}-{digest([one.fingerprint for one in people])[:8]}.json")
    write_atomically(result["file"], json.dumps(result, indent=1) + "\n")
    return result


def summary(
    suite: Suite, people: Sequence[Player], nulls: Sequence[Player], found: Mapping[str, Mapping[str, Sequence[Batch]]]
) -> dict[str, Any]:
    """The whole result, from what was played: player -> task -> batches."""
    scales = {name: _scale(task.measure, task.game().utility_bounds) for name, task in suite.tasks.items()}
    means = {name: _means(tasks, scales) for name, tasks in found.items()}
    null_names = [null.name for null in nulls if null.name in found]
    flags = [
        flag
        for one in people
        for task in suite.tasks
        if (flag := null_verdict(task, one.name, means[one.name][task], _of(means, null_names, task), _SEED))
    ]
    settings = {**asdict(suite), "tasks": {name: asdict(task) for name, task in suite.tasks.items()}}
    return {
        "suite": suite.name,
        "settings": settings,
        "players": [_player(suite, one, found[one.name], means[one.name], scales) for one in people],
        "nulls": [_player(suite, one, found[one.name], means[one.name], scales) for one in nulls if one.name in found],
        "comparisons": [_compared(a.name, b.name, means, scales) for a, b in itertools.combinations(people, 2)],
        "flags": flags,
    }


def _scale(measure: str, bounds: tuple[float, float]) -> Scale:
    return Scale(measure=measure, lowest=bounds[0], highest=bounds[1])


def _means(tasks: Mapping[str, Sequence[Batch]], scales: Mapping[str, Scale]) -> Means:
    return {name: problem_means(_rows(of), scales[name]) for name, of in tasks.items()}


def _rows(of: Sequence[Batch]) -> list[Row]:
    return [row for batch in of for row in batch.rows]


def _of(means: Mapping[str, Means], names: Sequence[str], task: str) -> dict[str, dict[str, float]]:
    return {name: means[name][task] for name in names}


def _player(
    suite: Suite, who: Player, tasks: Mapping[str, Sequence[Batch]], means: Means, scales: Mapping[str, Scale]
) -> dict[str, Any]:
    figures = {}
    for name, of in tasks.items():
        asked: dict[str, float] = {}
        for batch in of:
            for key, value in batch.figures.items():
                asked[key] = asked.get(key, 0) + value
        try:
            figures[name] = task_figures(_rows(of), scales[name], suite.tasks[name].attempts, asked, _SEED)
        except ValueError as error:
            raise ValueError(f"{who.name} at {name}: {error}") from None
        figures[name]["episodes"] = [f"{EPISODES}/{batch.key}.parquet" for batch in of]
    listed = list(scales.values())
    overall = mean_over([list(means[name].values()) for name in scales], _SEED, lambda index, x: listed[index].score(x))
    return {
        "name": who.name,
        "player": who.word,
        "kind": who.kind,
        "fingerprint": who.fingerprint,
        "score": overall["mean"],
        "score_interval": overall["interval"],
        "cost": sum((of["usage"] or {}).get("api/cost", 0.0) for of in figures.values()),
        "tasks": figures,
    }


def _compared(first: str, second: str, means: Mapping[str, Means], scales: Mapping[str, Scale]) -> dict[str, Any]:
    """How far the first is ahead of the second, on the same problems, from the same seats."""
    mine, theirs = means[first], means[second]
    tasks = {name: difference(mine[name], theirs[name], _SEED) for name in scales}
    apart = [
        [mine[name][problem] - theirs[name][problem] for problem in sorted(mine[name].keys() & theirs[name].keys())]
        for name in scales
    ]
    spans = [1.0 if of.measure != "return" else of.highest - of.lowest for of in scales.values()]
    overall = mean_over(apart, _SEED, lambda index, x: x / spans[index])
    return {"first": first, "second": second, "score": overall, "tasks": tasks}
