"""What a server was asked for, and what that cost."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from turnwise.agents.api.settings import ApiSettings

_READ = ("prompt_tokens", "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_WRITTEN = ("completion_tokens", "output_tokens")
"""The names of the providers for tokens; a reply uses those of one of them."""


@dataclass(slots=True)
class Usage:
    """Counters of one agent or engine behind an API, from its beginning."""

    requests: int = 0
    """Sent to the server, retries included."""
    retries: int = 0
    failures: int = 0
    """Replies that were given up."""
    input_tokens: int = 0
    """As the server counts them, of the replies that came."""
    output_tokens: int = 0
    cost: float = 0.0
    """In the currency of the prices. Tries that failed are not in it: nobody tells how many tokens they took."""

    def count(self, usage: Any, settings: ApiSettings) -> None:
        """Add what a reply says of its tokens, if it says anything."""
        if isinstance(usage, Mapping):
            read, written = (sum(_number(usage, name) for name in names) for names in (_READ, _WRITTEN))
            self.input_tokens += read
            self.output_tokens += written
            self.cost += (read * settings.input_price + written * settings.output_price) / 1e6

    def __str__(self) -> str:
        tries = f"{self.requests} requests ({self.retries} retries, {self.failures} failures)"
        return f"{tries}, {self.input_tokens} tokens read, {self.output_tokens} written, cost {self.cost:g}"

    def to_dict(self) -> dict[str, float]:
        """Name -> number."""
        return dataclasses.asdict(self)


def asked_by(parts: Iterable[object]) -> dict[str, float]:
    """`api/NAME` -> sum of the counters of all agents and engines among these that ask servers; {} where none does."""
    totals: Counter[str] = Counter()
    for part in parts:
        usage = getattr(part, "usage", None)
        if isinstance(usage, Usage):
            totals.update({f"api/{name}": value for name, value in usage.to_dict().items()})
    return dict(totals)


def _number(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value > 0 else 0
