"""Reports for people: a table for one game, a line each for many, and every failure in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turnwise.envs.checker.result import FAILED, NOT_APPLICABLE, PASSED, Report

_MARKS = {PASSED: "pass", FAILED: "FAIL", NOT_APPLICABLE: "-"}
_WIDEST = 100  # characters of a told result


def table(report: Report) -> Iterator[str]:
    """A line per check: verdict, name, seconds, and what was found."""
    width = max(len(result.name) for result in report.results)
    for result in report.results:
        told = result.told
        shown = told if result.verdict == FAILED or len(told) <= _WIDEST else f"{told[:_WIDEST]}..."
        yield f"{_MARKS[result.verdict]:4}  {result.name:{width}}  {result.seconds:6.2f} s  {shown}".rstrip()


def line(report: Report) -> str:
    """One game in a line: verdict, id, counts, seconds, speed."""
    counts = {verdict: sum(result.verdict == verdict for result in report.results) for verdict in _MARKS}
    speeds = [result.figures["turns per second"] for result in report.results if "turns per second" in result.figures]
    fast = f"{speeds[0]:>9,.0f} turns/s" if speeds and isinstance(speeds[0], float) else ""
    mark = "pass" if report.passed else "FAIL"
    told = f"{counts[PASSED]} passed, {counts[FAILED]} failed, {counts[NOT_APPLICABLE]} not applicable"
    return f"{mark}  {report.target:40} {told:44} {report.seconds:6.1f} s  {fast}".rstrip()


def failures(reports: Sequence[Report]) -> Iterator[str]:
    """Every failure: which game, which check, why."""
    for report in reports:
        for result in report.results:
            if result.verdict == FAILED:
                yield f"{report.target}: {result.name}: {result.detail}"
