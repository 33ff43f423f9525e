"""Turns per second of every family of environments, beside the same games of TextArena and GEM.

    python benchmarks/envs.py --json benchmarks/results/envs.json

A turn is one reply of one seat; every observation is read; replies are random valid ones, or the expert's where random
ones would do nothing (tools, search, Python). Four ways to play the same game: the raw `TextGame`, the `Referee` over
it (replies are parsed and judged), the PettingZoo view and the Gymnasium view (one seat against a random opponent).
Games whose work happens in other processes are played raw, by wall time. Turns per second include the start of each
game; `start_ms` is that start alone, and `first_ms` the first one in this process, with imports and caches.

In the second table `ratio` is the turns per second of our referee over those of the other package's game, and
`net_ratio` the same without the time that it takes to draw the replies (`draw_us` a turn: what a second draw adds).
Time is the processor time of this process unless a row says wall time: the median of the repeats; `spread` is the
fastest minus the slowest, over the median.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from common import Row, print_table, save_result
from peers import Peer, Player, peers_of
from views import GAMES_AWAY, VIEWS, Case

from turnwise.envs.registry import GAMES, find_spec
from turnwise.envs.requirements import MissingDependency

RAW_FLOOR = 50_000  # turns/s of a raw TextGame, for Kuhn poker and tic-tac-toe
WITH_FLOOR = ("KuhnPoker-LLM", "TicTacToe-LLM")
CHOSEN: Mapping[str, tuple[str, ...]] = {
    "openspiel": (
        *(id for id, spec in GAMES.items() if spec.family == "openspiel" and "/" not in id),
        *(f"OpenSpiel/{name}-LLM" for name in ("checkers", "gomoku", "hearts", "quoridor", "yacht")),
    ),
    "minigrid": ("MiniGrid/Empty-5x5-LLM", "MiniGrid/DoorKey-8x8-LLM", "MiniGrid/BabyAI-GoToLocal-LLM"),
    "textworld": ("TextWorld/CoinCollector-LLM", "TextWorld/Cooking-LLM"),
    "alfworld": ("ALFWorld-LLM",),
    "bridges": ("Gymnasium/FrozenLake-LLM", "Gymnasium/Taxi-LLM", "ReasoningGym-LLM", "TextArena-LLM"),
}
"""Family -> what is measured of it by default; of other families everything."""
IN_FULL = (
    *("KuhnPoker-LLM", "TicTacToe-LLM", "ConnectFour-LLM", "LiarsDice-LLM", "Nim-LLM"),
    *("SimpleNegotiation-LLM", "Wordle-LLM", "Game2048-LLM", "Bandit-LLM", "Kitchen-LLM", "ALFWorld-LLM"),
    *("MiniGrid/DoorKey-8x8-LLM", "SearchQA-LLM", "Gymnasium/FrozenLake-LLM"),
)
"""By default these are played in all four views, others raw and through the referee, OpenSpiel's by name only raw."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "TextWorld/Cooking-LLM": {"worker": False},
    "McpTools-LLM": {"transport": "memory"},
}
"""Measured a second time with these arguments."""
COLUMNS = ("id", "view", *("turns_per_s", "us_per_turn", "turns_per_game", "start_ms", "first_ms", "spread"), "note")
BESIDE = (
    *("game", "view", "size", "turns_per_s", "turns_per_game", "start_ms", "draw_us", "spread"),
    *("ours", "ours_turns_per_s", "ours_start_ms", "ours_draw_us", "ratio", "net_ratio", "error"),
)


class Pace(NamedTuple):
    """How long each thing is measured."""

    seconds: float
    """Of one repeat."""
    repeats: int


