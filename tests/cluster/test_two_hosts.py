"""A run over two hosts that share no files and no loopback goes on to its end though one of them is lost."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import psutil

from turnwise.algorithms.ledger import check_ledger
from turnwise.algorithms.reporting.runlog import read_metrics

DEADLINE_S = 180.0


def test_kuhn_is_trained_over_two_hosts_and_to_the_end_when_one_is_lost(hosts: Any, tmp_path: Path) -> None:
    for host in "ab":
        hosts.join(host)
    folder = tmp_path / "run"
    words = [
        *("launcher=ray", f"launcher.address={hosts.head}", "launcher.nodes=2", "launcher.engines=2"),
        *("steps=40", "games_per_step=16", "checkpoint_every=10", "tensorboard=false", "ledger=true"),
        *("evaluation.every=0", "evaluation.final_games=20", "engine.device=cpu", "engine.threads=1"),
        *("model.sft.steps=20", "model.sft.games=100", f"run_dir={folder}"),
    ]
    run = hosts.start("a", sys.executable, "-m", "turnwise", "train", *words)
    until = time.monotonic() + DEADLINE_S
    while not folder.exists() or len(read_metrics(folder)) < 4:
        assert run.poll() is None, run.stdout.read()
        assert time.monotonic() < until, f"waited {DEADLINE_S:g} s for the third step"
        time.sleep(0.05)
    there = [psutil.Process(pid).cmdline()[0] for pid in hosts.processes("b")]
    assert sum(name.startswith("ray::Performer") for name in there) == 1
    hosts.lose("b")
    output, _ = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 0, output
    assert "which is played again; it is started again (1 of 3 times)" in output
    records = read_metrics(folder)
    assert [record["step"] for record in records] == list(range(41))
    assert check_ledger(folder, 16) == {"steps": 40, "planned": 640, "trained": 640, "dropped": 0}
