"""Settings of agents behind an API."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where the server is and how it is asked; only with engine.name openai, or an opponent behind an API."""
