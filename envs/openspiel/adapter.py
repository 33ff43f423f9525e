"""`OpenSpielGame`: one adapter from OpenSpiel to `TextGame` for every game; what a game says comes as `GameTexts`."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pyspiel

from turnwise.envs.core import IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.openspiel.loading import SAMPLED, has_view, make_positions, shared_positions, view
from turnwise.envs.openspiel.positions import Edge, Move, Position
from turnwise.envs.openspiel.states import advance, copy_state, initial_state, replay
from turnwise.envs.openspiel.texts import GameTexts, SpielGame, SpielState, moves_at_once, no_secrets

_GOES_ON = Step({})
PROMPTS = ("full", "compact")
LONGEST_ECHO = 80
"""Characters of a refused action that the reason repeats."""
MOST_NAMES = 20
"""Legal moves that the reason lists."""


class OpenSpielGame(TextGame):
    """A game of OpenSpiel, in words.

    prompt "full": a seat first reads the rules and what it holds, later what happened since; always the board, if
    there is one, and the legal moves. prompt "compact": every observation is one self-contained line of few words,
    for tiny models. Games whose seats move at once are asked in turn. Legality is checked here: OpenSpiel does not.
    """

    def __init__(
        self,
        name: str,
        texts: GameTexts,
        *,
        parameters: Mapping[str, Any] | None = None,
        prompt: str = "full",
        show_legal_moves: bool | None = None,
    ) -> None:
        """`show_legal_moves` None: only in the full prompt. Raises ValueError on a bad setting."""
        if prompt not in PROMPTS:
            raise ValueError(f"prompt is one of {', '.join(PROMPTS)}: got {prompt!r}")
        compact = prompt == "compact"
        show = not compact if show_legal_moves is None else show_legal_moves
        self._settings = (name, tuple(sorted((parameters or {}).items())), texts, compact, show)
        self._positions = shared_positions(*self._settings)
        self._declare(self._positions.game)
        self._rng: np.random.Generator | None = None
        self._rng_seed: int | None = None
        """What seeds OpenSpiel's own chance in this episode, where the game has such."""
        self._position: Position | None = None

    def _declare(self, game: SpielGame) -> None:
        kind = game.get_type()
        self.seats = self._positions.seats
        self._players = {seat: player for player, seat in enumerate(self.seats)}
        self.zero_sum = kind.utility == pyspiel.GameType.Utility.ZERO_SUM
        self.utility_bounds = self._positions.utility_bounds
        self.dense_rewards = kind.reward_model != pyspiel.GameType.RewardModel.TERMINAL
        self.simultaneous = moves_at_once(game)
        self.has_board = True
        self.has_secrets = self._positions.words.secrets is not no_secrets
        self.can_clone = kind.chance_mode != SAMPLED
        self.has_anchor = has_view(game)
        self._chancy = kind.chance_mode != pyspiel.GameType.ChanceMode.DETERMINISTIC

    # The episode

    def start(self, rng: np.random.Generator) -> None:
        self._rng = rng
        if not self.can_clone:  # chance inside OpenSpiel: a game of its own, seeded from ours
            self._rng_seed = int(rng.integers(2**31))
            self._positions = make_positions(*self._settings, rng_seed=self._rng_seed)
        self.begin()
        if self._here().chance is not None:
            self.resolve_chance()

    def begin(self) -> None:
        """Go to the initial state; chance is not resolved and nothing has been read."""
        self._moves: list[Move] = []
        """All that has happened, chance included."""
        self._read = [-1] * len(self.seats)
        """Number of moves that each player has read of; -1 before its first observation."""
        self._paid = (0.0,) * len(self.seats)
        """Rewards of each player so far, in task units. Some games have returns that no move has led to yet."""
        self._synced = 0
        if self.can_clone:
            self._state: SpielState = None
            self._position = self._positions.root()
        else:  # every initial state may draw on the chance inside the game: there must be only one
            self._state = initial_state(self._positions.game)
            self._position = self._positions.of(self._state)
        self.seat = self._position.seat

    def observe(self, seat: str) -> str:
        position, player = self._position or self._here(), self._players.get(seat)
        if player is None:
            player = self._player(seat)
        read, now = self._read[player], len(self._moves)
        if read == now or position.chance is not None:
            return ""
        self._read[player] = now
        text = position.texts.get(player)
        if text is None:
            text = position.texts[player] = self._positions.text(self.state, position, player)
        if self._positions.compact:
            return text
        lines = [events[player] for _, events in self._moves[max(read, 0) :] if events[player]]
        if read < 0:
            lines.insert(0, self._positions.introductions[player])
        if text:
            lines.append(text)
        return "\n".join(lines)

    def legal(self) -> tuple[str, ...]:
        return (self._position or self._here()).names

    def play(self, action: str) -> Step:
        before = self._position or self._here()
        action_id = before.ids.get(action)
        if action_id is None:
            raise IllegalAction(_refusal(action, before))
        after = self._take(action_id)
        if after.chance is not None:
            self.resolve_chance()
            after = self._here()
        if not after.terminal and not self.dense_rewards:
            return _GOES_ON
        gains = zip(self.seats, self._paid, after.returns, strict=True)
        self._paid = after.returns
        return Step({seat: total - paid for seat, paid, total in gains}, after.terminal)

    # One action at a time, chance included: for exact evaluation and tree walks

    def apply(self, action_id: int) -> None:
        """Take one action of a player or of chance; chance is not resolved afterwards. Raises IllegalAction."""
        position = self._here()
        allowed = position.ids.values() if position.chance is None else position.chance.actions
        if action_id not in allowed:
            raise IllegalAction(f"the legal action ids are {list(allowed)}: got {action_id}")
        self._take(action_id)

    def resolve_chance(self) -> None:
        """Draw chance outcomes by inverse CDF until a seat acts or the game is over."""
        position, rng = self._here(), self._rng
        while (chance := position.chance) is not None:
            if rng is None:
                raise RuntimeError("chance needs a generator: call start(rng), or apply() the outcomes yourself")
            position = self._take(chance.actions[bisect_right(chance.cumulative, rng.random())])

    def action_id(self, name: str) -> int:
        """The id of a legal name in the current state. Raises IllegalAction."""
        position = self._here()
        if name not in position.ids:
            raise IllegalAction(_refusal(name, position))
        return position.ids[name]

    def action_name(self, action_id: int) -> str:
        """The name of a legal id in the current state (an outcome of chance: OpenSpiel's). Raises IllegalAction."""
        position = self._here()
        if position.chance is not None and action_id in position.chance.actions:
            return str(self.state.action_to_string(self.state.current_player(), action_id))
        for name, known in position.ids.items():
            if known == action_id:
                return name
        raise IllegalAction(f"the legal action ids are {list(position.ids.values())}: got {action_id}")

    @property
    def spiel_game(self) -> SpielGame:
        """The `pyspiel.Game`."""
        return self._positions.game

    def rules(self) -> str:
        """The rules in plain English and how to answer, which the compact prompt leaves out."""
        return self._positions.words.rules(self.spiel_game)

    @property
    def state(self) -> SpielState:
        """The `pyspiel.State` of now. It is the game's own: clone it before you change it."""
        self._here()
        if self._state is None:
            self._state = initial_state(self._positions.game)
        while self._synced < len(self._moves):
            advance(self._state, self._moves[self._synced][0])
            self._synced += 1
        return self._state

    def _here(self) -> Position:
        if self._position is None:
            raise RuntimeError("the game has not begun: call start(rng) first")
        return self._position

    def _player(self, seat: str) -> int:
        player = self._players.get(seat)
        if player is None:
            raise ValueError(f"a seat is one of {', '.join(self.seats)}: got {seat!r}")
        return player

    def _take(self, action_id: int) -> Position:
        """Take an action, of a player or of chance; returns where it leads."""
        before = self._position or self._here()
        position, move = before.edges.get(action_id) or self._explore(action_id)
        self._moves.append(move)
        self._position, self.seat = position, position.seat
        return position

    def _explore(self, action_id: int) -> Edge:
        """Ask OpenSpiel where an action leads, and remember it."""
        state = self.state
        events = self._positions.events(state, action_id)
        advance(state, action_id)
        self._synced += 1
        edge = Edge(self._positions.of(state), (action_id, events))
        self._here().edges[action_id] = edge
        return edge

    # Optional members

    def lead_in(self) -> str:
        return self._here().lead_in

    def lead_ins(self) -> tuple[str, ...]:
        return self._positions.words.lead_ins(self._positions.game)

    def anchor(self) -> str:
        """The seat to act and what it knows: OpenSpiel's observation with perfect information, else its information."""
        position = self._here()
        if position.seat is None or not self.has_anchor:
            raise Unsupported(
                f"{self.spiel_game} has an anchor only where a seat acts and OpenSpiel describes its view"
            )
        if position.anchor is None:
            position.anchor = f"{position.seat} {view(self.spiel_game, self.state)}"
        return position.anchor

    def board(self, seat: str) -> str:
        position, player = self._here(), self._player(seat)
        return "" if position.chance is not None else self._positions.whole(self.state, position, player)

    def board_in_full(self, seat: str) -> str:
        """The same in the words of the full prompt, whatever the prompt is."""
        position, player = self._here(), self._player(seat)
        return "" if position.chance is not None else self._positions.whole(self.state, position, player, in_full=True)

    def secrets(self, seat: str) -> tuple[str, ...]:
        if not self.has_secrets:
            return super().secrets(seat)
        position, player = self._here(), self._player(seat)
        return () if position.chance is not None else self._positions.secrets(self.state, player)

    def clone(self) -> Self:
        if not self.can_clone:
            raise Unsupported(f"{self.spiel_game} cannot be cloned: OpenSpiel draws its chance inside the game object")
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        if self._position is not None:
            twin._moves, twin._read = self._moves.copy(), self._read.copy()
            twin._state = None if self._state is None else copy_state(self._state)
        if self._chancy:
            twin._rng = copy.deepcopy(self._rng)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        """Everything but what is shared (positions) or can be replayed (the state)."""
        kept = self.__dict__.copy()
        del kept["_positions"], kept["_position"]
        if self._position is not None:
            kept["_moves"], kept["_read"] = self._moves.copy(), self._read.copy()
            kept["_state"] = None
        return kept

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.__dict__.update(kept)
        if self._rng_seed is None:
            self._positions = shared_positions(*self._settings)
        else:
            self._positions = make_positions(*self._settings, rng_seed=self._rng_seed)
        self._position = None
        if "_moves" in kept:
            history = [action for action, _ in self._moves]
            self._state, self._synced = replay(self._positions.game, history), len(history)
            self._position = self._positions.of(self._state)


def _refusal(action: str, position: Position) -> str:
    said = repr(action if len(action) <= LONGEST_ECHO else f"{action[:LONGEST_ECHO]}...")
    if position.seat is None:
        return f"{said} cannot be played: the game is over"
    names = ", ".join(f"[{name}]" for name in position.names[:MOST_NAMES])
    more = ", ..." if len(position.names) > MOST_NAMES else ""
    return f"{said} is not a legal move now; the legal moves are {names}{more}"
