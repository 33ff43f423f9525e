"""Replies that agents owe to tables: each is handed in alone, and played as soon as it is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from turnwise.agents.engine import AgentFailure
from turnwise.agents.table import Table
from turnwise.envs.core import EnvFailure
from turnwise.records import Reply, Request

PATIENCE_S = 600.0
"""For so long an agent may leave all that it owes unanswered."""

FAILURES = (AgentFailure, EnvFailure)


class Stream(Protocol):
    """An agent that answers requests one by one, in its own time."""

    def submit(self, requests: Sequence[Request]) -> list[int]: ...

    def receive(self, timeout_s: float) -> Sequence[tuple[int, Reply | AgentFailure | EnvFailure]]: ...

    def withdraw(self, numbers: Sequence[int]) -> None: ...


class Owed:
    """All replies that are on their way. patience_s: after so long without any, the episodes end with "timeout"."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self._tables: dict[Stream, dict[int, Table]] = {}
        """Agent -> number of a request -> who waits for the reply to it."""
        self._heard: dict[Stream, float] = {}
        """When each agent that owes something last gave a reply, or was first asked."""

    def __len__(self) -> int:
        return sum(map(len, self._tables.values()))

    def ask(self, stream: Stream, tables: Sequence[Table]) -> None:
        """Hand in the requests of these tables."""
        numbers = stream.submit([table.request for table in tables])
        if stream not in self._tables:
            self._heard[stream] = time.monotonic()
        waiting = self._tables.setdefault(stream, {})
        for number, table in zip(numbers, tables, strict=True):
            waiting[number], table.asked = table, True

    def receive(self, timeout_s: float, goes_on: Callable[[Table], bool] = lambda _: True) -> list[Table]:
        """Carry what is there to its tables; returns these, and those that are given up.

        Waits for at most so long, shared by all agents that owe something. goes_on: called with each table right after
        its reply; one of which it says no is not returned.
        """
        share = timeout_s / max(len(self._tables), 1)
        carried: list[Table] = []
        for stream, waiting in list(self._tables.items()):
            found = stream.receive(share)
            for number, reply in found:
                table = waiting.pop(number)
                table.asked = False
                if isinstance(reply, FAILURES):
                    table.fail(reply)
                else:
                    table.answer(reply)
                if goes_on(table):
                    carried.append(table)
            if not waiting:
                del self._tables[stream], self._heard[stream]
            elif found:
                self._heard[stream] = time.monotonic()
            elif time.monotonic() - self._heard[stream] > self.patience_s:
                carried += filter(goes_on, self._give_up(stream))
        return carried

    def _give_up(self, stream: Stream) -> list[Table]:
        waiting = self._tables.pop(stream)
        del self._heard[stream]
        stream.withdraw(list(waiting))
        text = f"{len(waiting)} replies were waited for, and none came for {self.patience_s:g} s"
        for table in waiting.values():
            table.fail(AgentFailure(text, "timeout"))
        return [*waiting.values()]

    def withdraw(self) -> None:
        """Forget everything: the episodes that wait are given up."""
        for stream, waiting in self._tables.items():
            stream.withdraw(list(waiting))
        self._tables.clear()
        self._heard.clear()
