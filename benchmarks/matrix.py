"""Which official checker each environment passes, as a Markdown table.

python benchmarks/matrix.py
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable

import gymnasium as gym
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test, seed_test
from pettingzoo.utils.conversions import turn_based_aec_to_parallel

import turnwise
from turnwise.envs.registry import GAMES

CHECKS: dict[str, Callable[[str], None]] = {
    "Gymnasium `check_env`": lambda env_id: check_env(gym.make(env_id).unwrapped),
    "PettingZoo `api_test`": lambda env_id: api_test(turnwise.aec_env(env_id), num_cycles=200),
    "PettingZoo `seed_test`": lambda env_id: seed_test(lambda: turnwise.aec_env(env_id), num_cycles=200),
    "PettingZoo `parallel_api_test` (*)": lambda env_id: parallel_api_test(
        turn_based_aec_to_parallel(turnwise.aec_env(env_id)), num_cycles=200
    ),
}


def verdict(check: Callable[[str], None], env_id: str) -> str:
    """`pass`, or the name of what the checker raised."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            check(env_id)
        except Exception as error:  # a checker may raise anything: its name is the result
            return f"**{type(error).__name__}**"
    return "pass"


def flags(env_id: str) -> str:
    """The optional members that the game declares."""
    game = turnwise.make_game(env_id)
    names = ("zero_sum", "can_clone", "has_anchor", "has_ground_truth", "dense_rewards", "simultaneous")
    return ", ".join(f"`{name}`" for name in names if getattr(game, name))


def main() -> None:
    """Print the table."""
    print("| id | declares |", " | ".join(CHECKS), "|")
    print("|---|---|" + "---|" * len(CHECKS))
    for env_id in GAMES:
        print(f"| `{env_id}` | {flags(env_id)} |", " | ".join(verdict(check, env_id) for check in CHECKS.values()), "|")


if __name__ == "__main__":
    main()
