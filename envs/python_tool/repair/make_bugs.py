"""Write the tables of bugs: `python -m turnwise.envs.python_tool.repair.make_bugs [repository ...]`.

Each bug is proven in the sandbox: the right files pass all tests, the wrong ones fail a visible test and a hidden one,
without running into a limit.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import combinations, zip_longest

import numpy as np

from turnwise.envs.python_tool.repair.bugs import Bug, BugTable, inject, undo
from turnwise.envs.python_tool.repair.mutate import Mutant, mutants
from turnwise.envs.python_tool.repair.repository import Repository, read_repository, repository_names
from turnwise.envs.python_tool.repair.testing import UNFINISHED, Outcome, run_tests

MOST_BUGS, MOST_PAIRS = 24, 16
SEED = 0


def make_table(repository: Repository) -> BugTable:
    """Bugs of as many kinds as there are, and pairs of them. Raises ValueError where the repository fails its tests."""
    for outcome in (*visible(repository, repository.files), *hidden(repository, repository.files)):
        if not outcome.passed:
            raise ValueError(f"{repository.name} fails {outcome.name} without any bug: {outcome.message}")
    bugs: list[Bug] = []
    for path, mutant in _candidates(repository):
        bug = _proven(repository, path, mutant)
        bugs += [bug] if bug is not None else []
        if len(bugs) == MOST_BUGS:
            break
    return BugTable(tuple(bugs), tuple(_pairs(repository, bugs)))


def visible(repository: Repository, files: Mapping[str, str]) -> tuple[Outcome, ...]:
    """Outcomes of the tests that an agent sees."""
    return run_tests(files, repository.tests, repository.tests, strict=True)


def hidden(repository: Repository, files: Mapping[str, str]) -> tuple[Outcome, ...]:
    """Outcomes of the tests that only the judge runs."""
    return run_tests(files, repository.hidden, repository.tests, strict=True)


def _candidates(repository: Repository) -> Iterator[tuple[str, Mutant]]:
    """Mutants of all files, one of each operator in turn, shuffled within an operator."""
    rng = np.random.default_rng(SEED)
    kinds: dict[str, list[tuple[str, Mutant]]] = {}
    for path, text in repository.files.items():
        for mutant in mutants(text) if path.endswith(".py") else []:
            if mutant.place:
                kinds.setdefault(mutant.operator, []).append((path, mutant))
    shuffled = [[found[index] for index in rng.permutation(len(found))] for _, found in sorted(kinds.items())]
    for row in zip_longest(*shuffled):
        yield from (one for one in row if one is not None)


def _proven(repository: Repository, path: str, mutant: Mutant) -> Bug | None:
    files = {**repository.files, path: mutant.text}
    seen = visible(repository, files)
    failed = [outcome for outcome in seen if not outcome.passed]
    if not failed or len(failed) == len(seen) or not _ends_and_fails(seen):
        return None
    if not _ends_and_fails(hidden(repository, files)):
        return None
    right, wrong = _lines(repository.files[path], mutant)
    return Bug(
        operator=mutant.operator,
        path=path,
        place=mutant.place,
        right=right,
        wrong=wrong,
        fails=tuple(outcome.name for outcome in failed),
        message=failed[0].message,
    )


def _lines(source: str, mutant: Mutant) -> tuple[str, str]:
    """The changed lines, right and wrong, with as many around them as it takes to be the only ones of their kind."""
    first = source[: mutant.start].count("\n")
    after = source[mutant.end :].count("\n")
    right, wrong = source.split("\n"), mutant.text.split("\n")
    for around in range(len(right)):
        begin, rest = max(0, first - around), max(0, after - around)
        pair = "\n".join(right[begin : len(right) - rest]), "\n".join(wrong[begin : len(wrong) - rest])
        if source.count(pair[0]) == 1 and mutant.text.count(pair[1]) == 1:
            return pair
    raise ValueError(f"no lines of {mutant.place} are the only ones of their kind")


def _pairs(repository: Repository, bugs: list[Bug]) -> Iterator[tuple[int, int]]:
    rng = np.random.default_rng(SEED)
    both = list(combinations(range(len(bugs)), 2))
    found = 0
    for index in rng.permutation(len(both)):
        first, second = (bugs[number] for number in both[index])
        if (first.path, first.place) == (second.path, second.place) or found == MOST_PAIRS:
            continue
        if _fail_together(repository, first, second):
            found += 1
            yield both[index][0], both[index][1]


def _fail_together(repository: Repository, first: Bug, second: Bug) -> bool:
    """Whether both can be put in and taken out one after the other, and fail visible and hidden tests."""
    try:
        files = inject(repository.files, (first, second))
        repaired = undo(files, (first, second))
    except ValueError:
        return False
    if repaired != repository.files:
        return False
    return _ends_and_fails(visible(repository, files)) and _ends_and_fails(hidden(repository, files))


def _ends_and_fails(outcomes: tuple[Outcome, ...]) -> bool:
    """Whether a test fails, and none because of a limit."""
    failed = [outcome.message for outcome in outcomes if not outcome.passed]
    return bool(failed) and not any(UNFINISHED in message or "MemoryError" in message for message in failed)


def main(names: list[str]) -> None:
    """Write the tables of these repositories; of all, where none is named."""
    for name in names or repository_names():
        table = make_table(read_repository(name))
        table.write(name)
        kinds = sorted({bug.operator for bug in table.bugs})
        print(f"{name}: {len(table.bugs)} bugs, {len(table.pairs)} pairs: {', '.join(kinds)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
