"""The host's end of one child: send a request, wait within the limits, make a `Result` of what comes back."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
import weakref
from collections.abc import Mapping
from typing import Any

from turnwise.envs.sandbox import answer
from turnwise.envs.sandbox.guest.frames import HEAD, pack
from turnwise.envs.sandbox.guest.jobs import GO, STOP
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.result import Result, Status

REPORT_WITHIN_S = 30.0
"""How long the zygote may take to tell how a child ended that hung up."""
WHY: Mapping[str, tuple[Status, str]] = {
    "cpu": ("timeout", "it took more than {cpu_s:g} s of processor time"),
    "wall": ("timeout", "it took more than {wall_s:g} s"),
    "folder": ("disk", "its folder held more than {folder_bytes} bytes or {folder_files} files"),
    "flood": ("output", "it printed more than {flood_bytes} bytes"),
}


class ZygoteDied(Exception):
    """The zygote hung up in the middle of a call."""


class Call:
    """The three descriptors of one child, and what came through them in the call that runs now."""

    def __init__(self, control: socket.socket, output: int, report: socket.socket, limits: Limits) -> None:
        self.control, self.output, self.report, self.limits = control, output, report, limits
        self.alive = True
        os.set_blocking(output, False)
        _live.add(self)

    def run(self, request: Mapping[str, Any], *, tier: str, session: bool = False) -> Result:
        """Have one request answered. Raises: ZygoteDied."""
        self._printed, self._dropped, self._answer = bytearray(), 0, bytearray()
        start = time.monotonic()
        if session:
            self._command(GO)
        why = self._begin(request, start + self.limits.wall_s) or self._wait(start + self.limits.wall_s)
        self._drain()
        told = None if why else self._read_answer()
        if told is not None and session:
            self._command(STOP)
        else:
            told = told or self._ended(why)
            self.close()
        return self._result(told, time.monotonic() - start, tier)

    def close(self) -> None:
        """End the child: the zygote kills it when its report socket shuts. Idempotent."""
        if self.alive:
            with contextlib.suppress(OSError):  # closing alone would not do where a fork holds a copy
                self.report.shutdown(socket.SHUT_RDWR)
            self.disown()

    def disown(self) -> None:
        """Let go without ending anything: what a forked copy of this process does. Idempotent."""
        if self.alive:
            self.alive = False
            self.control.close()
            self.report.close()
            os.close(self.output)

    def _begin(self, request: Mapping[str, Any], deadline: float) -> str | None:
        """Send the request. Returns: why that failed, or None."""
        self.control.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            self.control.sendall(pack(dict(request)))
        except TimeoutError:
            return "wall"
        except OSError:
            return "gone"
        self.control.setblocking(False)
        return None

    def _command(self, command: bytes) -> None:
        try:
            self.report.send(command, socket.MSG_NOSIGNAL)
        except OSError:
            return  # the end shows when reading

    def _wait(self, deadline: float) -> str | None:
        """Read until the answer is whole. Returns: None, or why there is none."""
        poll = select.poll()
        for descriptor in (self.control.fileno(), self.output, self.report.fileno()):
            poll.register(descriptor, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return "wall"
            ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
            if self.output in ready and self._take_output() == b"":
                poll.unregister(self.output)
            if self._dropped + len(self._printed) > self.limits.flood_bytes:
                return "flood"
            if self.control.fileno() in ready and (done := self._take_answer()) is not None:
                return done or None
            if self.report.fileno() in ready:
                self._drain()
                return None if self._take_answer() == "" else "gone"

    def _take_output(self) -> bytes | None:
        """Keep what fits. Returns: what came, None where nothing waits, b"" at the end."""
        try:
            part = os.read(self.output, 1 << 16)
        except BlockingIOError:
            return None
        room = max(0, self.limits.output_bytes - len(self._printed))
        self._printed += part[:room]
        self._dropped += len(part[room:])
        return part

    def _drain(self) -> None:
        while self._dropped <= self.limits.flood_bytes and self._take_output():
            pass

    def _take_answer(self) -> str | None:
        """Read on. Returns: "" when it is whole, "gone" when it never will be, None when more is to come."""
        most = 16 * self.limits.output_bytes + 8 * self.limits.file_bytes + (1 << 16)
        while True:
            try:
                part = self.control.recv(1 << 20)
            except BlockingIOError:
                return None
            except OSError:
                part = b""
            self._answer += part
            if len(self._answer) >= HEAD.size and len(self._answer) >= HEAD.size + self._announced():
                return ""
            if not part or len(self._answer) > most:
                return "gone"

    def _announced(self) -> int:
        return int(HEAD.unpack_from(self._answer)[0])

    def _read_answer(self) -> dict[str, Any] | None:
        return answer.read(bytes(self._answer[HEAD.size : HEAD.size + self._announced()]), self.limits)

    def _ended(self, why: str | None) -> dict[str, Any]:
        """How the child ended, by our own observation or the zygote's. Raises: ZygoteDied."""
        if why in WHY:
            return self._over(str(why))
        told = self._reported()
        if not told:
            raise ZygoteDied
        end = json.loads(told)
        if end["why"] in WHY:
            return self._over(end["why"])
        if end["exit"] == -signal.SIGXCPU:
            return self._over("cpu")
        return {"status": "killed", "error": answer.how(end["exit"])}

    def _reported(self) -> bytes:
        """What the zygote wrote last, empty where it is gone."""
        self.report.settimeout(REPORT_WITHIN_S)
        for _ in range(2):
            try:
                self.report.shutdown(socket.SHUT_WR)
                return self.report.recv(4096)
            except ConnectionResetError:
                continue  # it closed its end over a command of ours; what it wrote before is read next
            except OSError:
                break
        return b""

    def _over(self, why: str) -> dict[str, Any]:
        status, text = WHY[why]
        bounds = {name: getattr(self.limits, name) for name in Limits.__dataclass_fields__}
        return {"status": status, "error": f"killed: {text.format(**bounds)}"}

    def _result(self, told: Mapping[str, Any], seconds: float, tier: str) -> Result:
        return Result(
            status=told["status"],
            stdout=self._printed.decode("utf-8", "replace"),
            value=told.get("value"),
            error=told.get("error"),
            seconds=seconds,
            truncated_output=self._dropped > 0,
            files=told.get("files", {}),
            tier=tier,
        )


_live: weakref.WeakSet[Call] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for call in list(_live):
        call.disown()


os.register_at_fork(after_in_child=_after_fork_in_child)
