"""Runs the parts one after the other, each in a process of its own with a deadline, and writes one JSON.

See run.sh. What a part has found is written before the next one starts; one that fails or comes too late says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import print_table, save_result

FOLDER = Path(__file__).resolve().parent
DEADLINES_S = {
    "ceilings": 25,
    "gates": 65,
    "kernels": 85,
    "layout": 65,
    "decode": 80,
    "generate": 35,
    "train": 70,
    "train 4B": 75,
    "sync": 30,
    "compile": 180,
    "vllm": 110,
}
ALONE = ("compile", "vllm")
"""Measured where they are named; the others together take under 9 minutes."""
PACKAGES = ("torch", "transformers", "triton", "vllm")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/gpu.json"), help="write the result here")
    parser.add_argument(
        "--parts", default=",".join(part for part in DEADLINES_S if part not in ALONE), help="which parts"
    )
    parser.add_argument("--cpu-test", action="store_true", help="tiny sizes on a CPU")
    given = parser.parse_args(arguments)
    parts = given.parts.split(",")
    if unknown := set(parts) - set(DEADLINES_S):
        parser.error(f"--parts takes {', '.join(DEADLINES_S)}: got {', '.join(sorted(unknown))}")
    rows: list[dict[str, Any]] = []
    started = time.monotonic()
    for part in parts:
        found = run(part, given.cpu_test)
        for row in found:
            print(json.dumps(row), flush=True)
        rows += found
        seconds = round(time.monotonic() - started, 1)
        save_result(given.json, rows, packages=PACKAGES, device=device(rows), cpu_test=given.cpu_test, seconds=seconds)
    print_table(rows, ("part", "what", "tokens_per_s", "seconds", "rate", "peak_gb", "planned_gb", "note"))
    return int(any("failed" in row for row in rows))


def run(part: str, cpu_test: bool) -> list[dict[str, Any]]:
    """The rows of one part; a single one with `failed` where there are none."""
    command = [sys.executable, str(FOLDER / "parts.py"), part, *(["--cpu-test"] if cpu_test else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINES_S[part])
    except subprocess.TimeoutExpired:
        return [failed(part, f"not done in {DEADLINES_S[part]} s")]
    found: list[dict[str, Any]] = [json.loads(line[4:]) for line in done.stdout.splitlines() if line.startswith("ROW ")]
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["nothing said"]
        found.append(failed(part, f"status {done.returncode}: {last[0]}"))
    return found or [failed(part, "it measured nothing")]


def failed(part: str, why: str) -> dict[str, Any]:
    return {"part": part, "failed": why, "note": why}


def device(rows: Sequence[dict[str, Any]]) -> str:
    """What the parts ran on."""
    return next((row["device"] for row in rows if "device" in row), "unknown")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
