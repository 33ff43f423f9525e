"""Phantom tic-tac-toe: the marks of the other side are hidden until you try their cells."""

from __future__ import annotations

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.imperfect import phantom
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState

VERSIONS = {"classical": "again", "abrupt": "lost"}


def phantom_ttt(
    *,
    gameversion: str = "classical",
    obstype: str = "reveal-nothing",
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Phantom tic-tac-toe; `abrupt`: a try that meets a mark costs the turn. Raises ValueError on a bad setting."""
    if gameversion not in VERSIONS:
        raise ValueError(f"gameversion of phantom_ttt is one of {', '.join(VERSIONS)}: got {gameversion!r}")
    phantom.check_observation("phantom_ttt", obstype)
    return OpenSpielGame(
        "phantom_ttt",
        TEXTS,
        parameters={"gameversion": gameversion, "obstype": obstype},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    told = " You are told of every try of the other player." if rules["obstype"] == phantom.REVEALING else ""
    return (
        "This is phantom tic-tac-toe for two players. player_0 plays x and moves first, player_1 plays o. "
        "The cells of the three by three board are numbered 0 1 2 in the first row, 3 4 5 in the second and "
        "6 7 8 in the third. Three of your marks in a row, a column or a diagonal win; a full board without such a "
        "line is a draw. You do not see the marks of the other player. In turn you try a cell that is not known to be "
        f"taken: if it is empty you mark it; if the other player has marked it, "
        f"{phantom.VERSIONS[VERSIONS[rules['gameversion']]]}.{told}\n"
        "The board shows what you know, and the numbers of the cells that you have not tried.\n"
        "Answer with the number of a cell in square brackets, for example [4]."
    )


def _action_name(state: SpielState, action: int) -> str:
    return str(action)


def _event(state: SpielState, action: int, reader: int) -> str:
    return phantom.event(state, action, reader, str(action))


def _numbered(rows: list[str]) -> str:
    cells = [str(cell) if mark == "." else mark for cell, mark in enumerate("".join(rows))]
    return "\n".join(" ".join(cells[row : row + 3]) for row in (0, 3, 6))


def _board(state: SpielState, player: int) -> str:
    return "\n".join(filter(None, (_numbered(phantom.view(state, player)), phantom.count_line(state))))


def _whole(state: SpielState, player: int) -> str:
    return f"{_board(state, player)}\nYou play {phantom.MARKS[player]}."


def _secrets(state: SpielState, player: int) -> tuple[str, ...]:
    cells = phantom.own_cells(state, player)
    marks = tuple(phantom.placed(str(cell), player) for cell in cells)
    return (*marks, phantom.short(state, player)) if cells else ()


def _ending(state: SpielState, player: int) -> str:
    rows = str(state).splitlines()
    return "All marks:\n" + "\n".join(" ".join(row) for row in rows)


TEXTS = GameTexts(
    rules=_rules,
    action_name=_action_name,
    event=_event,
    compact=phantom.compact,
    board=_board,
    whole=_whole,
    secrets=_secrets,
    ending=_ending,
)
