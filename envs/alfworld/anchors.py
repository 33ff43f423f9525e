"""The canonical key of a state: equal keys, equal futures."""

from __future__ import annotations

from collections.abc import Iterable

from turnwise.envs.alfworld.engine import Engine


def anchor(engine: Engine) -> str:
    """`game|place|hand|what was changed`: independent of the order of the moves, and short where little was changed.

    Of what was once taken from where, only that counts which can still change a text: it does so for receptacles that
    share their spot.
    """
    world, state = engine.world, engine.state
    names = world.names
    shared = [(thing, place) for thing, place in state.taken if _shares(engine, place)]
    parts = {
        "open": _listed(names[id] for id in state.opened),
        **{mark: _listed(names[id] for id in ids) for mark, ids in state.marks.items()},
        "out": _listed(f"{names[thing]}<{names[place]}" for thing, place in shared),
    }
    for place, things in state.contents.items():
        if things != world.start.contents[place]:
            parts[f"in {names[place]}"] = _listed(names[id] for id in things) or "-"
    for spot in {*world.at, *state.near}:
        things = state.near.get(spot, set())
        inside: set[str] = set().union(*(state.contents[place] for place in world.at.get(spot, ())))
        if things != inside:  # something lies on the floor
            parts[f"near {spot}"] = _listed(names[id] for id in things) or "-"
    changed = [f"{key}: {value}" for key, value in sorted(parts.items()) if value]
    hand = names[state.held] if state.held else ""
    return "|".join([world.problem.name, state.spot, hand, *changed])


def _shares(engine: Engine, receptacle: str) -> bool:
    """Whether another receptacle is used from the same spot."""
    spot = engine.world.receptacles[receptacle].spot
    return spot is not None and len(engine.world.at[spot]) > 1


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
