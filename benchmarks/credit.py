"""What is an estimate of the advantage worth? Every credit method against the exact advantage, at equal budgets.

    python benchmarks/credit.py
    python benchmarks/credit.py --quick

The games are small enough to enumerate (credit_tree.py), so that the advantage of every turn under a fixed policy is
known exactly (credit_exact.py). A tabular player samples batches of equal numbers of generated tokens
(credit_sampling.py), each method credits them (credit_methods.py), and what comes out is compared with the truth
(credit_measure.py). No language model takes part. Figures go to benchmarks/results/credit.json, and a picture to
docs/credit.png.
"""

from __future__ import annotations

import argparse
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import print_table, save_result
from credit_exact import POLICIES, Solved, solve
from credit_measure import Layout, Rows, measure, rows_of
from credit_methods import VARIANTS, Variant, require_all
from credit_play import Batch, Player, Values
from credit_plot import draw
from credit_sampling import GROUP, Sampler, fitted, independent
from credit_tree import Tree, build_tree

from turnwise.algorithms.credit import CREDITS

ROOT = Path(__file__).resolve().parents[1]
SHOWN = {
    "bias": "bias",
    "by chance": "bias_noise",
    "scale": "scale",
    "bias at scale": "bias_scaled",
    "noise": "std_scaled",
    "correlation": "correlation",
    "cosine": "gradient_cosine",
    "decisive": "decisive_share",
    "wrong sign": "sign_errors",
    "extra tokens": "extra_tokens",
    "extra forwards": "extra_forwards",
}
"""Column of the printed table -> figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A game to enumerate."""

    name: str
    env_id: str
    instances: int
    kwargs: Mapping[str, Any]


TASKS = (
    Task(name="Kuhn poker", env_id="KuhnPoker-LLM", instances=6, kwargs={}),
    Task(name="tool chain", env_id="ToolChain-LLM", instances=8, kwargs={"people": 3, "turns": 3}),
    Task(name="bifurcation", env_id="Bifurcation-LLM", instances=8, kwargs={"turns": 6, "ways": 2}),
    Task(name="key and door", env_id="KeyDoor-LLM", instances=4, kwargs={"height": 2, "width": 3, "turns": 8}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is sampled for every method, task and policy."""

    batches: int
    budget: int
    """Generated tokens of a batch."""


FULL, QUICK = Effort(batches=40, budget=1024), Effort(batches=6, budget=256)


class Batches:
    """The batches of one task and policy. Methods that are fed alike see the same ones."""

    def __init__(self, solved: Solved, effort: Effort, seed: int) -> None:
        self.solved, self._effort, self._seed = solved, effort, seed
        self._made: dict[tuple[Sampler, str], list[Batch]] = {}

    def of(self, sampler: Sampler, critic: str) -> list[Batch]:
        """Batches 0, 1, ... of this kind, made at the first call."""
        key = (sampler, critic)
        if key not in self._made:
            self._made[key] = [self._one(sampler, critic, number) for number in range(self._effort.batches)]
        return self._made[key]

    def _one(self, sampler: Sampler, critic: str, number: int) -> Batch:
        seed = zlib.crc32(f"{self._seed} {sampler.__name__} {number}".encode())
        values: Values | None = None
        if critic == "exact":
            values = self.solved.value
        elif critic == "fitted":
            values = fitted(Player(self.solved, seed + 1), self._effort.budget)
        return sampler(Player(self.solved, seed, values), self._effort.budget)


def credited(batches: Sequence[Batch], variant: Variant, solved: Solved) -> list[Rows]:
    """What a method makes of the batches, in their order; its state goes from one to the next."""
    state: dict[str, Any] = {}
    found = []
    for batch in batches:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*groups have one reward")
            result = CREDITS[variant.credit].function(batch.episodes, state, variant.record())
        state = result.state
        found.append(rows_of(batch, result.advantages, solved))
    return found


def fits(variant: Variant, tree: Tree) -> str | None:
    """Why a method cannot be measured on a task; None where it can."""
    if {"ground_truth", "answer_logprob"} & variant.needs() and tree.truths[0] is None:
        return "needs a right answer"
    return None


def compare(task: Task, policy: str, effort: Effort, seed: int) -> Iterator[dict[str, Any]]:
    """One row for the exact advantages and one for every method."""
    solved = solve(build_tree(task.env_id, task.instances, **task.kwargs), policy)
    layout, batches = Layout(solved), Batches(solved, effort, seed)
    known = {"task": task.name, "policy": policy}
    sampled = batches.of(independent, "none")
    exact = [
        rows_of(batch, [[float(solved.advantages[n][a]) for n, a in path] for path in batch.paths], solved)
        for batch in sampled
    ]
    yield {**known, "method": "exact", **measure(exact, layout), "extra_tokens": 0.0, "extra_forwards": 0.0}
    for variant in VARIANTS:
        named = {**known, "method": variant.name, "credit": variant.credit, "settings": dict(variant.settings)}
        if reason := fits(variant, solved.tree):
            yield {**named, "left_out": reason}
            continue
        fed = batches.of(variant.sampler, variant.critic)
        yield {**named, **measure(credited(fed, variant, solved), layout), **costs(fed, variant)}


def costs(batches: Sequence[Batch], variant: Variant) -> dict[str, float]:
    """Per token that is generated: the share that is not trained, and contexts that are read once more."""
    generated = sum(batch.generated for batch in batches)
    extra = sum(batch.extra for batch in batches)
    return {
        "extra_tokens": extra / generated,
        "extra_forwards": variant.forwards() * (generated - extra) / generated,
        "tokens_per_batch": generated / len(batches),
    }


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table for every task and policy."""
    for task, policy in dict.fromkeys((row["task"], row["policy"]) for row in rows):
        print(f"\n{task}, {policy} policy")
        chosen = [row for row in rows if (row["task"], row["policy"]) == (task, policy)]
        print_table([_shown(row) for row in chosen], ("method", *SHOWN))


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    figures = {column: row.get(name) for column, name in SHOWN.items()}
    rounded = {column: value if value is None else round(value, 3) + 0.0 for column, value in figures.items()}
    return {"method": row["method"] + (f" ({row['left_out']})" if "left_out" in row else ""), **rounded}


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Five digits of every figure."""
    return {name: float(f"{value:.5g}") if isinstance(value, float) else value for name, value in row.items()}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line, with `tasks` as a list of tasks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = {task.name: task for task in TASKS}
    parser.add_argument("--quick", action="store_true", help="few and small batches: to see that it runs")
    parser.add_argument("--tasks", default=",".join(known), help="names between commas (default: all of %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks/results/credit.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/credit.png")
    options = parser.parse_args(arguments)
    names = options.tasks.split(",")
    if unknown := sorted(set(names) - known.keys()):
        parser.error(f"--tasks takes {', '.join(known)}: got {', '.join(unknown)}")
    options.tasks = [known[name] for name in names]
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables, write the figures and the picture."""
    options = parse(arguments)
    require_all(frozenset(CREDITS))
    effort, begin = QUICK if options.quick else FULL, time.perf_counter()
    rows = [row for task in options.tasks for policy in POLICIES for row in compare(task, policy, effort, options.seed)]
    show(rows)
    save_result(
        options.json,
        [_rounded(row) for row in rows],
        packages=("turnwise", "numpy", "open-spiel"),
        batches=effort.batches,
        tokens_per_batch=effort.budget,
        group_size=GROUP,
        seed=options.seed,
        seconds=round(time.perf_counter() - begin, 1),
    )
    draw(rows, options.picture)
    print("", options.json, options.picture, sep="\n")


if __name__ == "__main__":
    main()
