"""Harmless targets of the probes: dummy files, local listeners, a dummy variable. Nothing here is worth stealing."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

GREETING = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"
CONTENT = "dummy\n"


class World:
    """The targets, for the time of a `with` block. Everybody may read and write the files: walls are to stop it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="turnwise-probes-", dir="/var/tmp"))
        self.folder.chmod(0o777)
        self.fresh = f"turnwise-probe-{secrets.token_hex(4)}"
        self._sockets = [
            _listener(socket.AF_INET, ("127.0.0.1", 0)),
            _listener(socket.AF_INET, ("127.0.0.1", 0)),
            _listener(socket.AF_UNIX, str(self.folder / "socket")),
            _listener(socket.AF_UNIX, f"\0{self.fresh}"),
            _listener(socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM),
        ]
        (self.folder / "socket").chmod(0o777)
        threading.Thread(target=_greet, args=(self._sockets[1],), daemon=True).start()
        self._pipe = os.pipe()
        self.variable = self.fresh.replace("-", "_").upper()
        os.environ[self.variable] = "dummy"
        self.refresh()

    def targets(self) -> dict[str, Any]:
        """What the names in the probes stand for."""
        tcp, http, _, abstract, udp = self._sockets
        files = {name: str(self.folder / name) for name in ("secret", "target", "doomed", "movable")}
        return {
            **files,
            "home": str(self.folder),
            "source": __file__,
            "fresh": self.fresh,
            "variable": self.variable,
            "host_pid": os.getpid(),
            "host_pipe": self._pipe[1],
            "tcp_port": tcp.getsockname()[1],
            "http_port": http.getsockname()[1],
            "udp_port": udp.getsockname()[1],
            "unix_socket": str(self.folder / "socket"),
            "abstract_socket": abstract.getsockname().decode(),
        }

    def refresh(self) -> None:
        """Make every file as it was, and remove what a control made elsewhere."""
        for name in ("secret", "target", "doomed", "movable"):
            path = self.folder / name
            path.write_text(CONTENT)
            path.chmod(0o666)
            os.utime(path, (1_000_000_000, 1_000_000_000))
        for found in self._left_behind():
            shutil.rmtree(found) if found.is_dir() else found.unlink()

    def damage(self) -> list[str]:
        """What was changed since `refresh`: must be nothing after a probe in the sandbox."""
        changed = [str(path) for path in self._left_behind()]
        for name in ("secret", "target", "doomed", "movable"):
            path = self.folder / name
            if not path.exists() or path.read_text() != CONTENT or path.stat().st_mtime != 1_000_000_000:
                changed.append(name)
        return changed

    def _left_behind(self) -> list[Path]:
        return [path for place in ("/tmp", "/var/tmp", "/dev/shm") for path in Path(place).glob(f"{self.fresh}*")]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.refresh()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for end in self._pipe:
            os.close(end)
        os.environ.pop(self.variable, None)
        shutil.rmtree(self.folder, ignore_errors=True)


def _listener(family: int, address: Any, kind: int = socket.SOCK_STREAM) -> socket.socket:
    made = socket.socket(family, kind)
    made.bind(address)
    if kind == socket.SOCK_STREAM:
        made.listen(16)
    return made


def _greet(listener: socket.socket) -> None:
    """Answer each request until the listener closes."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, contextlib.suppress(OSError):
            connection.recv(4096)
            connection.sendall(GREETING)
