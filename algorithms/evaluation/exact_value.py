"""What a policy over information states is worth, by OpenSpiel's own algorithms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from turnwise.algorithms.evaluation.exact_tree import InformationState

if TYPE_CHECKING:
    from turnwise.envs.openspiel.adapter import OpenSpielGame

Policies = Mapping[str, NDArray[np.float64]]
"""Information state key -> [A] probabilities, in the order of its actions."""
Table = dict[str, list[tuple[int, float]]]
"""Information state key -> (action id, probability) pairs, as OpenSpiel takes it."""

ALPHA = 1 / 3
"""Which of Kuhn poker's equilibria `against_optimal` plays; the scripted agent `optimal` plays the same."""


def spiel_table(states: Sequence[InformationState], policies: Policies) -> Table:
    """A policy as OpenSpiel's tabular policy takes it."""
    return {state.key: list(zip(state.actions.values(), policies[state.key].tolist(), strict=True)) for state in states}


def uniform_policies(states: Sequence[InformationState]) -> dict[str, NDArray[np.float64]]:
    """Every legal action alike, at every information state."""
    return {state.key: np.full(len(state.actions), 1 / len(state.actions)) for state in states}


class Judge:
    """Best responses and values in one game; the tree is built once, for any number of policies over `states`."""

    def __init__(self, game: OpenSpielGame, states: Sequence[InformationState]) -> None:
        import pyspiel

        self._game, self._states = game.spiel_game, states
        self._root = self._game.new_initial_state()
        self._seats = game.seats
        table = spiel_table(states, uniform_policies(states))
        self._responders = [pyspiel.TabularBestResponse(self._game, player, table) for player in range(2)]

    def best_response(self, policies: Policies) -> dict[str, float]:
        """Seat -> the most that anybody can get there on average against the policy, in task units."""
        table = spiel_table(self._states, policies)
        values: dict[str, float] = {}
        for seat, responder in zip(self._seats, self._responders, strict=True):
            responder.set_policy(table)
            values[seat] = float(responder.value_from_state(self._root))
        return values

    def values(self, first: Table, second: Table) -> dict[str, float]:
        """Seat -> its mean return with `first` in the first seat and `second` in the second, in task units."""
        import pyspiel

        seated = [pyspiel.TabularPolicy(first), pyspiel.TabularPolicy(second)]
        found = pyspiel.expected_returns(self._root, seated, -1, True)
        return {seat: float(value) for seat, value in zip(self._seats, found, strict=True)}

    def against(self, mine: Table, other: Table) -> dict[str, float]:
        """Seat -> the mean return of `mine` there when `other` sits opposite, in task units."""
        first, second = self._seats
        return {first: self.values(mine, other)[first], second: self.values(other, mine)[second]}

    def nash_conv(self, policies: Policies) -> float:
        """How much the seats together could gain by a best response each, in task units.

        The game is zero-sum, so that what they have now adds up to nothing.
        Source: Lanctot et al. 2017, arXiv:1711.00832.
        """
        return sum(self.best_response(policies).values())


def nash_conv_stderr(judge: Judge, resampled: Iterable[Policies]) -> float:
    """Standard deviation of NashConv over resampled policies."""
    return float(np.std([judge.nash_conv(policies) for policies in resampled], ddof=1))


def equilibrium_ranges(game: OpenSpielGame, state: InformationState) -> dict[str, tuple[float, float]] | None:
    """Action name -> (lowest, highest) probability over the equilibria of Kuhn poker; None in other games."""
    lowest, highest = _kuhn_policy(game, state, 0.0), _kuhn_policy(game, state, 1 / 3)
    if lowest is None or highest is None:
        return None
    ends = zip(state.actions, lowest.tolist(), highest.tolist(), strict=True)
    return {name: (min(first, last), max(first, last)) for name, first, last in ends}


def optimal_policies(game: OpenSpielGame, states: Sequence[InformationState]) -> dict[str, NDArray[np.float64]] | None:
    """An equilibrium of two-player Kuhn poker (`ALPHA`); None in other games."""
    found = {state.key: _kuhn_policy(game, state, ALPHA) for state in states}
    return {key: policy for key, policy in found.items() if policy is not None} or None


def _kuhn_policy(game: OpenSpielGame, state: InformationState, alpha: float) -> NDArray[np.float64] | None:
    """[2] probabilities of passing and betting, the order of OpenSpiel's actions."""
    from turnwise.envs.openspiel.optimal import kuhn_bet_probability

    if game.spiel_game.get_type().short_name != "kuhn_poker":
        return None
    card = state.history[game.seats.index(state.seat)]
    betting = kuhn_bet_probability(card, state.history[2:], alpha)
    return np.array([1 - betting, betting])
