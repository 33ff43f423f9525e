"""The child of `processes`: reads a JSON list of games from standard input, writes a line of JSON for each to a file.

python -m turnwise.envs.checker.child ANSWERS FOLDER
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

LONGEST_GAME_S = 120
"""Seconds after which a game that hangs is given up."""
_SEEDS = (0, 1)
_TURNS = 20  # of each episode that is compared

_tried: list[str] = []


def main() -> int:
    """Answer for every game, whatever any of them does."""
    answers, folder = Path(sys.argv[1]), sys.argv[2]
    sys.path.insert(0, folder)
    targets: list[str] = json.load(sys.stdin)
    import_module("turnwise")  # what it loads is looked at
    loaded = set(sys.modules)
    from turnwise.envs.checker.subject import Subject

    _shut_the_network()
    modules = {target: Subject(target).module for target in targets}
    for module, group in groupby(sorted(targets, key=lambda target: str(modules[target])), modules.__getitem__):
        for pid, left in _forks(list(group), answers):
            if pid == 0:
                _answer(left, str(module), module in loaded, answers)
                os._exit(0)
    return 0


def _forks(targets: Sequence[str], answers: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """Fork until every game has an answer: one that kills its process is answered for here, and left out."""
    left = list(targets)
    while left:
        pid = os.fork()
        yield pid, left
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        answered = (
            {json.loads(line)["target"] for line in answers.read_text().splitlines()} if answers.exists() else set()
        )
        left = [target for target in left if target not in answered]
        if left:
            told = signal.Signals(-status).name if status < 0 else f"exit code {status}"
            _write(answers, {"target": left.pop(0), "error": f"the process ended by {told}"})


def _answer(targets: Sequence[str], module: str, loaded: bool, answers: Path) -> None:
    """In a fork: import the module, then play every game."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process
    signal.alarm(LONGEST_GAME_S)
    begin = time.perf_counter()
    common: dict[str, Any] = {"loaded": loaded, "walls": _walls()}
    try:
        import_module(module)
        common["import_s"] = time.perf_counter() - begin
    except (Exception, SystemExit) as error:
        common["error"] = _told(error)
    for target in targets:
        signal.alarm(LONGEST_GAME_S)
        answer = {"target": target, **common}
        try:
            if "error" not in common:
                answer["digest"] = _digest(target)
        except (Exception, SystemExit) as error:
            answer["error"] = _told(error)
        _write(answers, {**answer, "tried": sorted(set(_tried))})
        _tried.clear()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error)[:300]}"


def _digest(target: str) -> str:
    """A hash of everything that two short episodes show."""
    from turnwise.envs.checker.play import episode
    from turnwise.envs.checker.subject import Subject

    referee = Subject(target).referee()
    episodes = [episode(referee, seed, limit=_TURNS) for seed in _SEEDS]
    referee.game.close()
    return hashlib.sha256(repr(episodes).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _write(answers: Path, answer: dict[str, Any]) -> None:
    with answers.open("a") as file:
        file.write(json.dumps(answer) + "\n")


def _walls() -> str:
    """Which boundary holds: a namespace without a network, or connections that Python refuses."""
    return "no network" if [name for _, name in socket.if_nameindex()] == ["lo"] else "connections refused"


def _shut_the_network() -> None:
    """Refuse every connection but those within this machine, and note where it would have gone."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def allowed(self: socket.socket, address: Any) -> bool:
        if self.family not in (socket.AF_INET, socket.AF_INET6) or address[0] in ("127.0.0.1", "::1", "localhost"):
            return True
        _tried.append(f"{address[0]}:{address[1]}")
        return False

    def refuse(self: socket.socket, address: Any) -> None:
        if not allowed(self, address):
            raise OSError(f"no network here: a connection to {address} was refused")
        connect(self, address)

    def refuse_ex(self: socket.socket, address: Any) -> int:
        return connect_ex(self, address) if allowed(self, address) else 101  # network is unreachable

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        if host in (None, "", "127.0.0.1", "::1", "localhost"):
            return getaddrinfo(host, *rest, **more)
        _tried.append(str(host))
        raise socket.gaierror(f"no network here: {host!r} was not looked up")

    getaddrinfo = socket.getaddrinfo
    socket.socket.connect = refuse  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = refuse_ex  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = resolve


if __name__ == "__main__":
    raise SystemExit(main())
