"""The games of OpenSpiel: those with an id of their own, then every game by its short name."""

from __future__ import annotations

from typing import Any

from turnwise.envs.catalogue.openspiel_names import NAMES
from turnwise.envs.spec import GameSpec

_PACKAGE = "turnwise.envs.openspiel"


def _spec(env_id: str, entry_point: str, summary: str, **kwargs: Any) -> GameSpec:
    """`entry_point` is `module:function`, the module without the package that all of them lie in."""
    return GameSpec(
        id=env_id,
        entry_point=f"{_PACKAGE}{entry_point}",
        kwargs=kwargs,
        requires=(("pyspiel", "open-spiel"),),
        family="openspiel",
        summary=summary,
    )


_OWN = (
    _spec("KuhnPoker-LLM", ":kuhn_poker", "Three cards, one bet: the smallest poker that needs bluffing."),
    _spec("TicTacToe-LLM", ":tic_tac_toe", "Three in a row on a board of nine cells."),
    _spec("LeducPoker-LLM", ":leduc_poker", "Six cards, two rounds of betting, one public card."),
    _spec("ConnectFour-LLM", ":connect_four", "Four in a row on a board of six rows and seven columns."),
    _spec("LiarsDice-LLM", ":liars_dice", "Rising bids on hidden dice, until someone calls the bluff."),
    _spec("Nim-LLM", ":nim", "Take objects from one pile at a time."),
    _spec("Chess-LLM", ".chess:chess", "Chess, in standard algebraic notation."),
    _spec("Go-LLM", ".go:go", "Go on nine by nine points, or up to nineteen; scored by area."),
    _spec("Hex-LLM", ".hex:hex_game", "Join your two sides of a board of hexagons."),
    _spec("Othello-LLM", ".othello:othello", "Outflank discs and turn them over."),
    _spec("Breakthrough-LLM", ".breakthrough:breakthrough", "Pawns race to the far row and take on the diagonal."),
    _spec("Backgammon-LLM", ".backgammon:backgammon", "Dice, fifteen checkers a side, and the race home."),
    _spec("Pig-LLM", ".pig:pig", "Roll on and gather, or stop and keep: a race to a hundred points."),
    _spec("Blackjack-LLM", ".blackjack:blackjack", "One seat against the dealer: hit or stand."),
)

_BY_NAME = tuple(
    _spec(f"OpenSpiel/{name}-LLM", ".named:named", f"OpenSpiel's {name.replace('_', ' ')}.", name=name)
    for name in NAMES
)

SPECS = (*_OWN, *_BY_NAME)
