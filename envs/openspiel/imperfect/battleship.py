"""Battleship: hide your ships, then find those of the other side.

Source: Farina et al. 2019, "Correlation in extensive-form games: saddle-point formulation and benchmarks", NeurIPS.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.grid import coordinates
from turnwise.envs.openspiel.imperfect.words import counted, listed
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

COLUMNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
OUTCOMES = {"W": "miss", "H": "hit", "S": "sunk"}
MARKS = {"W": "o", "H": "x", "S": "s"}


def battleship(
    *,
    board_height: int = 10,
    board_width: int = 10,
    num_shots: int = 50,
    ship_sizes: str = "[2;3;3;4;5]",
    ship_values: str = "[1.0;1.0;1.0;1.0;1.0]",
    allow_repeated_shots: bool = True,
    loss_multiplier: float = 1.0,
    prompt: str = "full",
    show_legal_moves: bool = False,
) -> OpenSpielGame:
    """Battleship for two. Lists of ships are written as OpenSpiel does: "[2;3]". Raises ValueError on a bad setting."""
    if not (1 <= board_width <= len(COLUMNS) and 1 <= board_height <= len(COLUMNS)):
        raise ValueError(f"battleship needs boards of 1 to 26 rows and columns: got {board_height} x {board_width}")
    if num_shots < 1:
        raise ValueError(f"battleship needs num_shots >= 1: got {num_shots}")
    return OpenSpielGame(
        "battleship",
        TEXTS,
        parameters={
            "board_height": board_height,
            "board_width": board_width,
            "num_shots": num_shots,
            "ship_sizes": ship_sizes,
            "ship_values": ship_values,
            "allow_repeated_shots": allow_repeated_shots,
            "loss_multiplier": loss_multiplier,
        },
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _parts(text: str) -> list[float]:
    """The numbers of a list such as `[1.0;2.5]`."""
    return [float(part) for part in text.strip("[] ").split(";")]


def _sizes(game: SpielGame) -> list[int]:
    return [int(size) for size in _parts(game.get_parameters()["ship_sizes"])]


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    width, height, sizes = rules["board_width"], rules["board_height"], _sizes(game)
    values = ", ".join(f"{value:g}" for value in _parts(rules["ship_values"]))
    loss, again = rules["loss_multiplier"], rules["allow_repeated_shots"]
    lost = "the values of your ships that were sunk"
    return (
        f"This is battleship for two players. Each has a hidden board of {height} rows and {width} columns and "
        f"{counted(len(sizes), 'ship')}, which occupy {listed([str(size) for size in sizes])} cells in a line. First "
        "you take turns to place your ships, in this order; ships do not overlap. Then you take turns to shoot at a "
        "cell of the other board and hear miss, hit, or sunk where all cells of the ship have been hit. Each player "
        f"has {counted(rules['num_shots'], 'shot')}"
        f"{'' if again else ', no two of them at one cell'}. player_0 begins. "
        "The game ends when all shots are fired or all ships of one player are sunk.\n"
        f"The ships have the values {values}, in their order. Your result is the sum of the values of the ships that "
        f"you sank, minus {lost if loss == 1 else f'{loss:g} times {lost}'}.\n"
        f"Columns are letters from A to {COLUMNS[width - 1]}, rows are numbers from 1 to {height} from the top down. "
        "Answer in square brackets. A ship is placed by its upper left cell and its direction, for example "
        "[A1 across] or [A1 down]; a shot names its cell, for example [A1]."
    )


def _cell(row: int, column: int) -> str:
    return f"{COLUMNS[column]}{row + 1}"


def _names(state: SpielState, actions: Sequence[int]) -> list[str]:
    rules = state.get_game().get_parameters()
    return [_name(action, rules["board_height"], rules["board_width"]) for action in actions]


def _name(action: int, height: int, width: int) -> str:
    """OpenSpiel numbers the shots at all cells first, then the ships that lie across, then those that stand."""
    kind, cell = divmod(action, height * width)
    return f"{_cell(*divmod(cell, width))}{('', ' across', ' down')[kind]}"


def _action_name(state: SpielState, action: int) -> str:
    return _names(state, (action,))[0]


def _shots(state: SpielState, player: int) -> list[tuple[int, int, str]]:
    """(row, column, outcome W, H or S) of the player's shots."""
    found = re.findall(r"/shot_(\d+)_(\d+):([WHS])", state.information_state_string(player))
    return [(int(row), int(column), outcome) for row, column, outcome in found]


