"""Trains undisturbed and under every fault, and compares: python benchmarks/chaos.py

Prints a table, writes benchmarks/results/chaos.json, and fills the table of docs/reliability.md. With words, only the
faults that have one of them in their name are tried; the others keep what was found: python benchmarks/chaos.py SIGTERM
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import commit, print_table, save_result
from faults import FAULTS, GAMES, STEPS, Fault, Lab
from pages import filled, head, row

from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.ledger import check_ledger
from turnwise.algorithms.reporting.fingerprint import REPEATED, contents, difference

ROOT = Path(__file__).resolve().parents[1]
RESULT, PAGE = ROOT / "benchmarks/results/chaos.json", ROOT / "docs/reliability.md"


class Chaos:
    """Faults, and the undisturbed runs that they are compared with, each of which is made once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._undisturbed: dict[Any, Path] = {}

    def undisturbed(self, fault: Fault) -> Path:
        """The folder of a run with the same words that nothing befell."""
        key = (tuple(fault.words), tuple(fault.launcher))
        if key not in self._undisturbed:
            lab = Lab(self._new(f"undisturbed-{len(self._undisturbed)}"), fault.words, fault.launcher)
            lab.go_on()
            if lab.codes != [0]:
                raise RuntimeError(f"the undisturbed run ended with {lab.codes}: {lab.said[-1][-3000:]}")
            self._undisturbed[key] = lab.run
        return self._undisturbed[key]

    def judge(self, fault: Fault) -> dict[str, Any]:
        """The row of a fault: what came of it, and what is wrong with that, "" where nothing is."""
        base = contents(self.undisturbed(fault))
        begin = time.monotonic()
        lab = Lab(self._new(f"fault-{FAULTS.index(fault)}"), fault.words, fault.launcher)
        fault.inflict(lab)
        found: dict[str, Any] = {"fault": fault.name, "then": fault.then, "exit_codes": lab.codes, "commit": commit()}
        found |= {"seconds": round(time.monotonic() - begin, 1), "seconds_to_exit": lab.seconds_to_exit}
        found |= {"equal": "to the last bit" if not fault.tolerance else f"but for rounding, to {fault.tolerance:g}"}
        if tuple(lab.codes) != fault.expected:
            return found | {"wrong": f"exit codes are {lab.codes}, not {fault.expected}: {lab.said[-1][-3000:]}"}
        totals = check_ledger(lab.run, games_per_step=GAMES)
        wanted = {"steps": STEPS, "planned": STEPS * GAMES, "trained": STEPS * GAMES, "dropped": 0}
        differs = difference(contents(lab.run), base, fault.tolerance, REPEATED if fault.tolerance else frozenset())
        wrong = f"the ledger has {totals}" if totals != wanted else differs or ""
        return found | totals | {"wrong": wrong}

    def _new(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of docs/reliability.md."""
    lines = head(
        "what happens", "what turnwise does", "exit codes", "steps", "episodes", "equal to the undisturbed run"
    )
    lines[1] = "|---|---|---|---:|---:|---|"
    for one in rows:
        if "wrong" not in one:
            cells = ("", "", "", f"not tried: {one['skipped']}")
        else:
            codes = ", ".join(map(str, one["exit_codes"]))
            if one["seconds_to_exit"] is not None:
                codes += f" ({one['seconds_to_exit']:.1f} s after the signal)"
            trained = f"{one.get('trained', '')} of {STEPS * GAMES}"
            cells = (codes, str(one.get("steps", "")), trained, f"NO: {one['wrong']}" if one["wrong"] else one["equal"])
        lines.append(row(one["fault"], one["then"], *cells))
    return "\n".join(lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="parts of names of faults")
    words = parser.parse_args().words
    rows = []
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        chaos = Chaos(Path(folder))
        for fault in FAULTS:
            if words and not any(word.lower() in fault.name.lower() for word in words):
                continue
            reason = fault.able()
            skipped = {"fault": fault.name, "then": fault.then, "skipped": reason}
            rows.append(chaos.judge(fault) if reason is None else skipped)
            print(f"{fault.name}: {rows[-1].get('wrong', reason) or 'ok'}", flush=True)
            save_result(RESULT, merged(rows), packages=("torch", "ray"))
    print_table(rows, ("fault", "exit_codes", "steps", "trained", "seconds", "equal", "wrong"))
    write_page()
    return int(any(one.get("wrong") for one in rows))


def merged(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """These rows, and what was found before of faults that are not among them or could not be tried here."""
    before = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    found = {one["fault"]: one for one in before}
    found |= {one["fault"]: one for one in rows if "wrong" in one or one["fault"] not in found}
    return [found[fault.name] for fault in FAULTS if fault.name in found]


def write_page() -> None:
    """Fill the table of the page anew."""
    rows = json.loads(RESULT.read_text())["rows"]
    write_atomically(PAGE, filled(PAGE.read_text(), "chaos", lambda name: table(rows)))


if __name__ == "__main__":
    sys.exit(main())
