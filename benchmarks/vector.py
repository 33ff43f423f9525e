"""Turns per second of vector environments: one process, random legal replies, every observation read.

    python benchmarks/vector.py --json benchmarks/results/vector.json

A turn is one reply of one seat: the learner's, or that of its random opponent. Three ways to play n games: turnwise's
own vector environment (`vector`, what `gymnasium.make_vec` makes), Gymnasium's SyncVectorEnv over the same single
environments (`sync`), and the own one with every game in a worker process (`workers`), where a turn costs a round trip.
Replies are drawn from the legal actions in the infos. Time is the processor time of this process, for `workers` wall
time; the median of some repeats of one block of steps, whose turns are counted beforehand.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
from common import print_table, save_result

import turnwise  # makes the ids known
from turnwise.envs.referee import Referee

FLOOR = 100_000  # turns/s of the own vector environment
IDS = ("KuhnPoker-LLM", "TicTacToe-LLM")
COLUMNS = ("id", "view", "num_envs", "turns_per_s", "us_per_turn", "spread", "floor")
MAKERS: dict[str, Callable[[str, int], Any]] = {
    "vector": lambda env_id, n: gym.make_vec(env_id, n),
    "sync": lambda env_id, n: gym.make_vec(env_id, n, vectorization_mode="sync"),
    "workers": lambda env_id, n: turnwise.vector_env(env_id, n, worker=True),
}


def play(env: Any, steps: int) -> None:
    """So many steps of all games, always the same ones."""
    pick = random.Random(0).random
    observations, infos = env.reset(seed=0)
    for _ in range(steps):
        replies = [f"[{legal[int(pick() * len(legal))]}]" if legal else "" for legal in infos["legal_actions"]]
        observations, _, _, _, infos = env.step(replies)
    assert all(observations)


def count_turns(env: Any, steps: int) -> int:
    """Replies in `play`, the opponents' too: what every referee has counted by the end of each of its episodes."""
    referees = [single.unwrapped.referee for single in env.envs]
    turns = [0]
    start = Referee.start

    def counting(self: Referee, *arguments: Any) -> None:
        turns[0] += self.turns
        start(self, *arguments)

    before = sum(referee.turns for referee in referees)
    Referee.start = counting
    try:
        play(env, steps)
    finally:
        Referee.start = start
    return turns[0] - before + sum(referee.turns for referee in referees)


def measure(env: Any, steps: int, repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """Median speed over the repeats; spread is (fastest - slowest) / median."""
    turns = count_turns(env, steps)
    speeds = []
    for _ in range(repeats):
        start = clock()
        play(env, steps)
        speeds.append(turns / (clock() - start))
    median = statistics.median(speeds)
    return {
        "turns_per_s": round(median, 1),
        "us_per_turn": round(1e6 / median, 3),
        "spread": round((max(speeds) - min(speeds)) / median, 3),
    }


def main() -> None:
    """Measure, print the table, and write it down where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=1000, help="steps of a block; a tenth of it with workers")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--ids", nargs="*", default=IDS)
    parser.add_argument("--views", nargs="*", default=list(MAKERS), choices=list(MAKERS))
    arguments = parser.parse_args()
    rows = []
    for env_id in arguments.ids:
        for view in arguments.views:
            env = MAKERS[view](env_id, arguments.num_envs)
            away = view == "workers"
            steps, clock = (arguments.steps // 10, time.perf_counter) if away else (arguments.steps, time.process_time)
            speed = measure(env, max(steps, 1), arguments.repeats, clock)
            env.close()
            floor = {"floor": FLOOR} if view == "vector" and env_id in IDS else {}
            rows.append({"id": env_id, "view": view, "num_envs": arguments.num_envs, **speed, **floor})
    print_table(rows, COLUMNS)
    if arguments.json:
        save_result(arguments.json, rows, packages=("open-spiel", "gymnasium", "numpy"))


if __name__ == "__main__":
    main()
