"""The races' figures as docs/performance.md tells them: every table from the JSON file of its benchmark.

    python benchmarks/race_table.py            # print them
    python benchmarks/race_table.py --write    # put them into the page

A table stands between `<!-- race_table: NAME -->` and `<!-- end -->`. What has no file has not been measured, and the
table says so.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pages

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results"
PAGE = ROOT / "docs/performance.md"
NOT_YET = "not yet measured"
GAMES = {"KuhnPoker-LLM": "Kuhn poker", "TicTacToe-LLM": "tic-tac-toe"}
ON_A_GPU = (
    ("head, forward and backward, 16,384 tokens, 0.6B shape", "stored logits, trl, Liger", "32.3 ms", "28.4 ms"),
    (
        "training, 0.6B and 4B shapes, 16k tokens",
        "prime-rl, 0.6B, H100: 11.9k tokens/s",
        "36k tokens/s",
        "60k tokens/s",
    ),
    ("decoding, 0.6B shape, 256 sequences", "transformers, vLLM", "", "70% of the KV-read floor"),
)
"""Race, peer, goal, beyond."""

Rows = Sequence[Mapping[str, Any]]
Results = Mapping[str, Mapping[str, Any]]
"""Name of a file in benchmarks/results, less its ending -> what it holds."""


class Line(NamedTuple):
    """One race."""

    race: str
    peer: str
    ours: str
    times: float | None
    """What we have in the unit of the goal, None where it was not measured; more is better, unless `less`."""
    form: str
    goal: float
    beyond: float
    less: bool = False

    def cells(self) -> tuple[str, ...]:
        """As the table has them."""
        goals = self.form.format(self.goal), self.form.format(self.beyond)
        if self.times is None:
            return self.race, NOT_YET, NOT_YET, "", *goals, ""
        return self.race, self.peer, self.ours, self.form.format(self.times), *goals, self.verdict()

    def verdict(self) -> str:
        assert self.times is not None  # asked of what was measured
        sign = -1 if self.less else 1
        if sign * self.times >= sign * self.beyond:
            return "beyond"
        return "met" if sign * self.times >= sign * self.goal else "short of it"


def read_results(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """What has been measured."""
    names = ("race_trl", "turns", "decode", "shared_prefix", "time_to_quality", "profile_step", "kernels")
    paths = {name: folder / f"{name}.json" for name in names}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def only(rows: Rows, **wanted: Any) -> Mapping[str, Any] | None:
    """The row with these entries, or None."""
    return next((row for row in rows if all(row.get(name) == value for name, value in wanted.items())), None)


def lines(results: Results) -> Iterator[Line]:
    """The races that a CPU decides."""
    trl: Rows = results.get("race_trl", {"rows": []})["rows"]
    for rollouts, goal, beyond in ((32, 4.5, 10), (128, 7.5, 15)):
        yield _speed(trl, rollouts, goal, beyond)
    yield _memory(trl)
    turns: Rows = results.get("turns", {"rows": []})["rows"]
    for game, name in GAMES.items():
        yield _turns(turns, game, name)
    yield _framework(turns)
    shared: Rows = results.get("shared_prefix", {"rows": []})["rows"]
    for group in (8, 16):
        yield _shared(shared, group)
    yield _quality(results.get("time_to_quality"))


def _speed(rows: Rows, rollouts: int, goal: float, beyond: float) -> Line:
    race, form = f"multi-turn GRPO step, {rollouts} rollouts", "{:.1f} times"
    peer, ours = only(rows, side="trl", rollouts=rollouts), only(rows, side="turnwise", rollouts=rollouts)
    if peer is None or ours is None:
        return Line(race, "", "", None, form, goal, beyond)
    said = (f"trl: {peer['cpu_s']:.2f} s", f"{ours['cpu_s']:.2f} s")
    return Line(race, *said, ours["times_faster"], form, goal, beyond)


def _memory(rows: Rows) -> Line:
    race, form = "peak memory of that step, 32 rollouts", "{:.2f} of it"
    peer, ours = only(rows, side="trl", rollouts=32), only(rows, side="turnwise", rollouts=32)
    if peer is None or ours is None:
        return Line(race, "", "", None, form, 1 / 2, 1 / 3, less=True)
    said = (f"trl: {peer['memory_peak_mb']:,.0f} MB", f"{ours['memory_peak_mb']:,.0f} MB")
    return Line(race, *said, ours["memory_peak"], form, 1 / 2, 1 / 3, less=True)


def _turns(rows: Rows, game: str, name: str) -> Line:
    race, form = f"turns per second, {name}", "{:.1f} times"
    peer = only(rows, game=game, loop="textarena, an environment a game")
    ours = only(rows, game=game, loop="turnwise, referee")
    if peer is None or ours is None:
        return Line(race, "", "", None, form, 3, 10)
    said = (f"TextArena: {peer['turns_per_s']:,.0f}", f"{ours['turns_per_s']:,.0f}")
    return Line(race, *said, ours["turns_per_s"] / peer["turns_per_s"], form, 3, 10)


def _framework(rows: Rows) -> Line:
    race, form = "framework's cost per turn, stub model", "{:,.0f} us"
    ours = [row for row in rows if row["loop"] in ("turnwise, tokens", "turnwise, streamed") and row["live"] > 1]
    peer = next((row for row in rows if row["loop"].startswith("verifiers")), None)
    if not ours:
        return Line(race, "", "", None, form, 100, 15, less=True)
    worst = max(row["last_us"] for row in ours)
    said = NOT_YET if peer is None else f"verifiers: {peer['last_us']:,.0f} us"
    return Line(race, said, f"{worst:,.1f} us", worst, form, 100, 15, less=True)


def _shared(rows: Rows, group: int) -> Line:
    race, form = f"shared prefixes, groups of {group}", "{:.0%} of the token ratio"
    own = [row for row in rows if row["group"] == group]
    if not own:
        return Line(race, "", "", None, form, 0.8, 0.9)
    least = min(own, key=lambda row: row["of_ratio"])
    said = (f"padded rows: {least['rows_s']:.2f} s", f"{least['tree_s']:.2f} s")
    return Line(race, *said, least["of_ratio"], form, 0.8, 0.9)


def _quality(result: Mapping[str, Any] | None) -> Line:
    race, form = "time to NashConv 0.15 on Kuhn poker", "{:.2f} of it"
    if result is None or result["share"] is None:
        return Line(race, "", "", None, form, 1 / 2, 1 / 5, less=True)
    spent = sorted(result["median_cpu_s"].values(), reverse=True)
    said = (f"first default run: {spent[0]:.0f} s", f"{spent[-1]:.0f} s")
    return Line(race, *said, result["share"], form, 1 / 2, 1 / 5, less=True)


def summary(results: Results) -> Iterator[str]:
    """Markdown: one line a race."""
    yield from pages.head("race", "peer", "turnwise", "that is", "goal", "beyond", "")
    for line in lines(results):
        yield pages.row(*line.cells())
    for race, peer, goal, beyond in ON_A_GPU:
        yield pages.row(f"{race}, H200", peer, NOT_YET, "", goal, beyond, "")


def trl(results: Results) -> Iterator[str]:
    """Markdown: the race against trl in full."""
    result = results.get("race_trl")
    if result is None:
        yield f"This is {NOT_YET}."
        return
    yield from _source(result)
    head = ("rollouts", "side", "CPU s a step", "sampled tokens", "turns a rollout", "us a token", "faster", "a token")
    yield from pages.head(*head, "peak MB", "above its start", "worst gap, nats")
    for row in result["rows"]:
        times = [f"{row[name]:.1f}" if name in row else "" for name in ("times_faster", "times_faster_per_token")]
        counts = (f"{row['tokens']:,.0f}", f"{row['turns_per_rollout']:.1f}", f"{row['us_per_token']:,.0f}")
        memory = (f"{row['memory_peak_mb']:,.0f}", f"{row['memory_above_mb']:,.0f}")
        gap = f"{row['worst']:.1e}" if "worst" in row else ""
        yield pages.row(str(row["rollouts"]), row["side"], f"{row['cpu_s']:.2f}", *counts, *times, *memory, gap)


def turns(results: Results) -> Iterator[str]:
    """Markdown: what a turn costs beside the model."""
    result = results.get("turns")
    if result is None:
        yield f"This is {NOT_YET}."
        return
    yield from _source(result)
    yield from pages.head("game", "loop", "live", "us a turn, first 100 games", "last 100", "training adds")
    for row in result["rows"]:
        added = f"{row['train_us']:.1f}" if row.get("train_us") else ""
        costs = (f"{row['first_us']:,.1f}", f"{row['last_us']:,.1f}")
        yield pages.row(GAMES.get(row["game"], row["game"]), row["loop"], str(row["live"]), *costs, added)


def decode(results: Results) -> Iterator[str]:
    """Markdown: the local engine beside `generate` and an earlier state of itself."""
    result = results.get("decode")
    if result is None:
        yield f"This is {NOT_YET}."
        return
    yield from _source(result)
    yield from pages.head("workload", "engine", "sampled tokens", "CPU s", "tokens per CPU s", "gate, nats")
    for row in result["rows"]:
        gate = "" if row["gate"] is None else f"{row['gate']:.1e}"
        rates = (f"{row['tokens']:,.0f}", f"{row['cpu_s']:.2f}", f"{row['tokens_per_cpu_s']:,.0f}")
        yield pages.row(row["workload"], row["engine"], *rates, gate)


def kernels(results: Results) -> Iterator[str]:
    """Markdown: every kernel beside the plain way."""
    result = results.get("kernels")
    if result is None:
        yield f"This is {NOT_YET}."
        return
    yield from _source(result)
    yield from pages.head("kernel", "what", "ms", "floor, ms", "of the floor")
    for row in result["rows"]:
        if row.get("seconds") is not None and row.get("share") is not None:
            times = (f"{1e3 * row['seconds']:,.3g}", f"{1e3 * row['floor_s']:,.3g}", f"{row['share']:.0%}")
            yield pages.row(row["kernel"], row["what"], *times)


def shared(results: Results) -> Iterator[str]:
    """Markdown: training on groups that begin alike."""
    result = results.get("shared_prefix")
    if result is None:
        yield f"This is {NOT_YET}."
        return
    yield from _source(result)
    head = ("prompt", "group", "tokens of all rows", "distinct", "ratio", "faster", "of the ratio", "losses apart")
    yield from pages.head(*head)
    for row in result["rows"]:
        sizes = [f"{row[name]:,}" for name in ("prompt", "group", "rows_tokens", "tree_tokens")]
        ratios = (f"{row['token_ratio']:.2f}", f"{row['speed_up']:.2f}", f"{row['of_ratio']:.0%}")
        yield pages.row(*sizes, *ratios, f"{row['loss_apart']:.0e}")


def step(results: Results) -> Iterator[str]:
    """Markdown: where a step's time goes."""
    result = results.get("profile_step")
    if result is None:
        yield f"This is {NOT_YET}."
        return
    yield from _source(result)
    head = ("step of", "", "ms", "in the model", "us beside it a turn", "rollout", "credit and pack", "update", "rest")
    yield from pages.head(*head)
    for row in result["rows"]:
        parts = [
            sum(spent for path, spent in row["ms"].items() if path.partition("/")[0] in names)
            for names in (("rollout",), ("credit", "pack"), ("update",), ("rest",))
        ]
        shares = (f"{row['step_ms']:,.0f}", f"{row['in_model']:.0%}", f"{row['outside_us_per_turn']:,.0f}")
        yield pages.row(row["workload"], row["state"], *shares, *(f"{part:,.1f}" for part in parts))


def _source(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"`{result['command']}`, commit `{result['commit'][:10]}`, {result['machine']['cpu']}.\n"


PARTS: Mapping[str, Callable[[Results], Iterator[str]]] = {
    "summary": summary,
    "trl": trl,
    "turns": turns,
    "decode": decode,
    "shared": shared,
    "step": step,
    "kernels": kernels,
}


def part(results: Results, name: str) -> str:
    """The table of that name. Raises KeyError on an unknown one."""
    if name not in PARTS:
        raise KeyError(f"a table is called {', '.join(PARTS)}: got {name!r}")
    return "\n".join(PARTS[name](results)) + "\n"


def filled(page: str, results: Results) -> str:
    """The text of the page with every table as the figures have it."""
    return pages.filled(page, "race_table", lambda name: part(results, name))


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> None:
    """Print all, or write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/")
    options = parser.parse_args(arguments)
    results = read_results()
    if not options.write:
        return say("\n".join(f"{name}\n\n{part(results, name)}" for name in PARTS))
    PAGE.write_text(filled(PAGE.read_text(), results))
    return say(str(PAGE))


if __name__ == "__main__":
    main()
