"""The games of OpenSpiel."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

_OPEN_SPIEL = (("pyspiel", "open-spiel"),)

SPECS = (
    GameSpec(
        id="KuhnPoker-LLM",
        entry_point="turnwise.envs.openspiel:kuhn_poker",
        requires=_OPEN_SPIEL,
        family="openspiel",
        summary="Three cards, one bet: the smallest poker that needs bluffing.",
    ),
    GameSpec(
        id="TicTacToe-LLM",
        entry_point="turnwise.envs.openspiel:tic_tac_toe",
        requires=_OPEN_SPIEL,
        family="openspiel",
        summary="Three in a row on a board of nine cells.",
    ),
    GameSpec(
        id="LeducPoker-LLM",
        entry_point="turnwise.envs.openspiel:leduc_poker",
        requires=_OPEN_SPIEL,
        family="openspiel",
        summary="Six cards, two rounds of betting, one public card.",
    ),
    GameSpec(
        id="ConnectFour-LLM",
        entry_point="turnwise.envs.openspiel:connect_four",
        requires=_OPEN_SPIEL,
        family="openspiel",
        summary="Four in a row on a board of six rows and seven columns.",
    ),
    GameSpec(
        id="LiarsDice-LLM",
        entry_point="turnwise.envs.openspiel:liars_dice",
        requires=_OPEN_SPIEL,
        family="openspiel",
        summary="Rising bids on hidden dice, until someone calls the bluff.",
    ),
    GameSpec(
        id="Nim-LLM",
        entry_point="turnwise.envs.openspiel:nim",
        requires=_OPEN_SPIEL,
        family="openspiel",
        summary="Take objects from one pile at a time.",
    ),
)
