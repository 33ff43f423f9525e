"""The rooms that games are played in: 30 of each sort, as in ALFRED; the first six are kept for `valid_unseen`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from turnwise.envs.alfworld.house import FURNITURE, OPENABLE, ROOMS
from turnwise.envs.alfworld.problem import Receptacle

SPLITS = ("train", "valid_seen", "valid_unseen")
UNSEEN = range(1, 7)
SEEN = range(7, 31)
LAYOUTS: Mapping[str, range] = {"train": SEEN, "valid_seen": SEEN, "valid_unseen": UNSEEN}
"""Split -> numbers of its layouts."""

_STREAM = 0xA1F_1A  # keeps the draws of layouts apart from those of games
_SHARED = 0.1  # how often a piece of furniture is used from the spot of the one before
_BASES = {"SinkBasin": "Sink", "BathtubBasin": "Bathtub"}  # their ids are those of the whole, with the basin last
_MANGLED = (("|", "_bar_"), ("+", "_plus_"), ("-", "_minus_"), (".", "_dot_"))


@dataclass(frozen=True, slots=True)
class Layout:
    """A furnished room."""

    room: str
    number: int
    receptacles: tuple[Receptacle, ...]
    start: str
    """The spot where games begin; nothing is within reach of it."""


@cache
def layout(room: str, number: int) -> Layout:
    """The layout of this number: always the same one."""
    rng = np.random.default_rng((_STREAM, ROOMS.index(room), number))
    spots = _spots(rng)
    receptacles: list[Receptacle] = []
    for kind, (fewest, most) in FURNITURE[room].items():
        for _ in range(int(rng.integers(fewest, most + 1))):
            shared = bool(receptacles) and rng.random() < _SHARED
            spot = receptacles[-1].spot if shared else spots.pop()
            id = object_id(_BASES.get(kind, kind), rng, kind if kind in _BASES else "")
            receptacles.append(Receptacle(id=id, kind=kind.lower(), spot=spot, openable=kind in OPENABLE))
    return Layout(room, number, tuple(receptacles), spots.pop())


def object_id(kind: str, rng: np.random.Generator, part: str = "") -> str:
    """An id such as `mug_bar__plus_01_dot_25_bar_...`: kind and place in metres, as ALFRED writes them down."""
    place = [f"{value / 100:+06.2f}" for value in rng.integers(-400, 401, size=3)]
    return mangled("|".join([kind, *place, *([part] if part else [])]).lower())


def mangled(id: str) -> str:
    """An id of the simulator, spelt with letters and underscores only."""
    for sign, word in _MANGLED:
        id = id.replace(sign, word)
    return id


def _spots(rng: np.random.Generator) -> list[str]:
    """Ids of spots, all different: two steps, a heading and the tilt of the head."""
    cells = rng.permutation(33 * 33)[:60]
    tilts = rng.integers(0, 3, size=len(cells))
    headings = rng.integers(0, 4, size=len(cells))
    return [
        mangled(f"loc|{cell // 33 - 16}|{cell % 33 - 16}|{heading}|{(30, 45, 60)[tilt]}")
        for cell, heading, tilt in zip(cells.tolist(), headings.tolist(), tilts.tolist(), strict=True)
    ]
