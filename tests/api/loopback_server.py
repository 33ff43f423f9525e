"""A real HTTP server on a free port of this machine, that answers as a test tells it to and remembers what it saw."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from turnwise.records import Message, Request


@dataclass
class Seen:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float
    """Of the monotonic clock."""

    @property
    def text(self) -> str:
        """The newest message."""
        return str(self.body["messages"][-1]["content"])


@dataclass
class Answer:
    """What is sent back; None in place of one: the connection is closed without a word."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"


class Server:
    """`answer(seen)` decides; it may wait on `released`, which is set at the end."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answer: Callable[[Seen], Answer | None] = lambda seen: chat("fine")
        self.released, self.lock = threading.Event(), threading.Lock()
        self.here = self.most = 0
        """Requests being answered now, and the most at once."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self.released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the name is http.server's
            data = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.path, headers, json.loads(data), time.monotonic())
            with server.lock:
                server.seen.append(seen)
                server.here += 1
                server.most = max(server.most, server.here)
            try:
                answer = server.answer(seen)
            finally:
                with server.lock:
                    server.here -= 1
            if answer is None:
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {
                "content-type": answer.kind,
                "content-length": str(len(body)),
                **answer.headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler


def chat(text: str | None, *, finish: str = "stop", calls: list[dict[str, Any]] | None = None, **more: Any) -> Answer:
    """A reply of OpenAI's chat completions: 10 tokens read, 4 written."""
    message = {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
    return Answer({"object": "chat.completion", "choices": [choice], "usage": usage, **more})


def anthropic(*blocks: dict[str, Any], stop: str = "end_turn") -> Answer:
    """A reply of Anthropic's messages: 12 tokens read, 2 of them from its cache; 3 written."""
    usage = {"input_tokens": 10, "cache_read_input_tokens": 2, "output_tokens": 3}
    return Answer({"type": "message", "role": "assistant", "content": [*blocks], "stop_reason": stop, "usage": usage})


def request(*texts: str, seed: int = 7, game: Any = None) -> Request:
    """A seat is asked after these messages, the user's and the assistant's in turn."""
    roles = ("user", "assistant")
    messages = tuple(Message(roles[place % 2], text) for place, text in enumerate(texts))
    return Request(seat="player_0", messages=messages, seed=seed, game=game)
