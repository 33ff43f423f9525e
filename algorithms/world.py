"""The processes that train one model together, each with its rank. One process alone needs no torch.distributed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch

from turnwise.algorithms.checks import Lost

Item = TypeVar("Item")

DEADLINE_S = 600.0
"""How long a rank waits for the others."""


class World:
    """All ranks, and how they tell each other things. Every rank has to make the same calls in the same order.

    Whole objects travel by gloo, between processes of one installation only: they are pickled.
    """

    def __init__(self, rank: int = 0, size: int = 1, deadline_s: float = DEADLINE_S) -> None:
        self.rank, self.size, self.deadline_s = rank, size, deadline_s
        self._objects: Any = None
        """Process group for pickled objects, where there are several ranks."""

    @property
    def is_first(self) -> bool:
        """Whether this rank writes what is written once."""
        return self.rank == 0

    def gather(self, item: Item, what: str) -> list[Item]:
        """Every rank's item, by rank, on all ranks. what: for the error message.

        Raises Lost where a rank does not come within the deadline.
        """
        if self.size == 1:
            return [item]
        found: list[Any] = [None] * self.size
        with self.waiting(what):
            torch.distributed.all_gather_object(found, item, group=self._objects)
        return found

    def share(self, item: Item | None, what: str) -> Item:
        """Rank 0's item, on all ranks. Raises as `gather`."""
        if self.size == 1:
            return item  # type: ignore[return-value]  # rank 0 has it
        box = [item]
        with self.waiting(what):
            torch.distributed.broadcast_object_list(box, src=0, group=self._objects)
        return box[0]  # type: ignore[return-value]  # as above

    def total(self, numbers: Mapping[str, float], what: str) -> dict[str, float]:
        """Sums over the ranks, added up by rank. A name that some ranks lack counts 0 there. Raises as `gather`."""
        if self.size == 1:
            return dict(numbers)
        totals: dict[str, float] = {}
        for part in self.gather(dict(numbers), what):
            for name, value in part.items():
                totals[name] = totals.get(name, 0.0) + value
        return totals

    def barrier(self, what: str) -> None:
        """Wait for all ranks. Raises as `gather`."""
        self.gather(None, what)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A block in which ranks meet. Raises Lost, which names `what`, where torch.distributed gives up on one."""
        try:
            yield
        except RuntimeError as error:
            if self.size == 1 or isinstance(error, Lost) or not _is_about_peers(error):
                raise
            raise Lost(
                f"rank {self.rank} of {self.size} waited for {what}, at most {self.deadline_s:g} s: "
                f"{_reason(error)}; the run goes on with turnwise train --resume RUN once all ranks are started again"
            ) from error

    def open(self, device: torch.device, address: str | None = None) -> None:
        """Meet the others. address: `tcp://HOST:PORT` of rank 0; None: as torchrun says in the environment."""
        if self.size == 1:
            return
        if device.type == "cuda" and device.index is None:
            torch.cuda.set_device(local_rank())
        timeout = timedelta(seconds=self.deadline_s)
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        with self.waiting("all ranks to start"):
            torch.distributed.init_process_group(
                backend, init_method=address or "env://", rank=self.rank, world_size=self.size, timeout=timeout
            )
            self._objects = torch.distributed.new_group(backend="gloo", timeout=timeout)

    def close(self) -> None:
        """Take leave. Other ranks may still be at work."""
        if self._objects is not None:
            self._objects = None
            torch.distributed.destroy_process_group()


def _is_about_peers(error: RuntimeError) -> bool:
    """Whether a peer has closed its connection, or time is over. Gloo has no errors of its own kind, only words."""
    words = ("gloo", "nccl", "connection", "timed out", "timeout", "peer", "socket", "broken pipe")
    return isinstance(error, torch.distributed.DistError) or any(word in str(error).lower() for word in words)


def _reason(error: RuntimeError) -> str:
    """The first sentence of gloo's or NCCL's, without its place in their source."""
    first = re.sub(r"^(\[\S+\] )+", "", str(error).strip().splitlines()[0])
    return first.split(". ")[0].rstrip(".")


ALONE = World()
"""One process."""


def world_of_torchrun(deadline_s: float = DEADLINE_S) -> World:
    """The world that torchrun's environment variables describe; `ALONE` where there are none."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    return World(int(os.environ.get("RANK", "0")), size, deadline_s) if size > 1 else ALONE


def local_rank() -> int:
    """This process's number on its machine: which of its GPUs it has."""
    return int(os.environ.get("LOCAL_RANK", "0"))
