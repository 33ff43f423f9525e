"""Pig: roll and gather, or stop and keep."""

from __future__ import annotations

import re

from turnwise.envs.openspiel.adapter import OpenSpielGame
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves, seat_name

ROLL = 0


def pig(
    *,
    players: int = 2,
    winscore: int = 100,
    diceoutcomes: int = 6,
    piglet: bool = False,
    horizon: int = 1000,
    prompt: str = "full",
    show_legal_moves: bool | None = None,
) -> OpenSpielGame:
    """Pig; in `piglet` a throw counts one point and only tells a loss from the rest. Raises ValueError."""
    if not 2 <= players <= 10:
        raise ValueError(f"pig has 2 to 10 players: got {players}")
    if winscore < 1 or diceoutcomes < 2 or horizon < 1:
        raise ValueError(
            f"pig needs winscore >= 1, diceoutcomes >= 2 and horizon >= 1: got {winscore}, {diceoutcomes} and {horizon}"
        )
    return OpenSpielGame(
        "pig",
        TEXTS,
        parameters={
            "players": players,
            "winscore": winscore,
            "diceoutcomes": diceoutcomes,
            "piglet": piglet,
            "horizon": horizon,
        },
        prompt=prompt,
        show_legal_moves=show_legal_moves,
    )


def _rules(game: SpielGame) -> str:
    rules = game.get_parameters()
    players, sides = game.num_players(), rules["diceoutcomes"]
    gain = "adds 1 point" if rules["piglet"] else "adds its points"
    lost = "-1" if players == 2 else f"{-1 / (players - 1):.2g} each"
    return (
        f"This is pig for {players} players and one die with {sides} sides. In your turn you roll as often as you "
        f"like. A 1 ends your turn and you lose what you gathered in it; any other throw {gain} to your turn total. "
        "When you stop, the turn total is added to your score and the next player's turn begins. "
        f"Who first stops with a score of {rules['winscore']} or more wins: 1 for the winner, {lost} for the others. "
        f"After {rules['horizon']} moves without a winner it is a draw. player_0 begins.\n"
        "Answer with your move in square brackets: [roll] or [stop]."
    )


def scores(state: SpielState) -> tuple[list[int], int]:
    """(score of each player, turn total), in points."""
    *kept, total = map(int, re.findall(r"\d+", str(state).partition("\n")[0]))
    return kept, total


def _action_name(state: SpielState, action: int) -> str:
    return "roll" if action == ROLL else "stop"


def _event(state: SpielState, action: int, reader: int) -> str:
    """A throw, told to everybody, or a stop of somebody else."""
    _, total = scores(state)
    if not state.is_chance_node():
        actor = state.current_player()
        return "" if action == ROLL or actor == reader else f"{seat_name(actor)} stops and adds {total} to its score."
    roller = moves(state)[-1][0]
    who, verb, its = ("You", "roll", "your") if roller == reader else (seat_name(roller), "rolls", "its")
    if action == 0:
        return f"{who} {verb} a 1: {its} turn ends and {total} points are lost."
    if state.get_game().get_parameters()["piglet"]:
        return f"{who} {verb} no 1."
    return f"{who} {verb} a {action + 1}."


def _board(state: SpielState, player: int) -> str:
    kept, total = scores(state)
    goal = state.get_game().get_parameters()["winscore"]
    told = ", ".join(f"{seat_name(seat)} {score}" for seat, score in enumerate(kept))
    if state.is_terminal():
        return f"Scores: {told}."
    turn = "your turn" if state.current_player() == player else f"{seat_name(state.current_player())}'s turn"
    return f"Scores: {told}; {goal} wins. It is {turn}, turn total: {total}."


def _compact(state: SpielState, player: int) -> str:
    """The reader's score first, then those of the others in playing order."""
    kept, total = scores(state)
    goal = state.get_game().get_parameters()["winscore"]
    others = " ".join(map(str, kept[player + 1 :] + kept[:player]))
    return f"pig to {goal} you {kept[player]} other {others} turn {total}"


TEXTS = GameTexts(rules=_rules, action_name=_action_name, event=_event, compact=_compact, board=_board)
