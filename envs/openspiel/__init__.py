"""Games of OpenSpiel in words: one adapter, one small file of texts per game."""

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.connect_four import connect_four
from turnwise.envs.openspiel.kuhn_poker import kuhn_poker
from turnwise.envs.openspiel.leduc_poker import leduc_poker
from turnwise.envs.openspiel.liars_dice import liars_dice
from turnwise.envs.openspiel.nim import nim
from turnwise.envs.openspiel.plain import plain
from turnwise.envs.openspiel.texts import GameTexts
from turnwise.envs.openspiel.tic_tac_toe import tic_tac_toe

__all__ = [
    "GameTexts",
    "OpenSpielGame",
    "connect_four",
    "kuhn_poker",
    "leduc_poker",
    "liars_dice",
    "nim",
    "plain",
    "tic_tac_toe",
]
