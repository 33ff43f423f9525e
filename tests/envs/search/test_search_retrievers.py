"""Who finds what: BM25 by hand, every retriever over the same world, and servers that fail."""

from __future__ import annotations

import json
import math
import pickle
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from turnwise.envs.core import EnvFailure
from turnwise.envs.search.bm25 import BM25Retriever
from turnwise.envs.search.dense import DenseRetriever
from turnwise.envs.search.http import HTTPRetriever, read_answer
from turnwise.envs.search.passages import Passage, Retriever
from turnwise.envs.search.questions import draw_question
from turnwise.envs.search.serve import make_server
from turnwise.envs.search.sources import Source
from turnwise.envs.search.tantivy_index import TantivyRetriever
from turnwise.envs.search.world import shared_world

WIDTH = 512


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path_factory.getbasetemp() / "search-cache"))


def hashed_words(texts: Sequence[str]) -> np.ndarray:
    """Counts of words in hashed places, each row of length 1."""
    vectors = np.zeros((len(texts), WIDTH), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace(".", " ").split():
            vectors[row, zlib.crc32(word.encode()) % WIDTH] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


THREE = [
    Passage("Cats", "cats purr purr"),
    Passage("Dogs", "dogs bark loudly at cats"),
    Passage("Fish", "fish stay silent"),
]


def bm25_score(term_count: int, length: int, mean: float, documents: int, containing: int) -> float:
    """Lucene's BM25 with k1 = 1.5, b = 0.75."""
    idf = math.log(1 + (documents - containing + 0.5) / (containing + 0.5))
    return idf * term_count / (term_count + 1.5 * (0.25 + 0.75 * length / mean))


def test_bm25_by_hand() -> None:
    retriever = BM25Retriever(THREE, "by-hand")
    assert [hit.title for hit in retriever.search("do cats purr?", 3)] == ["Cats", "Dogs"]
    lengths = [4, 5, 4]  # titles count; "at" is a stop word
    mean = sum(lengths) / 3
    scores = retriever._scores("cats")
    expected = [bm25_score(2, 4, mean, 3, 2), bm25_score(1, 5, mean, 3, 2), 0.0]
    assert scores == pytest.approx(expected, rel=1e-5)
    assert retriever.search("zebra", 3) == []
    assert retriever.search("", 3) == []
    assert [hit.title for hit in pickle.loads(pickle.dumps(retriever)).search("bark", 1)] == ["Dogs"]


@pytest.mark.parametrize("make", [BM25Retriever, TantivyRetriever])
def test_hostile_queries_are_bags_of_words(make: Callable[[list[Passage], str], Retriever]) -> None:
    retriever = make(THREE, "hostile")
    for query in (
        'contents:"cats" AND (',
        "cats^1e999 ~ [a TO z] \\",
        "cats " * 50_000,
        "\x00cats\ud800",
        "+-&&||!(){}^~*?:\\/ cats",
    ):
        assert retriever.search(query, 1)[0].title == "Cats"


@pytest.mark.parametrize("retriever", ["bm25", "tantivy", "dense"])
def test_the_needed_passage_is_among_the_first_three(retriever: str) -> None:
    world = shared_world(2000, 0)
    opened = Source(retriever=retriever, embed=hashed_words if retriever == "dense" else None).open()
    rng, found = np.random.default_rng(0), []
    for _ in range(50):
        for fact in draw_question(world, 2, rng).chain:
            query = f"{world.titles[fact.subject]} {fact.relation.keywords}"
            hits = opened.search(query, 3)
            assert len(hits) == 3
            found.append(world.titles[fact.subject] in [hit.title for hit in hits])
    assert sum(found) / len(found) >= (0.95 if retriever != "dense" else 0.6)


def test_faiss_and_numpy_agree() -> None:
    world = shared_world(200, 0)
    both = [DenseRetriever(world, "agree", hashed_words, engine=engine) for engine in ("faiss", "numpy")]
    for query in ("Krobliokea founder", "who was born in Giplachair"):
        one, other = ([hit.title for hit in retriever.search(query, 5)] for retriever in both)
        assert one == other


def test_an_embedder_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one finite vector per text: got shape \(1, 4\) for 3 texts"):
        DenseRetriever(THREE, "unfit", lambda texts: np.zeros((1, 4)), engine="numpy").search("x", 1)
    with pytest.raises(ValueError, match="engine is faiss or numpy"):
        DenseRetriever(THREE, "unfit", hashed_words, engine="cuda")


def test_equal_sources_share_one_index() -> None:
    assert Source(size=200).open() is Source(size=200).open()
    assert Source(size=200).open() is not Source(size=200, world=1).open()
    with pytest.raises(ValueError, match="retriever is bm25, tantivy, dense or a url: got 'bm52'"):
        Source(retriever="bm52")
    with pytest.raises(ValueError, match="goes with retriever"):
        Source(retriever="dense")


# --- servers ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def serve() -> Iterator[Callable[[ThreadingHTTPServer], str]]:
    servers: list[ThreadingHTTPServer] = []

    def start(server: ThreadingHTTPServer) -> str:
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/retrieve"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def scripted(*answers: tuple[int, bytes]) -> ThreadingHTTPServer:
    """Gives these answers in turn, the last one for ever."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def test_a_served_index_answers_as_the_index_does(serve: Callable[[ThreadingHTTPServer], str]) -> None:
    local = BM25Retriever(THREE, "by-hand")
    remote = HTTPRetriever(serve(make_server(local)))
    assert remote.search("cats", 2) == local.search("cats", 2)
    assert remote.search("zebra", 2) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"nonsense", 400), (b'{"queries": "cats"}', 400), (b'{"queries": ["x"], "topk": 0}', 400), (b"", 400)],
)
def test_the_server_refuses_bad_requests(serve: Callable[[ThreadingHTTPServer], str], body: bytes, status: int) -> None:
    port = int(serve(make_server(BM25Retriever(THREE, "by-hand"))).split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(b"POST /retrieve HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert line.recv(100).startswith(b"HTTP/1.0 %d" % status)


def test_a_server_that_comes_back_is_asked_again(serve: Callable[[ThreadingHTTPServer], str]) -> None:
    good = json.dumps({"result": [[{"document": {"title": "T", "text": "x"}}, {"contents": '"U"\ny'}]]}).encode()
    url = serve(scripted((503, b""), (200, good)))
    assert HTTPRetriever(url).search("x", 2) == [Passage("T", "x"), Passage("U", "y")]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b"", "HTTP 404"),
        (500, b"", "HTTP 500"),
        (200, b"\xff\xfe", "JSONDecodeError"),
        (200, b'{"result": []}', "one list of documents for one query"),
        (200, b'{"result": [[{"document": {"id": 3}}]]}', "a passage has"),
        (200, b"[" * 100_000, "RecursionError"),
    ],
)
def test_a_server_that_fails_is_the_environment_s_failure(
    serve: Callable[[ThreadingHTTPServer], str], status: int, body: bytes, message: str
) -> None:
    with pytest.raises(EnvFailure, match=message):
        HTTPRetriever(serve(scripted((status, body))), deadline_s=2).search("x", 2)


def test_silence_and_absence_are_failures_within_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/retrieve"
        with pytest.raises(EnvFailure, match=r"gave no passages within 0.2 s: "):
            HTTPRetriever(url, deadline_s=0.2).search("x", 1)
    with pytest.raises(EnvFailure, match="refused"):
        HTTPRetriever(url, deadline_s=0.5, attempts=2).search("x", 1)
    with pytest.raises(ValueError, match="starts with http"):
        HTTPRetriever("localhost:8000")


def test_an_answer_keeps_to_the_count() -> None:
    body = json.dumps({"result": [[{"title": str(i), "text": ""} for i in range(9)]]}).encode()
    assert [passage.title for passage in read_answer(body, 2)] == ["0", "1"]


def test_a_half_built_index_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path))
    broken = BM25Retriever([Passage("a", "b")], "broken")
    monkeypatch.setattr(Passage, "contents", property(lambda self: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        broken.search("b", 1)
    assert list((tmp_path / "bm25").iterdir()) == []