def _placed(state: SpielState, player: int) -> list[str]:
    """The player's ships so far, each by its upper left cell and direction."""
    count = len(_sizes(state.get_game()))
    return _names(state, [action for seat, action in moves(state)[: 2 * count] if seat == player])


def _event(state: SpielState, action: int, reader: int) -> str:
    """Shots, with what they met. Where a ship is placed stays untold."""
    actor, name = state.current_player(), _action_name(state, action)
    if len(_placed(state, 1)) < len(_sizes(state.get_game())):
        return ""
    outcome = OUTCOMES[_shots(state.child(action), actor)[-1][2]]
    return f"{'You shoot' if actor == reader else f'{seat_name(actor)} shoots'} at {name}: {outcome}."


def _waters(state: SpielState, player: int) -> list[str]:
    """The player's board from the top down: ships a, b, ..., hit cells in capitals, * where a shot missed."""
    height = state.get_game().get_parameters()["board_height"]
    rows = re.findall(r"^\|(.*)\|$", state.observation_string(player), re.MULTILINE)
    return [row.replace(" ", ".") for row in rows[:height]]


def _targets(state: SpielState, player: int) -> list[str]:
    """What the player knows of the other board: o miss, x hit, s the hit that sank a ship."""
    rules = state.get_game().get_parameters()
    rows = [["."] * rules["board_width"] for _ in range(rules["board_height"])]
    for row, column, outcome in _shots(state, player):
        if rows[row][column] == ".":
            rows[row][column] = MARKS[outcome]
    return ["".join(row) for row in rows]


def _grid(rows: list[str]) -> str:
    return coordinates(rows, COLUMNS[: len(rows[0])], [str(number) for number in range(1, len(rows) + 1)])


def _fleet(state: SpielState, player: int) -> str:
    sizes = _sizes(state.get_game())
    ships = [f"{counted(size, 'cell')} at {place}" for size, place in zip(sizes, _placed(state, player), strict=False)]
    return f"Ships of {seat_name(player)}: {', '.join(ships)}."


def _task(state: SpielState, player: int) -> str:
    """What the player does next."""
    sizes, placed = _sizes(state.get_game()), _placed(state, player)
    if state.is_terminal():
        return ""
    if len(placed) < len(sizes):
        return f"Your next ship to place occupies {counted(sizes[len(placed)], 'cell')}."
    return f"Shots left: {state.get_game().get_parameters()['num_shots'] - len(_shots(state, player))}."


def _board(state: SpielState, player: int) -> str:
    placed = _placed(state, player)
    lines = [
        f"Your board (a letter for each ship, in capitals where it is hit; * a miss):\n{_grid(_waters(state, player))}"
        if placed
        else "",
        _fleet(state, player) if placed else "",
        f"Your shots (o miss, x hit, s sunk):\n{_grid(_targets(state, player))}" if _shots(state, player) else "",
        _task(state, player),
    ]
    return "\n".join(filter(None, lines))


def _short(state: SpielState, player: int) -> str:
    return f"p{player} ships {', '.join(_placed(state, player)) or 'none'} own"


def _compact(state: SpielState, player: int) -> str:
    sizes, placed = _sizes(state.get_game()), _placed(state, player)
    if len(placed) < len(sizes):
        return f"place {sizes[len(placed)]} {_short(state, player)} {'/'.join(_waters(state, player))}"
    left = state.get_game().get_parameters()["num_shots"] - len(_shots(state, player))
    own, other = "/".join(_waters(state, player)), "/".join(_targets(state, player))
    return f"shoot {left} {_short(state, player)} {own} shots {other}"


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    return (_fleet(state, player), _short(state, player)) if _placed(state, player) else ()


def _ending(state: SpielState, player: int) -> str:
    """Ships that each side lost: those of which no cell is left whole."""
    letters = [chr(ord("a") + ship) for ship in range(len(_sizes(state.get_game())))]
    lost = [
        sum(letter not in "".join(_waters(state, seat)) for letter in letters) for seat in range(state.num_players())
    ]
    return "Ships sunk: " + ", ".join(f"{count} of {seat_name(seat)}" for seat, count in enumerate(lost)) + "."


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    names=_names,
    event=_event,
    compact=_compact,
    board=_board,
    whole=_board,
    secrets=_secrets,
    ending=_ending,
)
