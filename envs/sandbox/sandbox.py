"""`Sandbox`: runs code that a model wrote, behind walls, and tells what came of it."""

from __future__ import annotations

import os
import threading
import uuid
import weakref
from collections.abc import Sequence
from typing import Any, Self

from turnwise.envs.sandbox.boundary import TIERS, Boundary, Tier
from turnwise.envs.sandbox.call import ZygoteDied
from turnwise.envs.sandbox.errors import SandboxUnavailable
from turnwise.envs.sandbox.files import Files, encode
from turnwise.envs.sandbox.interpreter import package_folders
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.monty import MontyRunner
from turnwise.envs.sandbox.result import Result
from turnwise.envs.sandbox.session import Session
from turnwise.envs.sandbox.zygote import Zygote

DIED = "the sandbox's own process was killed from outside while this ran; the next call gets a fresh one"


class Sandbox:
    """One boundary, any number of calls, from any thread.

    Each call is a process of its own with an empty working folder, the only place that it can write; both are gone
    afterwards. A session is such a process that stays for several calls, variables and folder kept. Nothing starts
    before the first call, and a copy (pickle, deepcopy, fork) starts its own.

    Args:
        limits: what each call may use.
        tier: `auto` takes bubblewrap with Landlock and seccomp inside where bwrap starts, else Landlock and seccomp;
            `bwrap` and `landlock` take that or nothing; `monty` is another interpreter of a part of Python, which is
            never taken without being asked for.
        files: put into the working folder of each call, importable as modules.
        packages: installed packages, such as `numpy`, that the code may import besides the standard library.

    Raises: ValueError for an unknown tier, a package that is not installed, or files outside the folder.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        tier: Tier = "auto",
        files: Files | None = None,
        packages: Sequence[str] = (),
    ) -> None:
        if tier not in TIERS:
            raise ValueError(f"tier is one of {', '.join(TIERS)}: got {tier!r}")
        if tier == "monty" and (files or packages):
            raise ValueError("the tier monty has no files and no packages: leave out files= and packages=")
        self.limits = limits or Limits()
        self.tier, self.files, self.packages = tier, dict(files or {}), tuple(packages)
        encode(self.files, self.limits)
        package_folders(self.packages)
        self._lock = threading.RLock()
        self._running: Zygote | None = None
        self._monty: MontyRunner | None = None
        self._sessions: dict[str, Session] = {}
        _live.add(self)

    def run(
        self, code: str, *, session: str | None = None, files: Files | None = None, collect: bool = False
    ) -> Result:
        """Run the code and tell what came of it; nothing that it does is raised here.

        Args:
            session: from `start_session`: run there, with the variables of its earlier calls.
            files: more files for the working folder.
            collect: bring back the text files that the code made or changed, in `Result.files`.

        Raises: SandboxUnavailable, ValueError for a session that never was or files that cannot be.
        """
        if session is not None:
            return self._session(session).run(self._request(code, files or {}, collect))
        if self.tier == "monty":
            return self._runner().run(self._request(code, files or {}, collect))
        request = self._request(code, {**self.files, **(files or {})}, collect)
        for _ in range(2):  # what the first attempt did is gone with its process
            try:
                zygote = self._zygote()
                return zygote.fork(session=False).run(request, tier=zygote.boundary.tier)
            except ZygoteDied:
                self._replace(zygote)
        return Result(status="killed", error=DIED, tier=self.boundary().tier)

    def start_session(self) -> str:
        """The name of a fresh session. Raises: SandboxUnavailable."""
        name = uuid.uuid4().hex
        made = Session(self._session_child(), self.boundary().tier, encode(self.files, self.limits))
        with self._lock:
            self._sessions[name] = made
        return name

    def end_session(self, session: str) -> None:
        """End it and remove its folder. Idempotent."""
        with self._lock:
            ended = self._sessions.pop(session, None)
        if ended is not None:
            ended.close()

    def boundary(self) -> Boundary:
        """Which walls hold; starts them. Raises: SandboxUnavailable."""
        return Boundary(tier="monty") if self.tier == "monty" else self._zygote().boundary

    def close(self) -> None:
        """End every session and process. Idempotent; a later call starts anew."""
        with self._lock:
            running = [one for one in (*self._sessions.values(), self._running, self._monty) if one is not None]
            self._sessions, self._running, self._monty = {}, None, None
        for one in running:
            one.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.limits, self.tier, self.files, self.packages)

    def __repr__(self) -> str:
        return f"Sandbox(limits={self.limits}, tier={self.tier!r}, packages={self.packages})"

    def _request(self, code: str, files: Files, collect: bool) -> dict[str, Any]:
        if not isinstance(code, str):
            raise TypeError(f"code is a str: got {type(code).__name__}")
        if self.tier == "monty" and (files or collect):
            raise ValueError("the tier monty has no files: leave out files= and collect=")
        return {"code": code, "files": encode(files, self.limits), "collect": collect}

    def _zygote(self) -> Zygote:
        with self._lock:
            if self._running is not None and not self._running.alive:
                self._replace(self._running)
            if self._running is None:
                self._running = Zygote(self.tier, self.packages, self.limits)
            return self._running

    def _replace(self, dead: Zygote) -> None:
        with self._lock:
            if self._running is dead:
                self._running = None
        dead.close()

    def _runner(self) -> MontyRunner:
        with self._lock:
            if self._monty is None:
                self._monty = MontyRunner(self.limits)
            return self._monty

    def _session(self, name: str) -> Session:
        with self._lock:
            if name not in self._sessions:
                raise ValueError(f"there is no session {name!r}: start_session() gives the name of one")
            return self._sessions[name]

    def _session_child(self) -> Any:
        if self.tier == "monty":
            return self._runner().session()
        for _ in range(2):
            zygote = self._zygote()
            try:
                return zygote.fork(session=True)
            except ZygoteDied:
                self._replace(zygote)
        raise SandboxUnavailable(DIED)

    def _after_fork(self) -> None:
        """The copy in a forked process owns nothing: let go of what is the parent's."""
        if self._running is not None:
            self._running.disown()
        for session in self._sessions.values():
            session.disown()
        self._lock, self._running, self._monty, self._sessions = threading.RLock(), None, None, {}


_live: weakref.WeakSet[Sandbox] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for sandbox in list(_live):
        sandbox._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
