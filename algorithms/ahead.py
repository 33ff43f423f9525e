"""Work on the host while the model computes: the next item is made ready beside the one in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Ready = TypeVar("Ready")


def ahead(items: Sequence[Item], prepare: Callable[[Item], Ready], *, beside: bool = True) -> Iterator[Ready]:
    """`prepare` of every item, in order, each in a thread while the one before it is in use.

    beside: False where nothing is gained, because the processor is busy with that one: each item is then made ready
        when it is asked for.
    What `prepare` raises is raised where its item is asked for. One who stops early waits for what is under way.
    """
    if len(items) < 2 or not beside:
        yield from map(prepare, items)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="turnwise-ahead") as thread:
        coming = thread.submit(prepare, items[0])
        for item in items[1:]:
            ready, coming = coming.result(), thread.submit(prepare, item)
            yield ready
        yield coming.result()
