"""`Positions`: what is true of every state of one game, worked out once and shared by all episodes of that game.

Asking OpenSpiel costs a microsecond a question and wording an observation costs several, yet both are pure functions
of the state. So a state that was seen once is a `Position`, and a move is the step along a remembered `Edge`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

import pyspiel

from turnwise.envs.openspiel.mean_field import utility_bounds
from turnwise.envs.openspiel.states import initial_state
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, is_open, seat_name

LIMIT = 20_000
"""Positions kept per game: all of tic-tac-toe (5,478) and Leduc (9,457)."""
BYTES_LIMIT = 16_000_000
"""Rough memory of the positions kept per game. Long games meet it first: a state of Go has 82 moves and a long past."""
POSITION_BYTES, NAME_BYTES, STEP_BYTES = 1000, 130, 8
"""Rough memory of a position with its edge, of a legal name, and of one action of a past that serves as key."""


Move = tuple[int, tuple[str, ...]]
"""(id of an action, what each player is told of it)."""


class Edge(NamedTuple):
    """One action out of a position."""

    position: Position
    """Where it leads."""
    move: Move


class Chance(NamedTuple):
    """The outcomes of a chance node."""

    cumulative: tuple[float, ...]
    """P(outcome <= i), the last one exactly 1."""
    actions: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Position:
    """One state. Only `edges`, `texts` and `anchor` are filled in later, each once, with what can only be one thing."""

    seat: str | None
    """Who acts; None at a chance node and at the end."""
    ids: Mapping[str, int]
    """Legal name -> action id, in OpenSpiel's order; empty where no seat acts."""
    names: tuple[str, ...]
    chance: Chance | None
    returns: tuple[float, ...]
    """Return of each player up to here, in task units."""
    terminal: bool
    lead_in: str
    anchor: str | None = None
    edges: dict[int, Edge] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    """Player -> the part of the observation that depends on the position alone."""


class Positions:
    """The positions of one game in one wording."""

    def __init__(
        self, game: SpielGame, texts: GameTexts, *, compact: bool, show_legal_moves: bool, shared: bool
    ) -> None:
        """`shared` False: the game keeps chance of its own between states, so nothing is looked up by key."""
        self.game, self.words = game, texts
        self.seats = tuple(seat_name(player) for player in range(game.num_players()))
        self.utility_bounds = utility_bounds(game)
        self.compact, self.show_legal_moves, self.shared = compact, show_legal_moves, shared
        self.introductions = tuple(f"{texts.rules(game)}\n\nYou are {seat}." for seat in self.seats)
        self._zero_sum = game.get_type().utility == pyspiel.GameType.Utility.ZERO_SUM
        self._known: dict[Hashable, Position] = {}
        self._bytes = 0
        self._root: Position | None = None

    def root(self) -> Position:
        """The position before anything has happened, of a game whose chance is all in its states."""
        if self._root is None:
            self._root = self.of(initial_state(self.game))
        return self._root

    def of(self, state: SpielState) -> Position:
        """The position of `state`, out of memory where it is known."""
        if not self.shared:
            return self._read(state)
        key = self.words.key(state)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= LIMIT or self._bytes >= BYTES_LIMIT:
                self._forget()
            found = self._known[key] = self._read(state)
            past = len(key) if isinstance(key, tuple) else 0
            self._bytes += POSITION_BYTES + NAME_BYTES * len(found.names) + STEP_BYTES * past
        return found

    def _forget(self) -> None:
        """Let go of every position; live episodes keep the one they are at, cut off from the rest."""
        for position in self._known.values():
            position.edges.clear()
        self._known, self._bytes, self._root = {}, 0, None

    def events(self, state: SpielState, action: int) -> tuple[str, ...]:
        """What each player is told of `action`, which is about to be taken in `state`."""
        return tuple(self.words.event(state, action, reader) for reader in range(len(self.seats)))

    def text(self, state: SpielState, position: Position, player: int) -> str:
        """What `player` reads at `position` besides the events: the state line, or board, legal moves and ending."""
        if self.compact:
            text = self._compact_text(state, position, player)
        else:
            text = self._full_text(state, position, player, self.words.board(state, player))
        self._bytes += len(text)
        return text

    def whole(self, state: SpielState, position: Position, player: int, *, in_full: bool = False) -> str:
        """All that `player` knows at `position`, whatever it has read before; in the words of the full prompt if so."""
        if self.compact and not in_full:
            return self._compact_text(state, position, player)
        known = self.words.whole(state, player)
        if not known:
            known = self.words.board(state, player)
            if not position.terminal and not is_open(self.game):
                known = f"{self.words.compact(state, player)}\n{known}".strip()
        return f"You are {self.seats[player]}.\n{self._full_text(state, position, player, known)}"

    def secrets(self, state: SpielState, player: int) -> tuple[str, ...]:
        """The player's secret phrases, but for those that are true of somebody else too."""
        tell = self.words.secrets
        others = {phrase for seat in range(len(self.seats)) if seat != player for phrase in tell(state, seat)}
        return tuple(phrase for phrase in tell(state, player) if phrase not in others)

    def _read(self, state: SpielState) -> Position:
        returns = tuple(float(value) for value in state.returns())
        if state.is_terminal():
            return Position(None, {}, (), None, returns, True, "")
        if state.is_chance_node():
            return Position(None, {}, (), _chance(state), returns, False, "")
        player = state.current_player()
        ids = self._names(state)
        return Position(self.seats[player], ids, tuple(ids), None, returns, False, self.words.lead_in(state, player))

    def _names(self, state: SpielState) -> dict[str, int]:
        actions = state.legal_actions()
        if self.words.names is None:
            names: Sequence[str] = [self.words.action_name(state, action) for action in actions]
        else:
            names = self.words.names(state, actions)
        ids = dict(zip(names, actions, strict=True))
        if len(ids) != len(actions):
            raise ValueError(
                f"legal moves need one name each: got {sorted(ids)} for {len(actions)} moves of {self.game}"
            )
        return ids

    def _full_text(self, state: SpielState, position: Position, player: int, board: str) -> str:
        lines = [board]
        if position.terminal:
            lines += [self.words.ending(state, player), _outcome(position.returns[player], self._zero_sum)]
        elif self.show_legal_moves and position.seat == self.seats[player]:
            lines.append("Legal moves: " + ", ".join(f"[{name}]" for name in position.names))
        return "\n".join(filter(None, lines))

    def _compact_text(self, state: SpielState, position: Position, player: int) -> str:
        if position.terminal:
            return f"over {position.returns[player]:+g}"
        line = self.words.compact(state, player)
        if self.show_legal_moves and position.seat == self.seats[player]:
            separator = ", " if any(" " in name for name in position.names) else " "
            line += " moves " + separator.join(position.names)
        return line


def _chance(state: SpielState) -> Chance:
    outcomes: list[tuple[int, float]] = state.chance_outcomes()
    cumulative = [*accumulate(probability for _, probability in outcomes[:-1]), 1.0]
    return Chance(tuple(cumulative), tuple(action for action, _ in outcomes))


def _outcome(value: float, zero_sum: bool) -> str:
    """What the end means for a seat; where not one wins what the other loses, 0 is no draw."""
    if not zero_sum:
        return f"The game is over: your result is {value:g}."
    if value == 0:
        return "The game is over: it is a draw."
    return f"The game is over: you {'win' if value > 0 else 'lose'} {abs(value):g}."
