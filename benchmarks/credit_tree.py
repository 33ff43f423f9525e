"""Games unrolled into tables: every state that play can reach, found by copying the game at each of its actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from turnwise.envs.core import TextGame
from turnwise.envs.openspiel.optimal import kuhn_bet_probability
from turnwise.envs.registry import make_game

MOST_NODES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One state of one instance in which a seat acts."""

    instance: int
    """Number of the instance: what chance has drawn before the first turn."""
    seat: int
    key: str
    """What the seat knows, and how many turns were taken: nodes of different instances may share it."""
    anchor: str
    actions: tuple[str, ...]
    children: tuple[int | None, ...]
    """Per action: number of the node that it leads to; None where the game ends."""
    rewards: tuple[tuple[float, ...], ...]
    """Per action: what every seat gets, in task units."""
    expert: tuple[float, ...]
    """Per action: how likely a good player takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A game as a table. A node comes before those that its actions lead to."""

    env_id: str
    seats: tuple[str, ...]
    nodes: tuple[Node, ...]
    roots: tuple[int, ...]
    """Of each instance; all are equally likely."""
    truths: tuple[str | None, ...]
    """The right answer of each instance."""
    groups: tuple[str, ...]
    """Name of each instance."""


def build_tree(env_id: str, instances: int, **kwargs: Any) -> Tree:
    """The table of a game: of Kuhn poker every deal, else of the seeds 0, 1, ..., `instances` of them.

    States of one instance are one node where they agree in depth and anchor. Raises ValueError where two such states
    differ in what can be done, or where there are more than `MOST_NODES`.
    """
    begun = deals(env_id) if env_id == "KuhnPoker-LLM" else [started(env_id, seed, kwargs) for seed in range(instances)]
    found: list[Node | None] = []
    roots = tuple(_unroll(game, number, found) for number, game in enumerate(begun))
    return Tree(
        env_id=env_id,
        seats=begun[0].seats,
        nodes=tuple(node for node in found if node is not None),
        roots=roots,
        truths=tuple(game.ground_truth() if game.has_ground_truth else None for game in begun),
        groups=tuple(f"{env_id} {number}" for number in range(len(begun))),
    )


def started(env_id: str, seed: int, kwargs: Mapping[str, Any]) -> TextGame:
    """A game at its first turn."""
    game = make_game(env_id, **kwargs)
    game.start(np.random.default_rng(seed))
    return game


def deals(env_id: str) -> list[TextGame]:
    """A game of OpenSpiel after every outcome of the chance before its first turn; here all are equally likely."""
    game: Any = make_game(env_id)
    game.begin()
    waiting, found = [game], []
    while waiting:
        node = waiting.pop(0)
        if node.seat is not None:
            found.append(node)
            continue
        for action in node.state.legal_actions():
            child = node.clone()
            child.apply(action)
            waiting.append(child)
    return found


def _unroll(game: TextGame, instance: int, found: list[Node | None]) -> int:
    """Append the nodes of one instance, depth by depth; the number of its root."""
    root = len(found)
    layer: dict[str, tuple[int, TextGame]] = {game.anchor(): (root, game)}
    found.append(None)
    depth = 0
    while layer:
        below: dict[str, tuple[int, TextGame]] = {}
        for number, state in layer.values():
            found[number] = _node(state, instance, depth, below, found)
        if len(found) > MOST_NODES:
            raise ValueError(f"a game to enumerate has at most {MOST_NODES} states: {type(game).__name__} has more")
        layer, depth = below, depth + 1
    return root


def _node(
    state: TextGame, instance: int, depth: int, below: dict[str, tuple[int, TextGame]], found: list[Node | None]
) -> Node:
    """Try every action on a copy. New states join the layer below and get a place in `found`."""
    seat, actions = state.seat or "", tuple(state.legal() or ())
    children: list[int | None] = []
    rewards = []
    for action in actions:
        after = state.clone()
        step = after.play(action)
        rewards.append(tuple(float(step.rewards.get(name, 0.0)) for name in state.seats))
        children.append(None if after.seat is None else _place(after, below, found))
    return Node(
        instance=instance,
        seat=state.seats.index(seat),
        key=f"{depth} {state.anchor()}",
        anchor=state.anchor(),
        actions=actions,
        children=tuple(children),
        rewards=tuple(rewards),
        expert=_expert(state, actions),
    )


def _place(after: TextGame, below: dict[str, tuple[int, TextGame]], found: list[Node | None]) -> int:
    anchor = after.anchor()
    if anchor not in below:
        below[anchor] = (len(found), after)
        found.append(None)
    number, twin = below[anchor]
    if (after.seat, after.legal()) != (twin.seat, twin.legal()):
        raise ValueError(f"equal anchors, equal states: {anchor!r} stands for states with different actions")
    return number


def _expert(state: Any, actions: Sequence[str]) -> tuple[float, ...]:
    """The first action of the solution; in Kuhn poker the equilibrium that bets a Jack one time in six."""
    if state.has_solution:
        return tuple(float(action == state.solution()[0]) for action in actions)
    history = state.state.history()
    bets = kuhn_bet_probability(history[state.state.current_player()], history[2:], 1 / 6)
    return (1.0 - bets, bets)
