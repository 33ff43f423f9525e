"""What came of one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Status = Literal["ok", "error", "timeout", "memory", "output", "disk", "killed", "lost"]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The code, and everything it can reach, may have forged each text here: it is what the code says of itself.

    Only `status`es other than `ok`, `error` and `memory`, and `seconds`, are the sandbox's own observation.
    """

    status: Status
    """`ok`: ran to its end (`sys.exit(0)` too).
    `error`: an exception left the code, it does not compile, or it left by `sys.exit` with anything else.
    `memory`: a MemoryError left the code.
    `timeout`, `output`, `disk`: killed at that limit.
    `killed`: the process ended without a result (`os._exit`, a crash, the machine's own killer).
    `lost`: the session had ended before this call; nothing ran."""
    stdout: str = ""
    """What was printed, on standard output and error in one stream, clipped to `Limits.output_bytes`."""
    value: str | None = None
    """`repr` of the last line's value where the code ends in an expression that is not None, clipped; else None."""
    error: str | None = None
    """Why it is not `ok`: the traceback with the code's own frames alone, or a sentence; clipped."""
    seconds: float = 0.0
    """Wall-clock seconds of the call."""
    truncated_output: bool = False
    """Something was left out of `stdout`."""
    files: Mapping[str, str] = field(default_factory=dict)
    """With `collect=True`: path -> text of each UTF-8 file that the call made or changed; else empty."""
    tier: str = ""
    """The boundary that it ran in: `bwrap`, `landlock` or `monty`."""

    @property
    def ok(self) -> bool:
        """Whether the code ran to its end."""
        return self.status == "ok"
