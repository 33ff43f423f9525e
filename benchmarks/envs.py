"""Turns per second of every environment: one process, random valid play, every observation read.

    python benchmarks/envs.py --json benchmarks/results/envs.json

A turn is one reply of one seat. Four ways to play the same game: the raw `TextGame`, the `Referee` over it (replies are
parsed and judged), the PettingZoo view and the Gymnasium view (one seat against a random opponent). TextArena's games
run beside them where it is installed. Time is the processor time of this process, the median of some repeats.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator

import gymnasium as gym
import numpy as np
from common import print_table, save_result

import turnwise
from turnwise.envs.core import TextGame
from turnwise.envs.referee import Referee
from turnwise.envs.registry import GAMES

RAW_FLOOR = 50_000  # turns/s of a raw TextGame, for Kuhn poker and tic-tac-toe
WITH_FLOOR = ("KuhnPoker-LLM", "TicTacToe-LLM")
COLUMNS = ("id", "view", "turns_per_s", "us_per_turn", "turns_per_game", "spread", "floor")

Play = Callable[[], int]
"""Plays one game and returns its turns."""


def sampler(game: TextGame) -> Callable[[], str]:
    """A function that draws a valid action of the live game, cheaply."""
    pick, rng = random.Random(0).random, np.random.default_rng(0)

    def sample() -> str:
        legal = game.legal()
        return game.sample_action(rng) if legal is None else legal[int(pick() * len(legal))]

    return sample


def raw(env_id: str) -> Play:
    """The game itself."""
    game, rng = turnwise.make_game(env_id), np.random.default_rng(0)
    sample = sampler(game)

    def play() -> int:
        game.start(rng)
        turns = 0
        while game.seat is not None:
            game.observe(game.seat)
            game.play(sample())
            turns += 1
        return turns

    return play


def referee(env_id: str) -> Play:
    """Replies such as `[bet]`, read and judged."""
    game = turnwise.make_game(env_id)
    judge, sample, bare, seeds = Referee(game), sampler(game), turnwise.make_game(env_id), iter(range(10**12))
    bare.start(np.random.default_rng(0))
    form = "{}" if bare.legal() is None else "[{}]"

    def play() -> int:
        judge.start(next(seeds))
        while judge.seat is not None:
            judge.observe()
            judge.submit(form.format(sample()))
        return judge.turns

    return play


def pettingzoo(env_id: str) -> Play:
    """`env.last()` and `env.step(reply)`; the empty steps of a finished game are no turns."""
    env = turnwise.aec_env(env_id)
    sample = sampler(env.game)
    env.reset(seed=0)
    form = "{}" if env.game.legal() is None else "[{}]"

    def play() -> int:
        env.reset()
        while env.agents:
            _, _, terminated, truncated, _ = env.last()
            env.step(None if terminated or truncated else form.format(sample()))
        return env.referee.turns

    return play


def gymnasium(env_id: str) -> Play:
    """`gym.make` without its passive checker, against a random opponent, whose replies are turns too."""
    env = gym.make(env_id, disable_env_checker=True)
    view = env.unwrapped
    sample = sampler(view.game)
    env.reset(seed=0)
    form = "{}" if view.game.legal() is None else "[{}]"

    def play() -> int:
        env.reset()
        over = False
        while not over:
            _, _, terminated, truncated, _ = env.step(form.format(sample()))
            over = terminated or truncated
        return view.referee.turns

    return play


VIEWS = {"raw": raw, "referee": referee, "pettingzoo": pettingzoo, "gymnasium": gymnasium}


def textarena_plays() -> Iterator[tuple[str, str, Play]]:
    """TextArena's Kuhn poker and tic-tac-toe, if it is installed: (id, view, play)."""
    try:
        import textarena
    except ModuleNotFoundError:
        return
    for name in ("KuhnPoker-v0", "TicTacToe-v0"):
        # The default wrapper keeps the observations of earlier games: a fresh environment a game is its fair use.
        yield name, "textarena", textarena_play(lambda name=name: textarena.make(name))
        env = textarena.make(f"{name}-raw")
        yield f"{name}-raw", "textarena", textarena_play(lambda env=env: env)


def textarena_play(make: Callable[[], object]) -> Play:
    """Random legal moves, taken from the state of the game as TextArena holds it."""
    draw = random.Random(0)

    def play() -> int:
        env = make()
        env.reset(num_players=2, seed=draw.randrange(1 << 30))
        turns, done = 0, False
        while not done:
            env.get_observation()
            state = env.state.game_state
            if "board" in state:
                legal = [3 * r + c for r in range(3) for c in range(3) if state["board"][r][c] == ""]
            else:
                legal = list(state["current_legal_action_tree"])
            done, _ = env.step(f"[{draw.choice(legal)}]")
            turns += 1
        return turns

    return play


def measure(play: Play, seconds: float, repeats: int) -> dict[str, float]:
    """Median speed over the repeats; spread is (fastest - slowest) / median."""
    play()
    speeds, games, turns = [], 0, 0
    for _ in range(repeats):
        done, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds:
            for _ in range(20):
                done += play()
                games += 1
        speeds.append(done / spent)
        turns += done
    median = statistics.median(speeds)
    return {
        "turns_per_s": round(median, 1),
        "us_per_turn": round(1e6 / median, 3),
        "turns_per_game": round(turns / games, 3),
        "spread": round((max(speeds) - min(speeds)) / median, 3),
    }


def main() -> None:
    """Measure, print the table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--seconds", type=float, default=1.0, help="processor time of one repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--ids", nargs="*", default=sorted(GAMES), help="ids to measure, all by default")
    arguments = parser.parse_args()
    plays = [(env_id, view, VIEWS[view](env_id)) for env_id in arguments.ids for view in VIEWS]
    rows = []
    for env_id, view, play in [*plays, *textarena_plays()]:
        row = {"id": env_id, "view": view, **measure(play, arguments.seconds, arguments.repeats)}
        if view == "raw" and env_id in WITH_FLOOR:
            row["floor"] = RAW_FLOOR
        rows.append(row)
    print_table(rows, COLUMNS)
    if arguments.json:
        packages = ("open-spiel", "gymnasium", "pettingzoo", "numpy", "textarena")
        save_result(arguments.json, rows, packages=packages, time="processor time of one process")


if __name__ == "__main__":
    main()