def measure(player: Player, pace: Pace, clock: Callable[[], float], *, draws: bool = False) -> dict[str, float]:
    """The speed of a player, which is closed afterwards. draws: tell also what drawing the replies takes."""
    try:
        before = time.perf_counter()
        player.start()
        first = time.perf_counter() - before
        player.finish(1)
        speeds, turns, games = timed(player, pace, clock, 1)
        twice = timed(player, Pace(pace.seconds, 1), clock, 2)[0] if draws else []
        starts = time_starts(player, pace.seconds / 10, clock)
    finally:
        player.close()
    median = statistics.median(speeds)
    row = {
        "turns_per_s": round(median, 1),
        "us_per_turn": round(1e6 / median, 3),
        "turns_per_game": round(turns / games, 3),
        "start_ms": round(1e3 * starts, 5),
        "first_ms": round(1e3 * first, 3),
        "spread": round((max(speeds) - min(speeds)) / median, 3),
    }
    if draws:
        row["draw_us"] = round(max(0.0, 1e6 / twice[0] - 1e6 / median), 3)
    return row


def timed(player: Player, pace: Pace, clock: Callable[[], float], draws: int) -> tuple[list[float], int, int]:
    """(turns per second of each repeat, turns, games), after a few games that do not count."""
    batch, turns, games = batch_of(player, pace.seconds), 0, 0
    speeds = []
    for _ in range(pace.repeats):
        done, start = 0, clock()
        while (spent := clock() - start) < pace.seconds:
            for _ in range(batch):
                player.start()
                done += player.finish(draws)
            games += batch
        speeds.append(done / spent)
        turns += done
    return speeds, turns, games


def batch_of(player: Player, seconds: float) -> int:
    """Games between two looks at the clock: up to 20, as long as they are short."""
    for _ in range(GAMES_AWAY):
        before = time.perf_counter()
        player.start()
        player.finish(1)
    return max(1, min(20, int(seconds / 50 / (time.perf_counter() - before))))


def time_starts(player: Player, seconds: float, clock: Callable[[], float]) -> float:
    """Mean time of a start, in seconds, over games that are not played."""
    count, start = 0, clock()
    while (spent := clock() - start) < seconds or count < 2:
        player.start()
        count += 1
    return spent / count


def measured(case: Case, pace: Pace, *, draws: bool = False) -> dict[str, Any]:
    """The row of a game of ours; where it cannot be played, it says why."""
    print(f"{case.id} {case.view}", file=sys.stderr)
    clock = time.perf_counter if case.away else time.process_time
    notes = [json.dumps(dict(case.arguments))] if case.arguments else []
    notes += ["wall time"] if case.away else []
    row: dict[str, Any] = {"id": case.id, "family": case.family, "view": case.view, "arguments": dict(case.arguments)}
    row["clock"] = "wall" if case.away else "processor"
    try:
        row |= measure(VIEWS[case.view](case), pace, clock, draws=draws)
    except MissingDependency as error:
        row["missing"] = told(error)
        notes.append(row["missing"])
    except Exception as error:  # one broken game must not cost the figures of all others; `main` ends with status 1
        row["error"] = told(error)
        notes.append(row["error"])
    if case.view == "raw" and case.id in WITH_FLOOR:
        row["floor"] = RAW_FLOOR
        notes.append(f"floor {RAW_FLOOR:,}")
    return row | {"note": "; ".join(notes)}


def measured_peer(peer: Peer, view: str, ours: Row, pace: Pace) -> dict[str, Any]:
    """The row of a peer's game beside the row of our referee."""
    print(f"{peer.package} {peer.game} {view}", file=sys.stderr)
    row: dict[str, Any] = {
        "game": f"{peer.package} {peer.game}",
        "view": view,
        "size": peer.size,
        "arguments": dict(peer.arguments),
        "ours": peer.ours,
        "our_arguments": dict(peer.our_arguments),
        **{f"ours_{name}": ours.get(name) for name in ("turns_per_s", "turns_per_game", "start_ms", "draw_us")},
    }
    try:
        row |= measure(peer.player(view), pace, time.process_time, draws=True)
    except Exception as error:  # whatever stops another package's game is part of the result
        return row | {"error": told(error)}
    if "turns_per_s" in ours:
        row["ratio"] = round(ours["turns_per_s"] / row["turns_per_s"], 2)
        net = [side["us_per_turn"] - side["draw_us"] for side in (row, ours)]
        if all(2 * left > side["us_per_turn"] for left, side in zip(net, (row, ours), strict=True)):
            row["net_ratio"] = round(net[0] / net[1], 2)  # else the draws were too noisy to be taken off
    return row


