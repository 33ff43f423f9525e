"""One sandbox for everybody in this process."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from turnwise.envs.sandbox.boundary import Tier
from turnwise.envs.sandbox.limits import Limits
from turnwise.envs.sandbox.sandbox import Sandbox

_lock = threading.Lock()
_shared: dict[tuple[Limits, Tier, tuple[str, ...]], Sandbox] = {}


def shared_sandbox(limits: Limits | None = None, tier: Tier = "auto", packages: Sequence[str] = ()) -> Sandbox:
    """The one sandbox of this process with these settings. Leave it open: it ends with the process."""
    key = (limits or Limits(), tier, tuple(packages))
    with _lock:
        if key not in _shared:
            _shared[key] = Sandbox(*key[:2], packages=key[2])
        return _shared[key]
