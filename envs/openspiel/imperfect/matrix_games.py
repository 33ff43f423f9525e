"""Matrix games, once or in rounds: everybody chooses at the same time, and a table says what each gets.

The table is read out of OpenSpiel's game object, so that a game needs no words of its own here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import product

import pyspiel

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

GAMES = (
    "matching_pennies_3p",
    "matrix_bos",
    "matrix_brps",
    "matrix_cd",
    "matrix_coordination",
    "matrix_mp",
    "matrix_pd",
    "matrix_rps",
    "matrix_rpsw",
    "matrix_sh",
    "matrix_shapleys_game",
)
SHOWN = 10
"""Rounds of the past in a compact observation."""

Payoffs = Mapping[tuple[str, ...], tuple[float, ...]]
"""The choice of each player -> what each player gets."""


def matrix_game(
    *,
    game: str = "matrix_pd",
    rounds: int = 1,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """One of `GAMES`, played `rounds` times for the sum of the payoffs. Raises ValueError on a bad setting."""
    if game not in GAMES:
        raise ValueError(f"game is one of {', '.join(GAMES)}: got {game!r}")
    if rounds < 1:
        raise ValueError(f"rounds is at least 1: got {rounds}")
    if rounds == 1:
        return OpenSpielGame(game, TEXTS, prompt=prompt, show_legal_moves=show_legal_moves)
    return OpenSpielGame(
        "repeated_game",
        TEXTS,
        parameters={"stage_game": f"{game}()", "num_repetitions": rounds},
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


matching_pennies_3p = partial(matrix_game, game="matching_pennies_3p")
matrix_bos = partial(matrix_game, game="matrix_bos")
matrix_brps = partial(matrix_game, game="matrix_brps")
matrix_cd = partial(matrix_game, game="matrix_cd")
matrix_coordination = partial(matrix_game, game="matrix_coordination")
matrix_mp = partial(matrix_game, game="matrix_mp")
matrix_pd = partial(matrix_game, game="matrix_pd")
matrix_rps = partial(matrix_game, game="matrix_rps")
matrix_rpsw = partial(matrix_game, game="matrix_rpsw")
matrix_sh = partial(matrix_game, game="matrix_sh")
matrix_shapleys_game = partial(matrix_game, game="matrix_shapleys_game")


def _stage(game: SpielGame) -> tuple[str, int]:
    """(the matrix game's name, rounds)."""
    inner = game.get_parameters()["game"]
    stage = inner.get("stage_game", inner)
    return str(stage["name"]), int(inner.get("num_repetitions", 1))


@lru_cache(maxsize=len(GAMES))
def payoffs(name: str) -> Payoffs:
    """The table of a matrix game."""
    start = pyspiel.load_game(name).new_initial_state()
    choices = [start.legal_actions(player) for player in range(start.num_players())]
    table = {}
    for joint in product(*choices):
        after = start.clone()
        after.apply_actions(list(joint))
        words = tuple(start.action_to_string(player, choice).lower() for player, choice in enumerate(joint))
        table[words] = tuple(after.returns())
    return table


def _rules(game: SpielGame) -> str:
    name, rounds = _stage(game)
    table, players = payoffs(name), game.num_players()
    title = pyspiel.load_game(name).get_type().long_name
    lines = [
        f"{', '.join(f'{seat_name(seat)} {choice}' for seat, choice in enumerate(joint))}: "
        f"{', '.join(f'{seat_name(seat)} gets {gain:g}' for seat, gain in enumerate(gains))}."
        for joint, gains in table.items()
    ]
    times = f", for {rounds} rounds; your result is the sum of what you get" if rounds > 1 else ""
    return (
        f"This is the game {title} for {players} players. All choose at the same time, without seeing the others' "
        f"choice{times}. These are the choices and what they bring:\n" + "\n".join(lines) + "\n"
        f"Answer with your choice in square brackets, for example [{next(iter(table))[0]}]."
    )


def _action_name(state: SpielState, action: int) -> str:
    return str(state.action_to_string(state.current_player(), action)).lower()


def _rounds(state: SpielState) -> list[tuple[str, ...]]:
    """The choices of every round that is over."""
    players, done = state.num_players(), moves(state)
    names = [_choice(state, seat, action) for seat, action in done]
    return [tuple(names[at : at + players]) for at in range(0, len(names) - players + 1, players)]


def _choice(state: SpielState, seat: int, action: int) -> str:
    """The name of a choice of a player."""
    choices = list(dict.fromkeys(joint[seat] for joint in payoffs(_stage(state.get_game())[0])))
    return choices[action]


def _event(state: SpielState, action: int, reader: int) -> str:
    """A round's choices and payoffs, once the last player has chosen."""
    if state.current_player() != state.num_players() - 1:
        return ""
    name, rounds = _stage(state.get_game())
    past = _rounds(state.child(action))
    gains = payoffs(name)[past[-1]]
    said = [
        f"{seat_name(seat)} chooses {choice} and gets {gain:g}"
        for seat, (choice, gain) in enumerate(zip(past[-1], gains, strict=True))
    ]
    return f"{f'Round {len(past)}: ' if rounds > 1 else ''}{', '.join(said)}."


def _board(state: SpielState, player: int) -> str:
    rounds = _stage(state.get_game())[1]
    if state.is_terminal() or rounds == 1:
        return "" if state.is_terminal() else "Choose now."
    return f"Round {len(_rounds(state)) + 1} of {rounds}. Your sum so far: {state.returns()[player]:g}."


def _turned(values: tuple[str, ...], player: int) -> str:
    """The player's own value first, then those of the others in playing order."""
    return "/".join(values[player:] + values[:player])


def _compact(state: SpielState, player: int) -> str:
    """The table with the own choice and payoff first, then the past."""
    name, rounds = _stage(state.get_game())
    cells = [
        f"{_turned(joint, player)} {_turned(tuple(f'{gain:g}' for gain in gains), player)}"
        for joint, gains in payoffs(name).items()
    ]
    line = f"you/other: {', '.join(cells)}"
    if rounds == 1:
        return line
    past = [_turned(joint, player) for joint in _rounds(state)]
    return f"{line} round {len(past) + 1} of {rounds} past {' '.join(past[-SHOWN:]) or 'none'}"


def _whole(state: SpielState, player: int) -> str:
    """The past, and what the player has got."""
    past = [
        f"Round {number}: {', '.join(f'{seat_name(seat)} {choice}' for seat, choice in enumerate(joint))}."
        for number, joint in enumerate(_rounds(state), 1)
    ]
    return "\n".join(filter(None, (*past, _board(state, player)))) or "All have chosen."


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board, whole=_whole)
