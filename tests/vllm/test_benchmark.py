"""The benchmark of engines with vLLM itself: it hands vLLM's own loop the very requests of the rollout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/engines.py"


def test_offline_samples_what_the_rollout_did(tmp_path: Path) -> None:
    out = tmp_path / "engines.json"
    words = ["--concurrency", "4", "--waves", "1", "--repeats", "1", "--max-tokens", "4", "--json", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = {row["engine"]: row for row in json.loads(out.read_text())["rows"]}
    assert list(rows) == ["vllm", "vllm offline", "local", "generate"]
    for name in ("turns", "tokens"):
        assert rows["vllm"][name] == rows["vllm offline"][name] > 0
    assert rows["vllm"]["cached_share"] > 0  # prompts that begin as earlier ones did
    assert rows["vllm offline"]["of_offline_cpu"] == 1.0
