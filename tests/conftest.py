"""Options of the whole test suite."""

from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and no limit on wall time: shared machines are slow at times.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("golden", "golden cases of the algorithms")
    group.addoption(
        "--golden",
        metavar="DIR",
        type=Path,
        default=Path(__file__).parent / "golden",
        help="folder of golden *.json files (default: tests/golden)",
    )
    group.addoption(
        "--golden-allow-missing",
        action="store_true",
        help="leave out golden files that no adapter reads, instead of failing on them",
    )
