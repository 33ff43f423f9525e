"""What the sandbox raises about itself. What the code does is in `Result`, never raised."""

from __future__ import annotations


class SandboxUnavailable(RuntimeError):
    """No boundary can be had here, so nothing runs. The text says what the machine lacks and what to do."""
