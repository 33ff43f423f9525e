"""The SDKs of the providers: their clients as we make them, and what their errors mean."""

from __future__ import annotations

import email.utils
import importlib
import re
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from turnwise.agents.api.settings import NO_KEY, ApiSettings
from turnwise.envs.requirements import require

_LONGEST_TOLD = 300
"""Characters of a server's words in a message."""
_TRANSIENT = (408, 409, 425, 429)
"""Statuses, besides those of 500 and above, with which a server asks to be tried again."""

_CREDENTIALS = {"openai": ("organization", "project"), "anthropic": ("auth_token",)}
"""What the clients of the SDKs take from the environment and send along, besides the key."""


class BadReply(Exception):
    """What the server sent is not what its protocol promises."""


def require_sdk(settings: ApiSettings) -> None:
    """Raises MissingDependency where the provider's package is absent."""
    require(f"an agent behind {settings.url}", [(name, "turnwise[api]") for name in (settings.provider, "tenacity")])


def sdk_of(settings: ApiSettings) -> ModuleType:
    """The module `openai` or `anthropic`; both have the same errors."""
    return importlib.import_module(settings.provider)


def new_client(settings: ApiSettings, key: str) -> Any:
    """An asynchronous client that tries once, and follows no redirect: it would take the key elsewhere."""
    sdk = sdk_of(settings)
    made = sdk.AsyncOpenAI if settings.provider == "openai" else sdk.AsyncAnthropic
    http = sdk.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not settings.is_local)
    client = made(api_key=key, base_url=settings.url, max_retries=0, timeout=settings.deadline_s, http_client=http)
    if settings.base_url is not None:  # what the SDK has found in the environment is for its provider's own server
        for name in _CREDENTIALS[settings.provider]:
            setattr(client, name, None)
    return client


def is_transient(sdk: ModuleType, error: BaseException) -> bool:
    """May the same request fare better in a while?"""
    if isinstance(error, sdk.APIStatusError):
        return bool(error.status_code >= 500 or error.status_code in _TRANSIENT)
    return isinstance(error, sdk.APIConnectionError | BadReply)


def retry_after(error: BaseException) -> float | None:
    """Seconds that the server asks to wait, in any of the three ways there are to say it; None where it does not."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        if "retry-after-ms" in headers:
            return max(float(headers["retry-after-ms"]) / 1000, 0.0)
        value = headers.get("retry-after", "").strip()
        if not value or value[0].isdigit():
            return float(value) if value else None
        return max(email.utils.parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def told(error: BaseException, key: str) -> str:
    """An error in one short line of printable characters, without the key."""
    status = getattr(error, "status_code", None)
    if status is not None:
        text = f"status {status}, {_message(getattr(error, 'body', None))}"
    else:
        text = f"{error} {error.__cause__ or ''}".strip() or type(error).__name__
    if key != NO_KEY:
        text = text.replace(key, "***")
    printable = "".join(character if character.isprintable() else " " for character in text)
    return re.sub(r"\s+", " ", printable).strip()[:_LONGEST_TOLD]


def _message(body: object) -> str:
    """What the body of an error says, wherever its server puts it."""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    message = error.get("message") if isinstance(error, Mapping) else None
    return str(message or error or "without a word")
