"""`named`: any game of OpenSpiel by its short name, in words of its own where it has some, else in OpenSpiel's."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from turnwise.envs.core import TextGame
from turnwise.envs.openspiel.curated import CURATED
from turnwise.envs.openspiel.plain import plain

HEADS_UP = (
    "universal_poker(betting=nolimit,bettingAbstraction=fullgame,blind=1 2,firstPlayer=2 1 1 1,numBoardCards=0 3 1 1,"
    "numHoleCards=2,numPlayers=2,numRanks=13,numRounds=4,numSuits=4,stack=20 20)"
)
"""No-limit Texas hold'em for two with ten big blinds each."""

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # What OpenSpiel demands.
    "add_noise": {"game": "kuhn_poker", "epsilon": 1.0, "seed": 1},
    "cached_tree": {"game": "kuhn_poker"},
    "coop_to_1p": {"game": "tiny_hanabi"},
    "misere": {"game": "tic_tac_toe"},
    "normal_form_extensive_game": {"game": "kuhn_poker"},
    "repeated_game": {"stage_game": "matrix_pd", "num_repetitions": 10},
    "repeated_poker": {
        "max_num_hands": 5,
        "reset_stacks": True,
        "rotate_dealer": True,
        "universal_poker_game_string": HEADS_UP,
    },
    "restricted_nash_response": {"game": "kuhn_poker", "fixed_player": 0, "p": 0.5},
    "start_at": {"game": "tic_tac_toe", "history": "4;0"},
    "turn_based_simultaneous_game": {"game": "matrix_rps"},
    "zerosum": {"game": "matrix_pd"},
    # What keeps an episode short enough for a dialogue, or a move from taking tenths of a second.
    "bridge": {"use_double_dummy_result": False},
    "bridge_uncontested_bidding": {"num_redeals": 1},
    "capture_the_flag": {"horizon": 100},
    "chinese_checkers": {"max_moves": 200},
    "cursor_go": {"board_size": 5, "max_cursor_moves": 20},
    "go": {"board_size": 9},
    "laser_tag": {"horizon": 100},
    "markov_soccer": {"horizon": 100},
    "mfg_crowd_modelling_2d": {"size": 5},
    "pathfinding": {"horizon": 100},
    "python_iterated_prisoners_dilemma": {"max_game_length": 50},
}
"""Short name -> parameters of its id where they are not OpenSpiel's; the caller's win."""


def named(name: str, **settings: Any) -> TextGame:
    """The game with its parameters and the adapter's settings. Raises ValueError, TypeError as its maker does."""
    settings = {**DEFAULTS.get(name, {}), **settings}
    if name not in CURATED:
        return plain(name, **settings)
    module, _, function = CURATED[name].partition(":")
    game: TextGame = getattr(import_module(module), function)(**settings)
    return game
