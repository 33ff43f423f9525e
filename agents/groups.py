"""Requests that wait to be answered, those that differ in nothing but their seeds side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnwise.agents.drawing import Ints
from turnwise.agents.engine import Ask
from turnwise.agents.sampling import Sampling, skip, words


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What was sampled of a reply before it was interrupted."""

    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    entropy: tuple[float, ...] = ()
    versions: tuple[tuple[int, int], ...] = ()
    """(first token, version of the weights) per span that is over."""


NOTHING = Said()


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Requests with the same prompt and settings."""

    ask: Ask
    """One of them."""
    context: tuple[int, ...]
    """The prompt and what has been said."""
    numbers: Ints
    sessions: NDArray[Any]
    """Names, or None."""
    streams: NDArray[np.uint64]
    """Seeds whose streams begin at the next draw."""
    said: Said = NOTHING

    def __len__(self) -> int:
        return len(self.numbers)

    def only(self, some: Any) -> Group:
        """These of them: a slice, or flags."""
        parts = (self.numbers[some], self.sessions[some], self.streams[some])
        return Group(self.ask, self.context, *parts, self.said)


def grouped(asks: Sequence[Ask], first: int) -> list[Group]:
    """Groups of these requests, in the order of their first ones. first: the number of the first request."""
    members: dict[tuple[tuple[int, ...], Sampling, int], list[int]] = {}
    known: dict[int, list[int]] = {}  # of one way to sample, by the prompt's object, which is found sooner
    sampling, begun = None, None
    for place, ask in enumerate(asks):
        if ask.sampling is not sampling or ask.begun is not begun:
            sampling, begun, known = ask.sampling, ask.begun, {}
        places = known.get(id(ask.prompt))
        if places is None:
            places = known[id(ask.prompt)] = members.setdefault((ask.prompt, ask.sampling, len(ask.begun)), [])
        places.append(place)
    sessions = np.fromiter([ask.session for ask in asks], dtype=object, count=len(asks))
    seeds = np.asarray(words([ask.seed for ask in asks]))
    groups = []
    for places in members.values():
        ask = asks[places[0]]
        streams = skip(seeds[places], len(ask.begun))
        groups.append(Group(ask, ask.prompt, np.array(places) + first, sessions[places], streams))
    return groups


def merged(groups: Iterable[Group]) -> list[Group]:
    """Those that came at different times together."""
    alike: dict[tuple[Any, ...], list[Group]] = {}
    for group in groups:
        alike.setdefault((group.context, group.ask.sampling, len(group.ask.begun), group.said), []).append(group)
    return [some[0] if len(some) == 1 else _joined(some) for some in alike.values()]


def _joined(groups: Sequence[Group]) -> Group:
    columns = ((group.numbers, group.sessions, group.streams) for group in groups)
    numbers, sessions, streams = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return replace(groups[0], numbers=numbers, sessions=sessions, streams=streams)


class Waiting:
    """Groups in the order in which they came."""

    def __init__(self) -> None:
        self._groups: deque[Group] = deque()
        self._count = 0

    def __len__(self) -> int:
        """Requests."""
        return self._count

    def put(self, groups: Sequence[Group], *, in_front: bool = False) -> None:
        """They come last, or before all others."""
        if in_front:
            self._groups.extendleft(reversed(groups))
        else:
            self._groups.extend(groups)
        self._count += sum(map(len, groups))

    def take(self, going: int, longest: int, tokens: int) -> tuple[list[Group], int]:
        """The first ones that there is room for beside those that are going on, and the longest context then.

        longest: context of those that are going on. tokens: room; every request takes as many as the longest context.
        At least one is taken where nothing is going on.
        """
        taken: list[Group] = []
        while self._groups:
            group = self._groups[0]
            longer = max(longest, len(group.context))
            room = max(tokens // longer, 0 if going else 1) - going
            if room <= 0:
                break
            longest = longer
            if room < len(group):
                self._groups[0] = group.only(slice(room, None))
                group = group.only(slice(room))
            else:
                self._groups.popleft()
            taken.append(group)
            going += len(group)
            self._count -= len(group)
        return taken, longest

    def sort(self) -> None:
        """The shortest contexts first."""
        self._groups = deque(sorted(merged(self._groups), key=lambda group: len(group.context)))

    def withdraw(self, numbers: Sequence[int]) -> None:
        """Forget these requests."""
        left = [group.only(~np.isin(group.numbers, numbers)) for group in self._groups]
        self.clear()
        self.put([group for group in left if len(group)])

    def clear(self) -> None:
        """Forget all."""
        self._groups.clear()
        self._count = 0
