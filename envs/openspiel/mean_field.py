"""Mean-field games: one seat in a crowd that always stays spread evenly over the places OpenSpiel asks about.

A mean-field game waits, between the moves of its player, for the distribution of everybody else. Nobody plays the
crowd here, so it is fixed: what is left is a game for one seat with known rewards.
"""

from __future__ import annotations

import math

from turnwise.envs.openspiel.texts import SpielGame, SpielState

ROUNDING = 1e-9
"""Bounds that are worked out here are wider by this much, relative to them: returns are sums of floats."""


def is_mean_field(game: SpielGame) -> bool:
    return bool(game.get_type().dynamics.name == "MEAN_FIELD")


def settle(state: SpielState) -> None:
    """Give every waiting mean-field node its crowd, in place."""
    while state.is_mean_field_node():
        places = len(state.distribution_support())
        state.update_distribution([1.0 / max(places, 1)] * places)


def utility_bounds(game: SpielGame) -> tuple[float, float]:
    """(lowest, highest) return of a seat: OpenSpiel's word, or worked out for a mean-field game that has none."""
    low, high = float(game.min_utility()), float(game.max_utility())
    if is_mean_field(game) and not (math.isfinite(low) and math.isfinite(high)):
        low, high = reachable_returns(game)
        return low - ROUNDING * abs(low), high + ROUNDING * abs(high)
    return low, high


def reachable_returns(game: SpielGame) -> tuple[float, float]:
    """(lowest, highest) return of the only seat, over all play and all chance.

    OpenSpiel gives no bounds here. States of one text have one future, so that one of each is enough: a layer of the
    tree is a table of text -> (a state, lowest and highest return on the ways there).
    """
    layer: dict[str, tuple[SpielState, float, float]] = {"": (game.new_initial_state(), 0.0, 0.0)}
    low, high = math.inf, -math.inf
    while layer:
        following: dict[str, tuple[SpielState, float, float]] = {}
        for state, least, most in layer.values():
            if state.is_terminal():
                low, high = min(low, least), max(high, most)
                continue
            for action in state.legal_actions():
                after = state.child(action)
                settle(after)
                gain = after.returns()[0] - state.returns()[0]
                _, worst, best = following.get(str(after), (after, math.inf, -math.inf))
                following[str(after)] = (after, min(worst, least + gain), max(best, most + gain))
        layer = following
    return low, high
