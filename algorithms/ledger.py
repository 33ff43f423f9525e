"""The ledger: what became of every planned episode. Each is trained on once, or left out for a reason that is told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import RunFolderError
from turnwise.algorithms.reporting.runlog import read_records
from turnwise.records import Episode

LEDGER = "ledger.jsonl"
UNUSED = "unused"
"""Reason of episodes that nothing was wrong with: the recipe's way of sampling did without them."""
_PLANNED = re.compile(r"\d+(\.\d+)?-\d+")


class Unaccounted(RuntimeError):
    """An episode was lost, or counted twice: a mistake in turnwise, and numbers that nobody should trust."""


def planned_id(episode: str) -> str:
    """Id of the plan that an episode (a fork, a chunk, a demonstration) comes from: `4-7@1` -> `4-7`."""
    found = _PLANNED.match(episode)
    return found[0] if found else episode


def with_unused(
    planned: Sequence[str], episodes: Sequence[Episode], dropped: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Reason -> ids, with the plans of which nothing came back under `unused`."""
    left = _untold(planned, [*[episode.id for episode in episodes], *_named(dropped)])
    return {**{reason: list(names) for reason, names in dropped.items()}, **({UNUSED: left} if left else {})}


def entry(
    step: int, planned: Sequence[str], trained: Sequence[str], dropped: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """A step's line of the ledger. Raises Unaccounted where an episode is lost or counts twice."""
    twice = repeated([*trained, *_named(dropped)])
    if twice:
        raise Unaccounted(f"step {step} counts {_some(twice)} twice")
    lost = _untold(planned, [*trained, *_named(dropped)])
    if lost:
        raise Unaccounted(f"step {step} planned {_some(lost)}, and neither trains on it nor says why not")
    return {"step": step, "planned": list(planned), "trained": list(trained), "dropped": dict(dropped)}


def _untold(planned: Sequence[str], names: Iterable[str]) -> list[str]:
    """The plans that none of these episodes comes from."""
    wanted, found = set(planned), set(names)
    missing = wanted - found
    missing -= {planned_id(name) for name in found - wanted}
    return [name for name in planned if name in missing] if missing else []


def counts(line: Mapping[str, Any]) -> dict[str, float]:
    """The figures of a step's line: episodes planned, trained on, and left out by reason."""
    figures = {"planned": float(len(line["planned"])), "trained": float(len(line["trained"]))}
    return figures | {f"dropped/{reason}": float(len(names)) for reason, names in sorted(line["dropped"].items())}


def failures(dropped: Mapping[str, Sequence[str]]) -> int:
    """Episodes that were left out because they, or others of their group, failed."""
    return sum(len(names) for reason, names in dropped.items() if reason != UNUSED)


def check_ledger(run_dir: Path, games_per_step: int | None = None) -> dict[str, int]:
    """Totals of a run's ledger: steps, planned, trained, dropped.

    games_per_step: also ask that every step has planned its own episodes, all of them, and no step is missing.
    Raises: Unaccounted where an episode is lost or counts twice, within a step or over all of them; RunFolderError
        where there is no ledger (`ledger=true` writes one).
    """
    path = Path(run_dir) / LEDGER
    if not path.exists():
        raise RunFolderError(f"{path} is not there: a run writes it with ledger=true")
    lines = [entry(line["step"], line["planned"], line["trained"], line["dropped"]) for line in read_records(path)]
    for what in ("planned", "trained"):
        twice = repeated(name for line in lines for name in line[what])
        if twice:
            raise Unaccounted(f"{path} has {_some(twice)} {what} in more than one step")
    left_out = [name for line in lines for name in _named(line["dropped"])]
    both = repeated([*left_out, *(name for line in lines for name in line["trained"])])
    if both:
        raise Unaccounted(f"{path} has {_some(both)} both trained and left out, or left out twice")
    if games_per_step is not None:
        _require_every_plan(lines, games_per_step)
    totals = Counter({"steps": len(lines), "dropped": len(left_out)})
    totals.update({what: sum(len(line[what]) for line in lines) for what in ("planned", "trained")})
    return dict(totals)


def _require_every_plan(lines: Sequence[Mapping[str, Any]], games_per_step: int) -> None:
    for number, line in enumerate(lines, start=1):
        if line["step"] != number:
            raise Unaccounted(f"step {number} is missing in the ledger: step {line['step']} stands in its place")
        wanted = {f"{number - 1}-{game}" for game in range(games_per_step)}
        if lost := wanted - set(line["planned"]):
            raise Unaccounted(f"step {number} has not planned {_some(lost)}")


def repeated(names: Iterable[str]) -> list[str]:
    """Those that are there more than once."""
    return [name for name, times in Counter(names).items() if times > 1]


def _named(dropped: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for names in dropped.values():
        yield from names


def _some(names: Iterable[str]) -> str:
    first, *others = sorted(names)
    return f"episode {first}" + (f" and {len(others)} more" if others else "")
