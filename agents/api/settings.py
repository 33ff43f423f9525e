"""Settings of agents and engines behind an API."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

PROVIDERS = {
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
}
"""Provider -> its own server, and the environment variable that holds its key by custom."""
PROTOCOLS = ("chat", "completions")
NO_KEY = "none"
"""What is sent as the key where there is none: servers of one's own take any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Which server is asked, and how: by an opponent or a judge behind an API, or by engine.name openai."""

    provider: str = "openai"
    """Whose protocol the server speaks: openai, anthropic."""
    model: str = ""
    """What the server calls the model."""
    base_url: str | None = None
    """Root of the server, for example http://127.0.0.1:8000/v1 (anthropic: without /v1); null: the provider's own."""
    key_variable: str | None = None
    """Environment variable that holds the key. null: OPENAI_API_KEY or ANTHROPIC_API_KEY for the provider's own server,
    and no key for any other."""
    protocol: str = "chat"
    """How an agent asks an openai server: chat (messages), or completions (one text, for models that know no roles)."""
    system: str = ""
    """System message of an agent; none where empty."""
    max_tokens: int = 1024
    """Longest reply of an agent, in tokens; an engine samples as agent.sampling says."""
    temperature: float = 1.0
    """Of an agent."""
    native_tools: bool = False
    """Hand a game's tools to the server's own tool calling; else the agent knows them from the text it reads."""
    deadline_s: float = 120.0
    """Seconds from the first try of a request to its reply, retries included."""
    retries: int = 5
    """Tries after the first: where the server is busy, broken or out of reach, never where it refuses a request."""
    concurrency: int = 64
    """Most requests under way at once."""
    requests_per_minute: float | None = None
    """Most tries that are begun in a minute, evenly spread; null for no limit."""
    input_price: float = 0.0
    """Of a million tokens read, in a currency of yours; for the counters alone."""
    output_price: float = 0.0
    """Of a million tokens written."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What else goes into the body of every request; a null takes something out of it."""

    def __post_init__(self) -> None:
        if self.provider not in PROVIDERS:
            raise ValueError(f"api.provider is one of {', '.join(PROVIDERS)}: got {self.provider!r}")
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"api.protocol is one of {', '.join(PROTOCOLS)}: got {self.protocol!r}")
        if self.provider == "anthropic" and self.protocol != "chat":
            raise ValueError("api.provider=anthropic speaks chat alone: leave api.protocol=chat")
        if self.base_url is not None:
            _require_plain_url(self.base_url)
        for name, low in (("max_tokens", 1), ("retries", 0), ("concurrency", 1)):
            if getattr(self, name) < low:
                raise ValueError(f"api.{name} is at least {low}: got {getattr(self, name)}")
        for name in ("deadline_s", "requests_per_minute"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"api.{name} is finite and above 0: got {value}")
        for name in ("temperature", "input_price", "output_price"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"api.{name} is finite and at least 0: got {getattr(self, name)}")

    @property
    def url(self) -> str:
        """Root of the server."""
        return (self.base_url or PROVIDERS[self.provider][0]).rstrip("/")

    @property
    def is_local(self) -> bool:
        """Is the server on this machine?"""
        return urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")

    def key(self) -> str:
        """The key, read from the environment. Raises ValueError, naming the variable, where it holds none."""
        variable = self.key_variable
        if variable is None:
            if self.base_url is not None:
                return NO_KEY
            variable = PROVIDERS[self.provider][1]
        key = os.environ.get(variable, "").strip()
        if not key:
            raise ValueError(
                f"{self.url} is asked with a key, in the environment variable {variable}: it is not set; set it, or "
                "name another one in api.key_variable"
            )
        return key


def named_api(name: str, settings: ApiSettings) -> ApiSettings | None:
    """Settings for `openai:MODEL` or `anthropic:MODEL`, the rest as in `settings`; None for any other name.

    Raises ValueError where no model is named.
    """
    provider, colon, model = name.partition(":")
    if not colon or provider not in PROVIDERS:
        return None
    if not model:
        raise ValueError(f"an agent behind an API is called {provider}:MODEL: got {name!r}")
    return replace(settings, provider=provider, model=model)


def _require_plain_url(url: str) -> None:
    """Raises ValueError unless it is http(s)://HOST... without a name, a password or a query, which would be logged."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"api.base_url is http://HOST or https://HOST, with a path: got {url!r}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("api.base_url holds no name, password or query: a key belongs into api.key_variable")
