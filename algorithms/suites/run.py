"""From the words of a command line to the result of a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.compose import options
from turnwise.algorithms.evaluation.players import HUMAN, players, split_words
from turnwise.algorithms.suites.definition import GROUP, raw_suite, read_suite, split_suite
from turnwise.algorithms.suites.printing import print_suite, print_transfer
from turnwise.algorithms.suites.suite import DEFAULT, run_suite
from turnwise.algorithms.suites.transfer.definition import KIND, read_transfer
from turnwise.algorithms.suites.transfer.transfer import run_transfer
from turnwise.algorithms.tournament.play import Say


def evaluate_suite(words: Sequence[str], out: Path | None, say: Say) -> dict[str, Any]:
    """The result of `AGENT... suite=NAME suite.KEY=VALUE KEY=VALUE`. Raises ValueError where it cannot be asked."""
    name, own, rest = split_suite(words)
    if name is None:
        raise SettingsError(f"give suite=NAME, one of {', '.join(options(GROUP))}")
    named, overrides = split_words(rest)
    people = players(named, overrides)
    if any(one.kind == HUMAN for one in people):
        raise ValueError("a person plays in tournaments, and in turnwise play: not in suites")
    values = raw_suite(name, own)
    if values.get("kind") == KIND:
        return run_transfer(read_transfer(values), people, out or DEFAULT, say)
    return run_suite(read_suite(values), people, out or DEFAULT, say)


def print_result(result: Mapping[str, Any]) -> None:
    """To the terminal."""
    if result.get("kind") == KIND:
        print_transfer(result)
    else:
        print_suite(result)
