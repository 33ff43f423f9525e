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

_IMPERFECT = (
    _spec("GinRummy-LLM", ".imperfect.gin_rummy:gin_rummy", "One deal of gin rummy: gather melds, then knock."),
    _spec("Hanabi-LLM", ".imperfect.hanabi:hanabi", "Build fireworks together, seeing every hand but your own."),
    _spec("Goofspiel-LLM", ".imperfect.goofspiel:goofspiel", "Equal hands of cards bid for point cards, all at once."),
    _spec(
        "FirstSealedAuction-LLM",
        ".imperfect.first_sealed_auction:first_sealed_auction",
        "One sealed bid on an object of which only you know the value.",
    ),
    _spec("Negotiation-LLM", ".imperfect.negotiation:negotiation", "Share a pool of items; made-up words are allowed."),
    _spec("Bargaining-LLM", ".imperfect.bargaining:bargaining", "Share books, hats and basketballs: deal or no deal."),
    _spec(
        "CoinGame-LLM", ".imperfect.coin_game:coin_game", "Gather coins that somebody likes, but guess what others do."
    ),
    _spec("Battleship-LLM", ".imperfect.battleship:battleship", "Hide your ships and find those of the other side."),
    _spec("DarkHex-LLM", ".imperfect.dark_hex:dark_hex", "Hex in which the other side's stones are hidden."),
    _spec(
        "PhantomTicTacToe-LLM",
        ".imperfect.phantom_ttt:phantom_ttt",
        "Tic-tac-toe in which the other side's marks are hidden.",
    ),
    _spec("MatrixGame-LLM", ".imperfect.matrix_games:matrix_game", "A matrix game by its name, once or in rounds."),
    _spec(
        "PrisonersDilemma-LLM",
        ".imperfect.matrix_games:matrix_game",
        "The prisoner's dilemma in ten rounds.",
        game="matrix_pd",
        rounds=10,
    ),
    _spec(
        "UniversalPoker-LLM",
        ".imperfect.universal_poker:universal_poker",
        "Poker from one card each to Texas hold'em, with fixed raises or without limit.",
    ),
)

_BY_NAME = tuple(
    _spec(f"OpenSpiel/{name}-LLM", ".named:named", f"OpenSpiel's {name.replace('_', ' ')}.", name=name)
    for name in NAMES
)

SPECS = (*_OWN, *_IMPERFECT, *_BY_NAME)
