"""What shows only in processes of their own: work offline, cost of an import, equality under other hash seeds.

One child for all games and each of two hash seeds: it imports turnwise, shuts the network, and forks once per module.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from turnwise.envs.checker.result import FAILED, NOT_APPLICABLE, PASSED, Figures, Report, Result

HASH_SEEDS = "Two processes with different PYTHONHASHSEED play the same episodes."
OFFLINE = "Making, starting and playing needs no network: connections are refused, or there is no network at all."
IMPORT = "`import turnwise` does not load the game's module; loading it takes less than 10 s (and is measured)."
LONGEST_IMPORT_S = 10.0
_GROUP = "processes"

Answer = Mapping[str, Any]


def check_processes(targets: Sequence[str]) -> dict[str, Report]:
    """The checks `hash seeds`, `offline` and `import` for every game, by its id or `module:Class`."""
    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(functools.partial(_ask, targets), ("1", "2"))
    share = (time.perf_counter() - begin) / max(1, len(targets))
    nothing = {"error": "the child process ended before this game"}
    return {
        target: Report(
            target=target,
            results=judged(first.get(target, nothing), second.get(target, nothing), share),
            seconds=share,
        )
        for target in targets
    }


def judged(first: Answer, second: Answer, seconds: float = 0.0) -> tuple[Result, ...]:
    """Three results from what the two children say about one game."""
    error = first.get("error") or second.get("error")
    walls = {"walls": str(first.get("walls")), "tried to connect": ", ".join(first.get("tried", ())) or "nowhere"}
    if error:
        offline = _result("offline", _GROUP, FAILED, f"in a process without a network: {error}", seconds=seconds)
        hashes = _result("hash seeds", "randomness", NOT_APPLICABLE, "no episode to compare")
    else:
        offline = _result("offline", _GROUP, PASSED, figures=walls, seconds=seconds)
        same = first["digest"] == second["digest"]
        told = (
            ""
            if same
            else f"episodes are the same under every PYTHONHASHSEED: 1 gave {first['digest']}, 2 {second['digest']}"
        )
        hashes = _result("hash seeds", "randomness", PASSED if same else FAILED, told)
    return hashes, offline, _import(first)


def _import(answer: Answer) -> Result:
    spent = answer.get("import_s")
    if answer.get("loaded"):
        return _result("import", _GROUP, FAILED, "import turnwise loads no game: it loaded this one's module")
    if spent is None:
        return _result("import", _GROUP, NOT_APPLICABLE, "the module was not imported")
    slow = spent >= LONGEST_IMPORT_S
    told = f"a module is imported in less than {LONGEST_IMPORT_S:g} s: it took {spent:.1f} s" if slow else ""
    return _result("import", _GROUP, FAILED if slow else PASSED, told, {"ms": 1000 * spent})


def _result(
    name: str, group: str, verdict: str, detail: str = "", figures: Figures | None = None, seconds: float = 0.0
) -> Result:
    return Result(name=name, group=group, verdict=verdict, detail=detail, figures=figures or {}, seconds=seconds)


def _ask(targets: Sequence[str], hash_seed: str) -> dict[str, Answer]:
    """What a child with this hash seed says about every game."""
    words = [*_no_network(), sys.executable, "-m", "turnwise.envs.checker.child"]
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.jsonl"
        subprocess.run(
            [*words, str(answers), os.getcwd()],
            input=json.dumps(list(targets)),
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        lines = answers.read_text().splitlines() if answers.exists() else []
    return {answer["target"]: answer for answer in map(json.loads, lines)}


@functools.cache
def _no_network() -> tuple[str, ...]:
    """Words that start a command in a network namespace of its own, where this user may."""
    words = ("unshare", "--net")
    try:
        done = subprocess.run([*words, "true"], capture_output=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return words if done.returncode == 0 else ()
