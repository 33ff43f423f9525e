"""The games of OpenSpiel that have texts of their own: strings only, so that nothing is imported before its use."""

from __future__ import annotations

from collections.abc import Mapping

CURATED: Mapping[str, str] = {
    "backgammon": "turnwise.envs.openspiel.backgammon:backgammon",
    "blackjack": "turnwise.envs.openspiel.blackjack:blackjack",
    "breakthrough": "turnwise.envs.openspiel.breakthrough:breakthrough",
    "chess": "turnwise.envs.openspiel.chess:chess",
    "connect_four": "turnwise.envs.openspiel.connect_four:connect_four",
    "go": "turnwise.envs.openspiel.go:go",
    "hex": "turnwise.envs.openspiel.hex:hex_game",
    "kuhn_poker": "turnwise.envs.openspiel.kuhn_poker:kuhn_poker",
    "leduc_poker": "turnwise.envs.openspiel.leduc_poker:leduc_poker",
    "liars_dice": "turnwise.envs.openspiel.liars_dice:liars_dice",
    "nim": "turnwise.envs.openspiel.nim:nim",
    "othello": "turnwise.envs.openspiel.othello:othello",
    "pig": "turnwise.envs.openspiel.pig:pig",
    "tic_tac_toe": "turnwise.envs.openspiel.tic_tac_toe:tic_tac_toe",
}
"""OpenSpiel's short name -> `module:function`; the function takes OpenSpiel's parameters and the adapter's settings."""
