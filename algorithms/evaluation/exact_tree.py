"""The information states of a game small enough to list, each with what its seat has read on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnwise.envs.openspiel.adapter import OpenSpielGame


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationState:
    """All that one seat knows at one of its decisions."""

    key: str
    """OpenSpiel's information state string."""
    number: int
    """Its place in the list of all."""
    seat: str
    observations: tuple[str, ...]
    """What the seat read at each of its decisions so far, the newest last."""
    actions: Mapping[str, int]
    """Legal name -> action id."""
    parent: tuple[str, str] | None
    """The seat's decision before this one and what it chose there: (key, action name); None at its first decision."""
    history: tuple[int, ...]
    """One of the histories that lead here, chance included."""

    @property
    def depth(self) -> int:
        """How often the seat has acted before."""
        return len(self.observations) - 1


def require_enumerable(game: Any) -> None:
    """Raises ValueError unless `game` is OpenSpiel's, for two seats, zero-sum, and its states can be told apart."""
    if not hasattr(game, "spiel_game"):
        came = f"{type(game).__name__}, which is no game of OpenSpiel"
    elif len(game.seats) != 2 or not game.zero_sum:
        came = f"{game.spiel_game} with {len(game.seats)} seats, {'zero-sum' if game.zero_sum else 'not zero-sum'}"
    elif not game.can_clone:
        came = f"{game.spiel_game}, which draws its chance inside OpenSpiel"
    elif not game.spiel_game.get_type().provides_information_state_string:
        came = f"{game.spiel_game}, which names no information states"
    else:
        return
    raise ValueError(
        f"exact evaluation needs a two-seat zero-sum game of OpenSpiel that can be enumerated: got {came}; "
        "measure win rates instead"
    )


def information_states(game: OpenSpielGame, limit: int) -> list[InformationState]:
    """Every information state of both seats, a seat's earlier decisions before its later ones.

    Walks clones of the game itself, observing where a seat acts and nowhere else, as a rollout does. Raises ValueError
    if the game cannot be enumerated, or as soon as more than `limit` states are found; and if a seat is told different
    things in one information state, since then no policy over these states describes it.
    """
    require_enumerable(game)
    found: dict[str, InformationState] = {}
    root = game.clone()
    root.begin()
    waiting: list[tuple[OpenSpielGame, dict[str, tuple[str, str]]]] = [(root, {})]
    while waiting:
        node, latest = waiting.pop()
        if node.state.is_terminal():
            continue
        state = None
        if node.seat is not None:
            state = _state_of(node, latest.get(node.seat), found)
            _file(state, found)
            if len(found) > limit:
                raise ValueError(
                    f"exact evaluation lists at most {limit} information states (max_information_states): "
                    f"{game.spiel_game} has more; raise the limit, or measure win rates instead"
                )
        for action in reversed(node.state.legal_actions()):
            child = node.clone()
            child.apply(action)
            waiting.append((child, latest if state is None else {**latest, state.seat: _decision(state, action)}))
    return list(found.values())


def _state_of(
    node: OpenSpielGame, parent: tuple[str, str] | None, found: Mapping[str, InformationState]
) -> InformationState:
    """The information state at a node where a seat acts. Marks its observation as read."""
    seat = node.seat
    assert seat is not None  # the caller has looked
    before = found[parent[0]].observations if parent else ()
    return InformationState(
        key=str(node.state.information_state_string()),
        number=len(found),
        seat=seat,
        observations=(*before, node.observe(seat)),
        actions={name: node.action_id(name) for name in node.legal()},
        parent=parent,
        history=tuple(node.state.history()),
    )


def _file(state: InformationState, found: dict[str, InformationState]) -> None:
    """Enter a state, or check it against the one that is known by its key."""
    known = found.setdefault(state.key, state)
    same = (known.seat, known.observations, known.parent) == (state.seat, state.observations, state.parent)
    if not same or known.actions != state.actions:
        raise ValueError(
            f"exact evaluation needs one text per information state: {state.key!r} was reached by {known.seat} reading "
            f"{known.observations} and by {state.seat} reading {state.observations}"
        )


def _decision(state: InformationState, action: int) -> tuple[str, str]:
    name = next(name for name, known in state.actions.items() if known == action)
    return state.key, name
