"""Step time and throughput with 1 and 2 workers of every kind: ranks of torchrun, learners, engines and nodes of Ray.

    python benchmarks/scale.py --json benchmarks/results/scale.json

Every row is a run of its own, `turnwise train` with the settings of its name, whose `metrics.jsonl` is read; the first
steps do not count. Rows take turns, and figures are medians over the repeats. Two workloads:

    waiting   moves take time (`--wait-ms`), as slow tools and simulators do: the rollout is most of a step
    playing   tic-tac-toe against itself: the update is most of a step, and every part wants a core

What counts on a machine whose cores are taken is the first: time that passes by itself can overlap anywhere. Nodes are
network namespaces of this machine, which need root (`--nodes`).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common import print_table, save_result
from waiting_game import ID, installed

ROOT = Path(__file__).resolve().parents[1]
RAY = ("launcher=ray",)
SETUPS: dict[str, tuple[int, tuple[str, ...]]] = {
    "1 process": (1, ()),
    "2 ranks": (2, ()),
    "1 engine": (1, RAY),
    "2 engines": (1, (*RAY, "launcher.engines=2")),
    "2 learners": (1, (*RAY, "launcher.learners=2")),
    "1 engine, one step off": (1, (*RAY, "launcher.mode=one_step_off")),
    "2 engines, one step off": (1, (*RAY, "launcher.mode=one_step_off", "launcher.engines=2")),
    "2 engines, async": (1, (*RAY, "launcher.mode=async", "launcher.engines=2")),
}
"""Name -> (ranks of torchrun, settings)."""
NODES = {
    "2 nodes": ("launcher.engines=2",),
    "2 nodes, one step off": ("launcher.engines=2", "launcher.mode=one_step_off"),
}
COMMON = (
    *("evaluation.every=0", "evaluation.games=2", "evaluation.final_games=2", "tensorboard=false"),
    *("checkpoint_every=1000", "model.sft.steps=5", "model.sft.games=20", "engine.device=cpu", "engine.threads=1"),
)
WORKLOADS = {
    "waiting": (f"env={ID}", "env.invalid=random_legal", "agent.sampling.max_tokens=8"),
    "playing": ("env=tic_tac_toe",),
}
COLUMNS = (
    *("workload", "setup", "step_s", "games_per_s", "tokens_per_s", "rollout_s", "update_s", "wait_s"),
    *("of_one", "staleness"),
)
NOTES = {
    "step_s": "median wall time of a step",
    "rollout_s": "of it, until its episodes are there",
    "of_one": "games per second over those of `1 process`, or of `1 engine`, in the same repeat",
    "staleness": "mean number of updates between sampling and training",
}
DEADLINE_S = 900


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--setups", help="names with ; between them, by default all but those of nodes")
    parser.add_argument("--nodes", action="store_true", help="two nodes too, as network namespaces of this machine")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--warmup", type=int, default=3, help="steps that do not count")
    parser.add_argument("--games", type=int, default=24, help="per step")
    parser.add_argument("--wait-ms", type=float, default=10.0, help="time of a move of the waiting game")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    known = [*SETUPS, *NODES]
    setups = given.setups.split(";") if given.setups else [*SETUPS, *(NODES if given.nodes else ())]
    if unknown := set(setups) - set(known):
        parser.error(f"--setups takes {'; '.join(known)}: got {'; '.join(sorted(unknown))}")
    cases = [(workload, setup) for workload in given.workloads.split(",") for setup in setups]
    found: dict[tuple[str, str], list[dict[str, float]]] = {case: [] for case in cases}
    with installed() as plugins:
        for repeat in range(given.repeats):
            for case in cases:
                print(f"repeat {repeat}: {', '.join(case)}", file=sys.stderr)
                found[case].append(figures(records_of(*case, given, plugins), given))
    rows = table(found)
    print_table(rows, COLUMNS)
    if given.json:
        size = {name: getattr(given, name) for name in ("steps", "warmup", "games", "wait_ms", "repeats")}
        packages = ("torch", "ray", "transformers", "numpy")
        save_result(given.json, rows, packages=packages, size=size, notes=NOTES)


def records_of(workload: str, setup: str, given: Any, plugins: str) -> list[dict[str, Any]]:
    """What a run of this setup wrote about its steps."""
    with tempfile.TemporaryDirectory(prefix="tws-") as folder:
        words = [*WORKLOADS[workload], *COMMON, f"steps={given.steps}", f"games_per_step={given.games}"]
        if workload == "waiting":
            words.append(f"+env.kwargs.wait_ms={given.wait_ms}")
        words.append(f"run_dir={folder}/run")
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{plugins}:{ROOT / 'src'}"}
        if setup in NODES:
            train_on_nodes([*words, *NODES[setup]], environment)
        else:
            ranks, more = SETUPS[setup]
            run([*command_of(ranks), "train", *words, *more], environment)
        text = (Path(folder) / "run" / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def command_of(ranks: int) -> list[str]:
    """`turnwise`, in so many ranks."""
    if ranks == 1:
        return [sys.executable, "-m", "turnwise"]
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={ranks}",
        "-m",
        "turnwise",
    ]


def run(command: Sequence[str], environment: dict[str, str]) -> None:
    """Raises RuntimeError with the end of what it said where it fails."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {done.returncode}: {done.stderr[-2000:]}")


