"""Gymnasium's toy-text environments in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium

from turnwise.envs.bridges.gymnasium_game import GymnasiumGame

_COMPASS = {"left": 0, "down": 1, "right": 2, "up": 3}
_PLACES = ("red (row 0, column 0)", "green (row 0, column 4)", "yellow (row 4, column 0)", "blue (row 4, column 3)")


def frozen_lake(*, slippery: bool = False, size: int = 4, max_steps: int = 100, prompt: str = "full") -> GymnasiumGame:
    """FrozenLake-v1 on its own 4 x 4 or 8 x 8 map. Reward: 1 at the goal. Raises ValueError for another size."""
    if size not in (4, 8):
        raise ValueError(f"size is 4 or 8: got {size}")
    rules = "You (P) walk over a frozen lake to the goal (G), over ice (. and S) and around holes (H)."
    if slippery:
        rules += " The ice is slippery: two times out of three you slide to a side."
    return GymnasiumGame(
        "FrozenLake-v1",
        env_kwargs={"is_slippery": slippery, "map_name": f"{size}x{size}"},
        describe=_lake,
        actions=_COMPASS,
        rules=rules,
        bounds=(0.0, 1.0),
        max_steps=max_steps,
        prompt=prompt,
    )


def cliff_walking(*, max_steps: int = 100, prompt: str = "full") -> GymnasiumGame:
    """CliffWalking-v1 (or v0). Reward: -1 a step, -100 for a fall, which leads back to the start."""
    return GymnasiumGame(
        _known("CliffWalking-v1", "CliffWalking-v0"),
        describe=_cliff,
        actions={"up": 0, "right": 1, "down": 2, "left": 3},
        rules=(
            "You walk on a grid of 4 rows and 12 columns from row 3, column 0 to row 3, column 11. Between them in row "
            "3 is a cliff: whoever steps there falls, loses 100 and is back at the start. Every step costs 1."
        ),
        bounds=(-100.0 * max_steps, 0.0),
        max_steps=max_steps,
        prompt=prompt,
    )


def taxi(*, max_steps: int = 200, prompt: str = "full") -> GymnasiumGame:
    """Taxi-v4 (or v3). Reward: -1 a step, -10 for a wrong pick-up or drop, 20 for a delivery."""
    return GymnasiumGame(
        _known("Taxi-v4", "Taxi-v3"),
        describe=_taxi,
        actions={"south": 0, "north": 1, "east": 2, "west": 3, "pick up": 4, "drop off": 5},
        rules=(
            "You drive a taxi on a grid of 5 rows and 5 columns with some walls between columns. Fetch the passenger "
            f"and bring it to its destination. The stands are {', '.join(_PLACES)}."
        ),
        bounds=(-10.0 * max_steps, 20.0),
        max_steps=max_steps,
        prompt=prompt,
    )


def blackjack(*, prompt: str = "full") -> GymnasiumGame:
    """Blackjack-v1 with an endless deck. Reward: 1, 0 or -1."""
    return GymnasiumGame(
        "Blackjack-v1",
        describe=_blackjack,
        actions={"stick": 0, "hit": 1},
        rules=(
            "This is blackjack against a dealer: come closer to 21 than the dealer without going over it. Face cards "
            "count 10, an ace 1 or 11. The dealer draws up to 17."
        ),
        bounds=(-1.0, 1.0),
        prompt=prompt,
    )


def _known(*env_ids: str) -> str:
    """The first of these ids that this Gymnasium has."""
    return next(env_id for env_id in env_ids if env_id in gymnasium.registry)


def _lake(observation: Any, info: Mapping[str, Any], env: Any) -> str:
    cells = [[cell.decode() for cell in row] for row in env.desc]
    row, column = divmod(int(observation), len(cells[0]))
    under = cells[row][column]
    shown = [["." if cell == "F" else cell for cell in line] for line in cells]
    shown[row][column] = "P"
    ended = {"G": "\nYou are at the goal.", "H": "\nYou have fallen into a hole."}.get(under, "")
    return "\n".join("".join(line) for line in shown) + ended


def _cliff(observation: Any, info: Mapping[str, Any], env: Any) -> str:
    row, column = divmod(int(observation), 12)
    return f"You are at row {row}, column {column}."


def _taxi(observation: Any, info: Mapping[str, Any], env: Any) -> str:
    row, column, passenger, goal = env.decode(int(observation))
    where = "in the taxi" if passenger == 4 else f"at {_PLACES[passenger]}"
    return f"The taxi is at row {row}, column {column}. The passenger is {where} and wants to go to {_PLACES[goal]}."


def _blackjack(observation: Any, info: Mapping[str, Any], env: Any) -> str:
    total, dealer, ace = (int(part) for part in observation)
    return f"Your cards count {total}{', with an ace as 11' if ace else ''}. The dealer shows {dealer}."
