"""Dark hex: hex in which the stones of the other side are hidden until you try their cells."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.grid import coordinates
from turnwise.envs.openspiel.imperfect import phantom
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState

VERSIONS = {"cdh": "again", "adh": "lost"}
SIDES = ("the top and the bottom row", "the left and the right column")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def dark_hex(
    *,
    board_size: int = 3,
    num_cols: int | None = None,
    num_rows: int | None = None,
    gameversion: str = "cdh",
    obstype: str = "reveal-nothing",
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Dark hex, classical (`cdh`) or abrupt (`adh`: a try that meets a stone costs the turn). Raises ValueError."""
    columns = board_size if num_cols is None else num_cols
    rows = board_size if num_rows is None else num_rows
    if not (1 <= columns <= len(LETTERS) and 1 <= rows <= len(LETTERS)):
        raise ValueError(f"dark_hex needs 1 to {len(LETTERS)} columns and rows: got {columns} and {rows}")
    if gameversion not in VERSIONS:
        raise ValueError(f"gameversion of dark_hex is one of {', '.join(VERSIONS)}: got {gameversion!r}")
    phantom.check_observation("dark_hex", obstype)
    return OpenSpielGame(
        "dark_hex",
        TEXTS,
        parameters={"num_cols": columns, "num_rows": rows, "gameversion": gameversion, "obstype": obstype},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    told = " You are told of every try of the other player." if rules["obstype"] == phantom.REVEALING else ""
    return (
        f"This is dark hex for two players on a board of {rules['num_cols']} columns and {rules['num_rows']} rows of "
        "hexagons, where every row stands half a cell further right than the one above it. A cell touches its left and "
        "right neighbour, the cell above and the one above to the right, the cell below and the one below to the left: "
        "b2 touches a2, c2, b1, c1, b3 and a3, where the board has them. player_0 plays x and moves first, player_1 "
        "plays o. x wins by a chain of touching stones from the top row to the bottom row, o by one from the left "
        "column to the right column; there is no draw. You do not see the stones of the other player. In turn you try "
        "a cell that is not known to "
        f"be taken: if it is empty your stone stands there; if the other player has a stone there, "
        f"{phantom.VERSIONS[VERSIONS[rules['gameversion']]]}.{told}\n"
        "Columns are letters from the left, rows are numbers from the top. The board shows what you know.\n"
        "Answer with a cell in square brackets, for example [a1]."
    )


def _name(state: SpielState, cell: int) -> str:
    row, column = divmod(cell, state.get_game().get_parameters()["num_cols"])
    return f"{LETTERS[column]}{row + 1}"


def _event(state: SpielState, action: int, reader: int) -> str:
    return phantom.event(state, action, reader, _name(state, action))


def _slanted(rows: list[str]) -> str:
    return coordinates(rows, LETTERS[: len(rows[0])], [str(rank) for rank in range(1, len(rows) + 1)], slant=1)


def _board(state: SpielState, player: int) -> str:
    goal = f"You play {phantom.MARKS[player]} and join {SIDES[player]}."
    lines = (_slanted(phantom.view(state, player)), goal, phantom.count_line(state))
    return "\n".join(filter(None, lines))


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    cells = phantom.own_cells(state, player)
    stones = tuple(phantom.placed(_name(state, cell), player) for cell in cells)
    return (*stones, phantom.short(state, player)) if cells else ()


def _ending(state: SpielState, player: int) -> str:
    rows = [line.replace(" ", "").lower() for line in str(state).splitlines() if line.strip()]
    return f"All stones:\n{_slanted(rows)}"


TEXTS = GameTexts(
    rules=_rules,
    action_name=_name,
    event=_event,
    compact=phantom.compact,
    board=_board,
    whole=_board,
    secrets=_secrets,
    ending=_ending,
)
