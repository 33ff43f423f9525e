"""Games of OpenSpiel in words: one adapter, one small file of texts per game."""

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.backgammon import backgammon
from turnwise.envs.openspiel.blackjack import blackjack
from turnwise.envs.openspiel.breakthrough import breakthrough
from turnwise.envs.openspiel.chess import chess
from turnwise.envs.openspiel.connect_four import connect_four
from turnwise.envs.openspiel.go import go
from turnwise.envs.openspiel.hex import hex_game
from turnwise.envs.openspiel.kuhn_poker import kuhn_poker
from turnwise.envs.openspiel.leduc_poker import leduc_poker
from turnwise.envs.openspiel.liars_dice import liars_dice
from turnwise.envs.openspiel.named import named
from turnwise.envs.openspiel.nim import nim
from turnwise.envs.openspiel.othello import othello
from turnwise.envs.openspiel.pig import pig
from turnwise.envs.openspiel.plain import plain
from turnwise.envs.openspiel.texts import GameTexts
from turnwise.envs.openspiel.tic_tac_toe import tic_tac_toe

__all__ = [
    "GameTexts",
    "OpenSpielGame",
    "backgammon",
    "blackjack",
    "breakthrough",
    "chess",
    "connect_four",
    "go",
    "hex_game",
    "kuhn_poker",
    "leduc_poker",
    "liars_dice",
    "named",
    "nim",
    "othello",
    "pig",
    "plain",
    "tic_tac_toe",
]