def train_on_nodes(words: Sequence[str], environment: dict[str, str]) -> None:
    """The same over a Ray cluster of two hosts that share no loopback."""
    with two_hosts() as hosts:
        hosts.environment |= {name: environment[name] for name in ("OMP_NUM_THREADS", "PYTHONPATH")}
        for host in "ab":
            hosts.join(host)
        more = ["launcher=ray", f"launcher.address={hosts.head}", "launcher.nodes=2"]
        training = hosts.start("a", sys.executable, "-m", "turnwise", "train", *words, *more)
        output, _ = training.communicate(timeout=DEADLINE_S)
        if training.returncode:
            raise RuntimeError(f"training on two nodes ended with status {training.returncode}: {output[-2000:]}")


@contextmanager
def two_hosts() -> Iterator[Any]:
    """Those that the tests of a cluster make."""
    spec = importlib.util.spec_from_file_location("two_hosts", ROOT / "tests/cluster/conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory(prefix="tw-", ignore_cleanup_errors=True) as folder:
        hosts = module.Hosts(Path(folder))
        try:
            hosts.build()
            yield hosts
        finally:
            hosts.remove()


def figures(records: Sequence[dict[str, Any]], given: Any) -> dict[str, float]:
    """Of one run. The first record is of before the first step."""
    steps = [record for record in records if record["step"] > given.warmup]
    before = {record["step"]: record for record in records}
    tokens = statistics.median(record["tokens"] - before[record["step"] - 1].get("tokens", 0) for record in steps)
    median = {
        part: statistics.median(record["time"].get(part, 0.0) for record in steps)
        for part in ("step", "rollout", "credit", "pack", "update", "wait")
    }
    mean_step = statistics.fmean(record["time"]["step"] for record in steps)
    return {
        **{f"{part}_s": seconds for part, seconds in median.items()},
        "mean_step_s": mean_step,
        "games_per_s": given.games / mean_step,
        "tokens_per_s": tokens / mean_step,
        "turns": statistics.median(record["turns"] - before[record["step"] - 1].get("turns", 0) for record in steps),
        "staleness": statistics.fmean(record.get("staleness/mean", 0.0) for record in steps),
    }


def table(found: dict[tuple[str, str], list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Medians over the repeats."""
    rows = []
    for (workload, setup), repeats in found.items():
        row: dict[str, Any] = {"workload": workload, "setup": setup}
        row |= {name: statistics.median(one[name] for one in repeats) for name in repeats[0]}
        one = found.get((workload, "1 process" if setup in ("1 process", "2 ranks") else "1 engine"))
        if one:
            pairs = zip(repeats, one, strict=True)
            row["of_one"] = statistics.median(mine["games_per_s"] / theirs["games_per_s"] for mine, theirs in pairs)
        row["step_spread"] = max(one["step_s"] for one in repeats) / min(one["step_s"] for one in repeats)
        rows.append(row)
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
