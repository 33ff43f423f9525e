"""The games of OpenSpiel that turnwise has ids for. Names only, so that the catalogue needs no import of OpenSpiel."""

from __future__ import annotations

from collections.abc import Mapping

NAMES: tuple[str, ...] = tuple(
    """
    2048 add_noise amazons antichess backgammon banqi bargaining battleship blackjack blotto breakthrough bridge
    bridge_uncontested_bidding cached_tree capture_the_flag catch chat_game checkers chess chinese_checkers
    cliff_walking clobber coin_game colored_trails connect_four coop_box_pushing coop_to_1p coordinated_mp
    crazy_eights crazyhouse cribbage cursor_go dark_chess dark_hex dark_hex_ir deep_sea dots_and_boxes dou_dizhu
    einstein_wurfelt_nicht euchre first_sealed_auction gin_rummy go go_fish gomoku goofspiel hanabi havannah hearts
    hex hive kriegspiel kuhn_poker laser_tag latent_ttt leduc_poker lewis_signaling liars_dice liars_dice_ir
    lines_of_action maedn mancala markov_soccer matching_pennies_3p matrix_bos matrix_brps matrix_cd
    matrix_coordination matrix_mp matrix_pd matrix_rps matrix_rpsw matrix_sh matrix_shapleys_game
    mfg_crowd_modelling mfg_crowd_modelling_2d mfg_dynamic_routing mfg_garnet misere mnk morpion_solitaire
    negotiation nim nine_mens_morris normal_form_extensive_game oh_hell oshi_zumo othello oware pathfinding pentago
    phantom_go phantom_ttt phantom_ttt_ir pig python_ant_foraging python_block_dominoes python_dynamic_routing
    python_hangman python_iterated_prisoners_dilemma python_kuhn_poker python_liars_poker python_team_dominoes
    python_tic_tac_toe quoridor rbc repeated_game repeated_leduc_poker repeated_poker restricted_nash_response
    sheriff shogi skat snake social_deduction solitaire spades start_at stones_and_gems tarok tic_tac_toe
    tiny_bridge_2p tiny_bridge_4p tiny_hanabi trade_comm turn_based_simultaneous_game twixt ultimate_tic_tac_toe
    universal_poker xiangqi y yacht zerosum
""".split()
)
"""Short names, in order; each has the id `OpenSpiel/<name>-LLM`."""

_NEEDS_FILE = "is read from a file that you must have: make it with plain({name!r}, filename=...)"

LEFT_OUT: Mapping[str, str] = {
    "crossword": "its moves are words written into a grid, which OpenSpiel does not number or list",
    "efg_game": _NEEDS_FILE.format(name="efg_game"),
    "nfg_game": _NEEDS_FILE.format(name="nfg_game"),
}
"""Short name -> why there is no id for it."""
