"""What a check found: `Result`, and the `Report` of all checks of one game. Plain data, to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

PASSED, FAILED, NOT_APPLICABLE = "passed", "failed", "not applicable"
VERDICTS = (PASSED, FAILED, NOT_APPLICABLE)

Figures = Mapping[str, float | str]
"""What a check measured, for example {"turns per second": 41000.0}."""


class Broken(AssertionError):
    """A promise is not kept: the text says what was needed and what came."""


class NotApplicable(Exception):
    """The promise does not concern this game: the text says why."""


def require(kept: bool, message: str) -> None:
    """Raises Broken with the message unless `kept`."""
    if not kept:
        raise Broken(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The verdict of one check on one game."""

    name: str
    group: str
    verdict: str
    detail: str = ""
    """Why it failed or does not apply; empty where it passed."""
    figures: Figures = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"a verdict is one of {', '.join(VERDICTS)}: got {self.verdict!r}")

    @property
    def told(self) -> str:
        """The detail and the figures, for people."""
        shown = (
            f"{name} {value:,.3g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in self.figures.items()
        )
        return "; ".join(part for part in (self.detail, ", ".join(shown)) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All results of one game."""

    target: str
    """Its id, or `module:Class`."""
    results: tuple[Result, ...]
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """No check failed."""
        return all(result.verdict != FAILED for result in self.results)

    def find(self, name: str) -> Result:
        """The result of one check. Raises KeyError where it was not asked for."""
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(f"{self.target} has no result of {name!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        return asdict(self)


def report_from_dict(raw: Mapping[str, Any]) -> Report:
    """The report that `to_dict` wrote down."""
    return Report(
        target=raw["target"],
        results=tuple(Result(**result) for result in raw["results"]),
        seconds=raw["seconds"],
    )


def joined(target: str, reports: Sequence[Report]) -> Report:
    """One report of several on the same game."""
    return Report(
        target=target,
        results=tuple(result for report in reports for result in report.results),
        seconds=sum(report.seconds for report in reports),
    )
