"""`turnwise check`, also `python -m turnwise.envs.checker`: needs nothing beyond a plain install."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from turnwise.envs.checker.catalogue import CHECKS, chosen
from turnwise.envs.checker.pool import check_targets
from turnwise.envs.checker.result import Report
from turnwise.envs.checker.show import failures, line, table
from turnwise.envs.describe import Capabilities, describe, missing
from turnwise.envs.parser import Words
from turnwise.envs.registry import GAMES, find_spec
from turnwise.near import near

_ABOUT = "Check what every environment promises. Exit code 0: all passed; 1: something failed; 2: a bad question."
_EXAMPLES = (
    "turnwise check KuhnPoker-LLM",
    "turnwise check my_game:MyGame --json",
    "turnwise check --family puzzles -k clone",
    "turnwise check --all --jobs 8 --json check.json",
)
_PRINTED = "-"
"""The file that stands for standard output."""
_PACKAGES = ("turnwise", "gymnasium", "pettingzoo", "numpy", "open-spiel")


def main(words: Sequence[str] | None = None, *, program: str = "python -m turnwise.envs.checker") -> int:
    """Check and tell. Returns 0 where everything passed, 1 where something failed, 2 for a bad question."""
    asked = _parser(program).parse_args(words)
    sys.path.insert(0, "")  # module:Class of the working directory
    if asked.list:
        print("\n".join(f"{check.name:28} {check.group:12} {check.promise}" for check in CHECKS))
        return 0
    try:
        chosen(asked.k)
        targets = _targets(asked)
    except (ValueError, ImportError, AttributeError) as error:
        print(f"turnwise: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return _check(targets, asked)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = Words(program, _ABOUT, _EXAMPLES)
    parser.add_argument("targets", nargs="*", metavar="ID", help="an id, or module:Class of a game that has none")
    parser.add_argument("--all", action="store_true", help="every registered id whose packages are installed")
    parser.add_argument("--family", help="every id of a family, plugins included: turnwise list envs")
    parser.add_argument(
        "--json", nargs="?", const=_PRINTED, metavar="FILE", help="print JSON, or write it to FILE beside what is told"
    )
    parser.add_argument("-k", metavar="TEXT", help="only checks whose name or group contains it")
    parser.add_argument("--jobs", type=int, default=2, help="processes that check at once (default: 2)")
    parser.add_argument("--list", action="store_true", help="say what is checked, and stop")
    return parser


def _targets(asked: argparse.Namespace) -> list[str]:
    """The games that were asked for, each known to exist. Raises ValueError, ImportError or AttributeError."""
    if asked.jobs < 1:
        raise ValueError(f"--jobs is at least 1: got {asked.jobs}")
    if asked.family is not None:
        families = sorted({spec.family for spec in GAMES.values()})
        if asked.family not in families:
            raise ValueError(f"there is no family {asked.family!r}{near(asked.family, families, told=True)}")
    if asked.json in GAMES:
        raise ValueError(f"--json {asked.json} would write a file of that name: put --json behind the ids")
    wanted = [spec.id for spec in GAMES.values() if asked.all or spec.family == asked.family]
    for target in asked.targets:
        name = target.removeprefix("turnwise:")
        if ":" in name:
            module, _, attribute = name.partition(":")
            getattr(import_module(module), attribute)
            wanted.append(name)
        else:
            wanted.append(find_spec(name).id)
    if not wanted:
        raise ValueError("check needs an id, module:Class, --family NAME or --all: got nothing to check")
    return list(dict.fromkeys(wanted))


def _check(targets: Sequence[str], asked: argparse.Namespace) -> int:
    absent = {target: gone for target in targets if ":" not in target and (gone := missing(find_spec(target)))}
    show = partial(print, file=sys.stderr if asked.json == _PRINTED else sys.stdout, flush=True)
    for target, packages in absent.items():
        show(f"not installed  {target}: pip install {' '.join(map(repr, packages))}")
    present = sorted((target for target in targets if target not in absent), key=_is_slow, reverse=True)
    begin = time.perf_counter()
    one = len(present) == 1
    say = None if one else lambda report: show(line(report))
    reports = check_targets(present, asked.k, jobs=asked.jobs, say=say) if present else []
    for report in reports if one else ():
        show("\n".join((report.target, *table(report))))
    for failure in () if one else failures(reports):
        show(failure)
    passed = sum(report.passed for report in reports)
    seconds = time.perf_counter() - begin
    show(f"{passed} of {len(reports)} environments passed, {len(absent)} not installed, {seconds:.1f} s")
    if asked.json is not None:
        _write(asked.json, reports, absent, seconds)
    return 0 if passed == len(reports) and (reports or not asked.targets) else 1


def _is_slow(target: str) -> bool:
    """Slow games come first, so that none is left alone at the end."""
    return ":" not in target and find_spec(target).slow


def _write(path: str, reports: Sequence[Report], absent: dict[str, list[str]], seconds: float) -> None:
    """Everything that is known, for `benchmarks/matrix.py` and for machines."""
    found = {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "seconds": seconds,
        "not_installed": absent,
        "games": [{**report.to_dict(), "passed": report.passed, **_about(report.target)} for report in reports],
    }
    text = json.dumps(found, indent=1, ensure_ascii=False)
    if path == _PRINTED:
        print(text)
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text + "\n", encoding="utf-8")


def _about(target: str) -> dict[str, Any]:
    """What the game declares, where it has an id and can be made."""
    found: Capabilities | None = None if ":" in target else describe(target)
    return {"capabilities": None if found is None else found.to_dict()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
