"""Serving the pages on this machine, and on no other."""

from __future__ import annotations

import socket
from typing import Any

HOST = "127.0.0.1"
USUAL_PORT = 8642


def listen(port: int | None) -> socket.socket:
    """A socket of this machine alone. None: the usual port, or a free one where somebody has it.

    Raises OSError where the given port is taken.
    """
    wanted = [USUAL_PORT, 0] if port is None else [port]
    for number in wanted:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, number))
            found.listen(128)  # a browser that is quicker than the server waits for it, and is not refused
            return found
        except OSError as error:
            found.close()
            if number == wanted[-1]:
                raise OSError(f"port {number} cannot be served: {error.strerror}; give another with --port") from None
    raise AssertionError("the last port is served or raises")


def serve(app: Any, sock: socket.socket) -> None:
    """Until Ctrl-C, which raises KeyboardInterrupt."""
    import uvicorn

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[sock])
