"""A retrieval server that speaks Search-R1's `/retrieve`.

    python -m turnwise.envs.search.serve --corpus passages.jsonl --port 8000

Without a corpus it serves a closed world (`--size`, `--world`). Requests are answered in threads over one index.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from turnwise.envs.search.passages import Retriever
from turnwise.envs.search.sources import Source

_LARGEST_REQUEST = 10_000_000  # bytes
_MOST_PASSAGES = 1000


def make_server(retriever: Retriever, host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    """A server that has not started yet; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer(*self._result())

        def _result(self) -> tuple[int, Any]:
            """(status, content)"""
            if self.path != "/retrieve":
                return 404, {"error": f"there is only /retrieve: got {self.path[:100]}"}
            try:
                length = int(self.headers.get("Content-Length", 0))
                if not 0 < length <= _LARGEST_REQUEST:
                    raise ValueError(f"a request has 1 to {_LARGEST_REQUEST:,} bytes: got {length}")
                return 200, {"result": retrieve(retriever, json.loads(self.rfile.read(length)))}
            except (ValueError, RecursionError) as error:
                return 400, {"error": str(error)[:500]}

        def _answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: a training run asks thousands of times."""

    return ThreadingHTTPServer((host, port), Handler)


def retrieve(retriever: Retriever, request: Any) -> list[list[dict[str, Any]]]:
    """A list of documents per query; the score is 1 / rank, since retrievers need not have comparable ones.

    Raises ValueError unless the request is `{"queries": [texts], "topk": count}`.
    """
    queries = request.get("queries") if isinstance(request, dict) else None
    count = request.get("topk", 3) if isinstance(request, dict) else None
    if not isinstance(queries, list) or not all(isinstance(query, str) for query in queries):
        raise ValueError('a request is {"queries": [texts], "topk": count}')
    if not isinstance(count, int) or not 1 <= count <= _MOST_PASSAGES:
        raise ValueError(f"topk lies between 1 and {_MOST_PASSAGES}: got {str(count)[:50]}")
    return [
        [
            {"document": {"contents": f'"{title}"\n{text}'}, "score": 1 / rank}
            for rank, (title, text) in enumerate(retriever.search(query, count), 1)
        ]
        for query in queries
    ]


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--corpus", help="passages, .jsonl or .parquet")
    parser.add_argument("--size", type=int, default=2000, help="passages of the closed world, without a corpus")
    parser.add_argument("--world", type=int, default=0, help="seed of the closed world")
    parser.add_argument("--retriever", default="bm25", choices=("bm25", "tantivy"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    given = parser.parse_args()
    source = Source(size=given.size, world=given.world, corpus=given.corpus, retriever=given.retriever)
    source.open().search("warm up", 1)
    server = make_server(source.open(), given.host, given.port)
    print(f"http://{given.host}:{server.server_port}/retrieve", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
