"""Optimal play, for the games where it is known: Kuhn poker, tic-tac-toe, nim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, reduce
from operator import xor

import numpy as np

from turnwise.envs.core import TextGame, Unsupported
from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.nim import piles

KNOWN = ("kuhn_poker (two players)", "nim", "tic_tac_toe")
LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
JACK, QUEEN, KING = 0, 1, 2
BET = 1


def optimal_action(game: TextGame, rng: np.random.Generator, *, alpha: float = 1 / 3) -> str:
    """A legal move of an optimal policy for the seat to act; ties and mixed moves are drawn from `rng`.

    `alpha` in [0, 1/3] picks one of Kuhn poker's equilibria (see `kuhn_bet_probability`).
    Raises Unsupported for any other game, ValueError where no seat acts.
    """
    name = game.spiel_game.get_type().short_name if isinstance(game, OpenSpielGame) else type(game).__name__
    if not isinstance(game, OpenSpielGame) or not _is_known(game, name):
        raise Unsupported(f"optimal play is known for {', '.join(KNOWN)}: got {name}")
    if game.seat is None:
        raise ValueError("optimal play needs a seat to act: the game is over or has not begun")
    if name == "kuhn_poker":
        passing, betting = game.legal()
        return betting if rng.random() < _kuhn_probability(game, alpha) else passing
    choices = tic_tac_toe_moves(str(game.state).replace("\n", "")) if name == "tic_tac_toe" else _nim_names(game)
    return choices[int(rng.random() * len(choices))]


def has_optimal(game: TextGame) -> bool:
    """Whether `optimal_action` knows this game."""
    return isinstance(game, OpenSpielGame) and _is_known(game, game.spiel_game.get_type().short_name)


def _is_known(game: OpenSpielGame, name: str) -> bool:
    return name in ("nim", "tic_tac_toe") or (name == "kuhn_poker" and len(game.seats) == 2)


def kuhn_bet_probability(card: int, history: Sequence[int], alpha: float) -> float:
    """P(bet or call) in the equilibrium `alpha` of two-player Kuhn poker.

    `card` is 0, 1, 2 for Jack, Queen, King; `history` holds 0 for check and 1 for bet. The first player bets the Jack
    with probability alpha and the King with 3 alpha, and calls with the Queen with alpha + 1/3; the second player's
    policy is the same in all equilibria. Raises ValueError unless 0 <= alpha <= 1/3.
    Source: Kuhn 1950, "A simplified two-person poker".
    """
    if not 0 <= alpha <= 1 / 3:
        raise ValueError(f"Kuhn poker's equilibria have 0 <= alpha <= 1/3: got {alpha}")
    table = {
        (): (alpha, 0.0, 3 * alpha),
        (0,): (1 / 3, 0.0, 1.0),
        (1,): (0.0, 1 / 3, 1.0),
        (0, 1): (0.0, alpha + 1 / 3, 1.0),
    }
    return table[tuple(history)][card]


def _kuhn_probability(game: OpenSpielGame, alpha: float) -> float:
    history = game.state.history()
    return kuhn_bet_probability(history[game.state.current_player()], history[2:], alpha)


def tic_tac_toe_moves(cells: str) -> tuple[str, ...]:
    """The cells that keep the game's value for the mark to move. `cells` is nine of `.xo`."""
    return tuple(str(cell) for cell in _best_cells(cells))


@cache
def _best_cells(cells: str) -> tuple[int, ...]:
    values = {cell: -_value(_marked(cells, cell)) for cell, mark in enumerate(cells) if mark == "."}
    best = max(values.values())
    return tuple(cell for cell, value in values.items() if value == best)


@cache
def _value(cells: str) -> int:
    """Value for the mark to move under perfect play: 1, 0 or -1."""
    if any(cells[a] == cells[b] == cells[c] != "." for a, b, c in LINES):
        return -1  # the other mark has just completed a line
    if "." not in cells:
        return 0
    return max(-_value(_marked(cells, cell)) for cell, mark in enumerate(cells) if mark == ".")


def _marked(cells: str, cell: int) -> str:
    mark = "x" if cells.count("x") == cells.count("o") else "o"
    return cells[:cell] + mark + cells[cell + 1 :]


def nim_moves(sizes: Sequence[int], misere: bool) -> list[tuple[int, int]]:
    """The winning (pile index, take) moves, or all moves where none wins.

    A position is lost for who moves if the xor of its piles is 0; in misere play, once no pile is above 1, if the
    number of piles left is odd. Source: Bouton 1901, "Nim, a game with a complete mathematical theory".
    """
    moves = [(pile, take) for pile, size in enumerate(sizes) for take in range(1, size + 1)]
    winning = [(pile, take) for pile, take in moves if _lost(_taken(sizes, pile, take), misere)]
    return winning or moves


def _taken(sizes: Sequence[int], pile: int, take: int) -> list[int]:
    return [size - take if index == pile else size for index, size in enumerate(sizes)]


def _lost(sizes: Sequence[int], misere: bool) -> bool:
    """Whether the player to move loses against perfect play."""
    if misere and max(sizes) <= 1:
        return sum(sizes) % 2 == 1
    return reduce(xor, sizes) == 0


def _nim_names(game: OpenSpielGame) -> list[str]:
    misere = bool(game.spiel_game.get_parameters()["is_misere"])
    return [f"take {take} from pile {pile + 1}" for pile, take in nim_moves(piles(game.state), misere)]
