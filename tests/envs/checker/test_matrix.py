"""The pass matrix, from what `turnwise check --json` writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from turnwise.envs.checker.catalogue import CHECKS, GROUPS
from turnwise.envs.checker.command import main

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks/matrix.py"


def matrix(path: Path) -> list[str]:
    done = subprocess.run([sys.executable, str(SCRIPT), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_row_per_id(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    assert main(["SimpleNegotiation-LLM", "KuhnPoker-LLM", "-k", "s", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    broken = found["games"][1]
    assert broken["target"] == "KuhnPoker-LLM"
    next(result for result in broken["results"] if result["name"] == "secrets")["verdict"] = "failed"
    broken["passed"] = False
    found["not_installed"] = {"Moon-LLM": ["moon-rocket"]}
    path.write_text(json.dumps(found))
    heading, blank, head, rule, kuhn, talk, moon = matrix(path)
    assert heading.startswith("1 of 2 environments pass, 1 were not installed (Python ")
    assert (blank, head) == ("", f"| id | declares | {' | '.join(GROUPS)} | turns/s |")
    assert {line.count("|") for line in (head, rule, kuhn, talk, moon)} == {len(GROUPS) + 4}
    assert kuhn.startswith("| `KuhnPoker-LLM` | zero sum, can clone, ")
    assert "| **secrets** |" in kuhn
    assert talk.startswith("| `SimpleNegotiation-LLM` | zero sum, can clone | pass | pass | pass |")
    assert moon.startswith("| `Moon-LLM` | needs moon-rocket | – |")


def test_the_page_for_contributors_lists_every_check() -> None:
    page = (SCRIPT.parents[1] / "docs/contributing.md").read_text()
    rows = [f"| `{check.name}` | {check.group} | {check.promise} |" for check in CHECKS]
    assert [row for row in rows if row not in page] == []
    assert sum(line.count("|") == rows[0].count("|") and line in rows for line in page.splitlines()) == len(rows)
