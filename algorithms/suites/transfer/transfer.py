"""`turnwise eval TRAINED BASE suite=transfer`: scores before and after training, and how far they are apart."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from turnwise.algorithms.evaluation.intervals import wilson
from turnwise.algorithms.evaluation.players import Player, digest, folder_digest
from turnwise.algorithms.evaluation.store import Store
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.reporting.runlog import lock_run
from turnwise.algorithms.suites.figures import difference, mean_over
from turnwise.algorithms.suites.transfer.asking import Examiner, version
from turnwise.algorithms.suites.transfer.definition import TransferSuite
from turnwise.algorithms.suites.transfer.items import null_scores
from turnwise.algorithms.suites.verdicts import null_verdict
from turnwise.algorithms.tournament.play import Say

_SEED = 0x7EA
Scores = dict[str, dict[str, float]]
"""Task -> question -> score."""


def run_transfer(suite: TransferSuite, people: Sequence[Player], folder: Path, say: Say) -> dict[str, Any]:
    """The result, as its JSON file in the folder holds it. What lies there is not asked again.

    Raises ValueError where somebody is no model in a folder, or a task cannot be asked of local files.
    """
    for who in people:
        if who.kind != "weights":
            raise ValueError(f"suite=transfer asks models in folders: {who.word} is none")
    folder.mkdir(parents=True, exist_ok=True)
    store, asked = Store(folder), 0
    scores: dict[str, Scores] = {}
    with lock_run(folder):
        for who in people:
            scores[who.name], count = _scores_of(who, suite, store, say)
            asked += count
    result = {**_result(suite, people, scores), "questions_asked_now": asked}
    result["file"] = str(folder / f"{suite.name}-{digest([one.fingerprint for one in people])[:8]}.json")
    write_atomically(result["file"], json.dumps(result, indent=1) + "\n")
    return result


def _scores_of(who: Player, suite: TransferSuite, store: Store, say: Say) -> tuple[Scores, int]:
    """(what a model scores, how many questions it was asked for that)."""
    assert who.weights is not None and who.settings is not None  # `run_transfer` has seen to it
    examiner = Examiner(who, suite, store.folder / "transfer")
    weights, found, asked = folder_digest(who.weights), {}, 0
    for name, task in suite.tasks.items():
        parts = {
            "kind": suite.kind,
            "weights": weights,
            "dtype": who.settings.engine.dtype,
            "lm_eval": version(),
            **suite.content(task),
        }
        known = store.note(digest(parts))
        if known is None:
            say(f"{who.name} is asked {name}")
            scores = examiner.ask(task)
            asked += len(scores)
            known = store.keep(digest(parts), {"of": parts, "scores": scores})
        found[name] = {str(item): float(score) for item, score in known["scores"].items()}
    return found, asked


def _result(suite: TransferSuite, people: Sequence[Player], scores: Mapping[str, Scores]) -> dict[str, Any]:
    nulls = {name: null_scores(task.made, suite.made(task)) for name, task in suite.tasks.items() if task.made}
    flags = [
        flag
        for who in people
        for name in suite.tasks
        if (flag := null_verdict(name, who.name, scores[who.name][name], nulls.get(name, {}), _SEED))
    ]
    return {
        "suite": suite.name,
        "kind": suite.kind,
        "settings": {**asdict(suite), "tasks": {name: asdict(task) for name, task in suite.tasks.items()}},
        "players": [_row(who, scores[who.name]) for who in people],
        "nulls": {
            name: {null: sum(of.values()) / len(of) for null, of in found.items()} for name, found in nulls.items()
        },
        "comparisons": [_compared(a.name, b.name, scores) for a, b in itertools.combinations(people, 2)],
        "flags": flags,
    }


def _row(who: Player, scores: Scores) -> dict[str, Any]:
    tasks = {
        name: {
            "value": sum(of.values()) / len(of),
            "interval": wilson(sum(of.values()), len(of)),
            "questions": len(of),
        }
        for name, of in scores.items()
    }
    overall = mean_over([list(of.values()) for of in scores.values()], _SEED, lambda index, mean: mean)
    return {
        "name": who.name,
        "player": who.word,
        "fingerprint": who.fingerprint,
        "score": overall["mean"],
        "score_interval": overall["interval"],
        "tasks": tasks,
    }


def _compared(first: str, second: str, scores: Mapping[str, Scores]) -> dict[str, Any]:
    """How far the first is ahead, on the same questions."""
    mine, theirs = scores[first], scores[second]
    tasks = {name: difference(mine[name], theirs[name], _SEED) for name in mine}
    apart = [[mine[name][item] - theirs[name][item] for item in sorted(mine[name])] for name in mine]
    return {"first": first, "second": second, "score": mean_over(apart, _SEED, lambda i, mean: mean), "tasks": tasks}
