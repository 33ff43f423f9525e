"""ALFWorld's engine: steps a second with text and admissible commands, and what a reset costs.

    python benchmarks/alfworld_speed.py --json benchmarks/results/alfworld.json

Random admissible play in games of all six tasks, one process, processor time, medians. The stock engine (TextWorld's,
with alfworld 0.4.2) plays the same games beside it where it is installed; where it is not, the floors stand alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import print_table, save_result

from turnwise.envs.alfworld import ALFWorld
from turnwise.envs.alfworld.engine import Engine
from turnwise.envs.alfworld.export import stock_game
from turnwise.envs.alfworld.generate import generated_world
from turnwise.envs.alfworld.goals import TASKS

FLOORS = {"steps_per_s": 1500.0, "reset_ms": 2.0}
COLUMNS = ("what", "median", "spread", "unit", "floor", "kept")


def spent(work: Callable[[], Any]) -> float:
    """Seconds of processor time."""
    start = time.process_time()
    work()
    return time.process_time() - start


def engine_speed(games: int, steps: int) -> list[float]:
    """Steps a second in each game, its text and its sorted commands made at every step."""
    speeds = []
    for number in range(games):
        engine = Engine(generated_world("train", TASKS[number % 6], number // 6))
        speeds.append(steps / spent(lambda engine=engine: play(engine, steps)))
    return speeds


def play(engine: Engine, steps: int) -> None:
    pick = random.Random(0).choice
    for _ in range(steps):
        engine.step(pick(engine.commands))
        if engine.won:
            engine.reset()


def game_speed(prompt: str, seconds: float) -> float:
    """Turns a second of the whole game: start, observations, list of commands and all."""
    game, rng, turns, start = ALFWorld(prompt=prompt), np.random.default_rng(0), 0, time.process_time()
    while (passed := time.process_time() - start) < seconds:
        game.start(rng)
        while game.seat:
            game.observe(game.seat)
            game.play(game.sample_action(rng))
            turns += 1
    return turns / passed


def reset_times(resets: int) -> tuple[list[float], list[float]]:
    """Milliseconds of `start` and the first observation: with a game never met before, and with one met before."""
    new, again = [], []
    game = ALFWorld()
    for seed in range(resets):
        generated_world.cache_clear()
        for times in (new, again):
            rng = np.random.default_rng(seed)
            times.append(1000 * spent(lambda rng=rng: (game.start(rng), game.observe("player_0"))))
    return new, again


def stock_figures(games: int, steps: int) -> tuple[list[float], list[float]]:
    """The stock engine in the same games: (steps a second, milliseconds a reset)."""
    os.environ.setdefault("ALFWORLD_DATA", tempfile.mkdtemp())  # alfworld makes this folder when it is imported
    import textworld
    from alfworld.agents.environment.alfred_tw_env import AlfredDemangler
    from textworld.envs import PddlEnv

    speeds, resets = [], []
    for number in range(games):
        engine = AlfredDemangler(PddlEnv(textworld.EnvInfos(admissible_commands=True, won=True)))
        engine.load(stock_game(generated_world("train", TASKS[number % 6], number // 6).problem))
        resets.append(1000 * spent(engine.reset))
        speeds.append(steps / spent(lambda engine=engine: stock_play(engine, steps)))
    return speeds, resets


def stock_play(engine: Any, steps: int) -> None:
    """Random commands; the stock engine plays on where a game is won."""
    state, pick = engine.state, random.Random(0).choice
    for _ in range(steps):
        state, _, _ = engine.step(pick(state["admissible_commands"]))


def row(what: str, values: list[float], unit: str, floor: str = "") -> dict[str, Any]:
    """A line of the table; spread is (largest - smallest) / median."""
    median = statistics.median(values)
    line = {"what": what, "median": round(median, 3), "unit": unit}
    line["spread"] = round((max(values) - min(values)) / median, 3) if len(values) > 1 else None
    if floor:
        line["floor"] = FLOORS[floor]
        line["kept"] = median >= FLOORS[floor] if floor == "steps_per_s" else median <= FLOORS[floor]
    return line


def main() -> None:
    """Measure, print the table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--games", type=int, default=24)
    parser.add_argument("--steps", type=int, default=2000, help="of each game; a hundredth in the stock engine")
    arguments = parser.parse_args()
    new, again = reset_times(resets=arguments.games * 4)
    rows = [
        row("engine, text and commands", engine_speed(arguments.games, arguments.steps), "steps/s", "steps_per_s"),
        row("game, full prompt", [game_speed("full", 1.0) for _ in range(3)], "turns/s", "steps_per_s"),
        row("game, compact prompt", [game_speed("compact", 1.0) for _ in range(3)], "turns/s", "steps_per_s"),
        row("reset, game made anew and checked", new, "ms", "reset_ms"),
        row("reset, game met before", again, "ms", "reset_ms"),
    ]
    if importlib.util.find_spec("alfworld"):
        speeds, resets = stock_figures(min(arguments.games, 12), max(10, arguments.steps // 100))
        rows += [row("stock engine", speeds, "steps/s"), row("stock engine, reset", resets, "ms")]
    print_table(rows, COLUMNS)
    if arguments.json:
        packages = ("numpy", "textworld", "alfworld")
        save_result(arguments.json, rows, packages=packages, time="processor time of one process")


if __name__ == "__main__":
    main()