def told(error: Exception) -> str:
    """Kind of the error and the first words of its message, without colours and rules."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    words = " ".join(word for word in plain.split() if not word.startswith("***"))
    return f"{type(error).__name__}: {words[:60]}"


def chosen(arguments: argparse.Namespace) -> list[str]:
    """The ids to measure, in the order of the catalogue."""
    if arguments.ids:
        return [find_spec(env_id).id for env_id in arguments.ids]
    known = {spec.family for spec in GAMES.values()}
    families = arguments.families or known
    if unknown := set(families) - known:
        raise SystemExit(f"--families takes {', '.join(sorted(known))}: got {', '.join(sorted(unknown))}")
    picked = {env_id for family in families for env_id in CHOSEN.get(family, ())}
    return [
        env_id
        for env_id, spec in GAMES.items()
        if spec.family in families and (arguments.all or spec.family not in CHOSEN or env_id in picked)
    ]


def cases_of(env_id: str, asked: Sequence[str] | None) -> list[Case]:
    """What is measured of an id; asked: views, None for the usual ones."""
    plain = Case(env_id, "raw")
    few = plain.away or env_id.startswith("OpenSpiel/")
    usual = ("raw",) if few else tuple(VIEWS) if env_id in IN_FULL else ("raw", "referee")
    cases = [Case(env_id, view) for view in asked or usual]
    return cases + ([Case(env_id, "raw", VARIANTS[env_id])] if env_id in VARIANTS and not asked else [])


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--seconds", type=float, default=0.5, help="time of one repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ids", nargs="*", help="ids to measure, in place of some of every family")
    parser.add_argument("--families", nargs="*", help="families to measure, all by default")
    parser.add_argument("--all", action="store_true", help="every id of the families")
    parser.add_argument("--views", nargs="*", choices=list(VIEWS), help="ways to play; by default what suits the id")
    parser.add_argument("--no-peers", action="store_true", help="turnwise alone")
    return parser.parse_args()


def main() -> None:
    """Measure, print the tables, and write them down where asked."""
    arguments = parsed()
    pace, ids = Pace(arguments.seconds, arguments.repeats), chosen(arguments)
    rows = [measured(case, pace) for env_id in ids for case in cases_of(env_id, arguments.views)]
    beside = [] if arguments.no_peers else compare(ids, pace)
    print_table(rows, COLUMNS)
    if beside:
        print("\nThe same games elsewhere, beside our referee")
        print_table(beside, BESIDE)
    if arguments.json:
        packages = ("open-spiel", "gymnasium", "pettingzoo", "numpy", "textworld", "minigrid", "textarena", "gem-llm")
        save_result(arguments.json, rows, packages=packages, peers=beside)
    if broken := [row["id"] for row in rows if "error" in row]:
        raise SystemExit(f"not measured, because they failed: {', '.join(dict.fromkeys(broken))}")


def compare(ids: Sequence[str], pace: Pace) -> list[dict[str, Any]]:
    """Rows of the peers of these games."""
    ours: dict[str, Row] = {}
    beside = []
    for peer in peers_of(ids):
        case = Case(peer.ours, "referee", peer.our_arguments)
        if repr(case) not in ours:
            ours[repr(case)] = measured(case, pace, draws=True)
        beside += [measured_peer(peer, view, ours[repr(case)], pace) for view in peer.views]
    return beside


if __name__ == "__main__":
    main()
