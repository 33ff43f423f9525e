"""What one call of the sandbox may use."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one call (in a session: of each call, except for memory, which the session shares).

    Raises: ValueError where a bound is not positive.
    """

    wall_s: float = 5.0
    """Seconds from the request to the result. Past it the process is killed: status `timeout`."""
    cpu_s: float = 5.0
    """Seconds of processor time. Past it the process is killed: status `timeout`."""
    memory_mb: int = 512
    """MiB of address space, Python itself (about 30, with numpy about 150) included: status `memory`."""
    output_bytes: int = 20_000
    """Bytes that are kept of what is printed, of the value and of the error. What comes after is dropped."""
    flood_bytes: int = 10_000_000
    """Bytes that may be printed at all. Past it the process is killed: status `output`."""
    file_bytes: int = 10_000_000
    """Bytes of one file, and of all that `collect` brings back. Writing past it is an OSError inside."""
    folder_bytes: int = 50_000_000
    """Bytes of the whole working folder. Past it the process is killed: status `disk`."""
    folder_files: int = 1_000
    """Files and folders in the working folder. Past it the process is killed: status `disk`."""
    open_files: int = 64
    """Files open at once. Past it opening is an OSError inside."""

    def __post_init__(self) -> None:
        for field in fields(self):
            bound = getattr(self, field.name)
            if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0 < bound < float("inf"):
                raise ValueError(f"a limit is a positive number: got {field.name}={bound!r}")
            if field.name not in ("wall_s", "cpu_s") and not isinstance(bound, int):
                raise ValueError(f"{field.name} is a whole number: got {bound!r}")
