"""The games of OpenSpiel that have texts of their own: strings only, so that nothing is imported before its use."""

from __future__ import annotations

from collections.abc import Mapping

CURATED: Mapping[str, str] = {
    "backgammon": "turnwise.envs.openspiel.backgammon:backgammon",
    "bargaining": "turnwise.envs.openspiel.imperfect.bargaining:bargaining",
    "battleship": "turnwise.envs.openspiel.imperfect.battleship:battleship",
    "blackjack": "turnwise.envs.openspiel.blackjack:blackjack",
    "breakthrough": "turnwise.envs.openspiel.breakthrough:breakthrough",
    "chess": "turnwise.envs.openspiel.chess:chess",
    "coin_game": "turnwise.envs.openspiel.imperfect.coin_game:coin_game",
    "connect_four": "turnwise.envs.openspiel.connect_four:connect_four",
    "dark_hex": "turnwise.envs.openspiel.imperfect.dark_hex:dark_hex",
    "first_sealed_auction": "turnwise.envs.openspiel.imperfect.first_sealed_auction:first_sealed_auction",
    "gin_rummy": "turnwise.envs.openspiel.imperfect.gin_rummy:gin_rummy",
    "go": "turnwise.envs.openspiel.go:go",
    "goofspiel": "turnwise.envs.openspiel.imperfect.goofspiel:goofspiel",
    "hanabi": "turnwise.envs.openspiel.imperfect.hanabi:hanabi",
    "hex": "turnwise.envs.openspiel.hex:hex_game",
    "kuhn_poker": "turnwise.envs.openspiel.kuhn_poker:kuhn_poker",
    "leduc_poker": "turnwise.envs.openspiel.leduc_poker:leduc_poker",
    "liars_dice": "turnwise.envs.openspiel.liars_dice:liars_dice",
    "matching_pennies_3p": "turnwise.envs.openspiel.imperfect.matrix_games:matching_pennies_3p",
    "matrix_bos": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_bos",
    "matrix_brps": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_brps",
    "matrix_cd": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_cd",
    "matrix_coordination": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_coordination",
    "matrix_mp": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_mp",
    "matrix_pd": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_pd",
    "matrix_rps": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_rps",
    "matrix_rpsw": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_rpsw",
    "matrix_sh": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_sh",
    "matrix_shapleys_game": "turnwise.envs.openspiel.imperfect.matrix_games:matrix_shapleys_game",
    "negotiation": "turnwise.envs.openspiel.imperfect.negotiation:negotiation",
    "nim": "turnwise.envs.openspiel.nim:nim",
    "othello": "turnwise.envs.openspiel.othello:othello",
    "phantom_ttt": "turnwise.envs.openspiel.imperfect.phantom_ttt:phantom_ttt",
    "pig": "turnwise.envs.openspiel.pig:pig",
    "tic_tac_toe": "turnwise.envs.openspiel.tic_tac_toe:tic_tac_toe",
    "universal_poker": "turnwise.envs.openspiel.imperfect.universal_poker:universal_poker",
}
"""OpenSpiel's short name -> `module:function`; the function takes OpenSpiel's parameters and the adapter's settings."""
