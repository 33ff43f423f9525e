"""Search by a server that speaks Search-R1's `/retrieve`: `{"queries": [...], "topk": k, "return_scores": true}`."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any

from turnwise.envs.core import EnvFailure
from turnwise.envs.search.passages import Passage

_LARGEST_ANSWER = 10_000_000  # bytes
_CHUNK = 65_536  # bytes
_FIRST_PAUSE_S = 0.1


class HTTPRetriever:
    """Asks a retrieval server, again where it does not answer, until the deadline.

    url: of the route, for example `http://127.0.0.1:8000/retrieve`. deadline_s: for one search, all attempts together.
    A server that stays silent, refuses, or answers something else is an EnvFailure: no agent is to blame for it.
    """

    def __init__(self, url: str, *, deadline_s: float = 10.0, attempts: int = 3) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"the url of a retriever starts with http:// or https://: got {url!r}")
        if deadline_s <= 0 or attempts < 1:
            raise ValueError(f"deadline_s is above 0 and attempts at least 1: got {deadline_s} and {attempts}")
        self.url, self.deadline_s, self.attempts = url, deadline_s, attempts

    def search(self, query: str, count: int) -> list[Passage]:
        """The passages in the order of the server."""
        body = json.dumps({"queries": [query], "topk": count, "return_scores": True}).encode()
        end, pause, reason = time.monotonic() + self.deadline_s, _FIRST_PAUSE_S, "no attempt was made"
        for attempt in range(self.attempts):
            left = end - time.monotonic()
            if left <= 0:
                break
            try:
                return read_answer(self._ask(body, left), count)
            except urllib.error.HTTPError as error:
                reason = f"HTTP {error.code}"
                if error.code < 500:
                    break
            except (OSError, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
            if attempt + 1 < self.attempts:
                time.sleep(max(0.0, min(pause, end - time.monotonic())))
                pause *= 2
        raise EnvFailure(f"the retriever at {self.url} gave no passages within {self.deadline_s:g} s: {reason}")

    def _ask(self, body: bytes, timeout_s: float) -> bytes:
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        end, found = time.monotonic() + timeout_s, bytearray()
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            while part := answer.read1(_CHUNK):
                found += part
                if time.monotonic() > end:
                    raise TimeoutError("the answer came too slowly")
                if len(found) > _LARGEST_ANSWER:
                    raise EnvFailure(f"the retriever at {self.url} answered with more than {_LARGEST_ANSWER:,} bytes")
        return bytes(found)


def read_answer(body: bytes, count: int) -> list[Passage]:
    """The passages of `{"result": [[{"document": {...}, "score": ...}, ...]]}`, scores optional. Raises EnvFailure."""
    try:
        (hits,) = json.loads(body)["result"]
        return [read_passage(hit.get("document", hit)) for hit in hits[:count]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EnvFailure(
            f"a retriever answers one list of documents for one query, "
            f'{{"result": [[{{"document": ...}}]]}}: {type(error).__name__}, {str(error)[:100]}'
        ) from None


def read_passage(raw: Any) -> Passage:
    r"""A passage out of `{"title", "text"}` or `{"contents": "\"Title\"\ntext"}`. Raises ValueError."""
    if isinstance(raw, dict) and isinstance(raw.get("contents"), str):
        title, _, text = raw["contents"].partition("\n")
        return Passage(title.strip().strip('"'), text)
    if isinstance(raw, dict) and isinstance(raw.get("text"), str):
        return Passage(str(raw.get("title") or ""), raw["text"])
    raise ValueError('a passage has "contents", or "title" and "text"')
