"""What the phantom games share: a move may meet a hidden stone of the other side, and only then is it seen.

A state's own strings are never read before the end: what a seat may know comes from OpenSpiel's observation of it.
"""

from __future__ import annotations

from turnwise.envs.openspiel.texts import SpielState, moves, seat_name

MARKS = "xo"
VERSIONS = {
    "again": "you learn it and choose another cell, until you find an empty one",
    "lost": "you learn it and your turn is over",
}
REVEALING = "reveal-numturns"
OBSERVATIONS = ("reveal-nothing", REVEALING)


def check_observation(game: str, obstype: str) -> None:
    """Raises ValueError unless it is a kind of observation."""
    if obstype not in OBSERVATIONS:
        raise ValueError(f"obstype of {game} is one of {', '.join(OBSERVATIONS)}: got {obstype!r}")


def view(state: SpielState, player: int) -> list[str]:
    """The rows of the board as the player knows it, one character out of `.xo` per cell."""
    rows = state.observation_string(player).lower().splitlines()
    return [row for row in rows if "turns" not in row]


def tells_tries(state: SpielState) -> bool:
    return bool(state.get_game().get_parameters()["obstype"] == REVEALING)


def tries(state: SpielState) -> int:
    """Moves of both sides so far, those that met a stone too."""
    return len(moves(state))


def event(state: SpielState, action: int, reader: int, cell: str) -> str:
    """What became of the reader's own try; of the others' tries at most that there was one."""
    actor = state.current_player()
    if actor != reader:
        return f"{seat_name(actor)} makes a try." if tells_tries(state) else ""
    if _met(state, action):
        return f"Cell {cell} is taken by {seat_name(1 - actor)}."
    return placed(cell, actor)


def placed(cell: str, player: int) -> str:
    """The sentence for a stone that stands; only its owner reads it."""
    return f"Your {MARKS[player]} stands on cell {cell}."


def _met(state: SpielState, action: int) -> bool:
    """Whether a try meets a stone of the other side."""
    actor = state.current_player()
    after = "".join(view(state.child(action), actor))
    return after[action] == MARKS[1 - actor]


def own_cells(state: SpielState, player: int) -> list[int]:
    """Cells where the player's stones stand."""
    return [cell for cell, mark in enumerate("".join(view(state, player))) if mark == MARKS[player]]


def count_line(state: SpielState) -> str:
    """The tries of both sides so far, where they are told."""
    return f"Tries of both players so far: {tries(state)}." if tells_tries(state) else ""


def compact(state: SpielState, player: int) -> str:
    told = f" tries {tries(state)}" if tells_tries(state) else ""
    return f"{short(state, player)} unknown .{told}"


def short(state: SpielState, player: int) -> str:
    """The seat's mark and its board: with a stone of its own no other seat can have read the same."""
    return f"you {MARKS[player]} {'/'.join(view(state, player))}"
