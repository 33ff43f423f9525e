"""`check_game`: all checks of one game, in this process, each with a verdict whatever happens."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import replace

from turnwise.envs.checker.catalogue import CHECKS, Check, Run
from turnwise.envs.checker.play import clipped
from turnwise.envs.checker.result import FAILED, NOT_APPLICABLE, PASSED, Broken, NotApplicable, Report, Result
from turnwise.envs.checker.subject import Subject

_LONGEST_DETAIL = 600  # characters


def check_game(subject: Subject, checks: Sequence[Check] = CHECKS) -> Report:
    """Every check that runs inside one process; those of processes of their own are left out."""
    begin = time.perf_counter()
    results = tuple(_both_prompts(subject, check) for check in checks if check.run is not None)
    return Report(target=subject.name, results=results, seconds=time.perf_counter() - begin)


def _both_prompts(subject: Subject, check: Check) -> Result:
    assert check.run is not None
    result = _one(subject, check, check.run)
    if not check.both_prompts or result.verdict == FAILED:
        return result
    twin = _compact(subject)
    if twin is None:
        return result
    other = _one(twin, check, check.run)
    figures = {**result.figures, **{f"compact {name}": value for name, value in other.figures.items()}}
    detail = f"with prompt='compact': {other.detail}" if other.verdict == FAILED else result.detail
    worse = other.verdict if other.verdict == FAILED else result.verdict
    return replace(result, verdict=worse, detail=detail, figures=figures, seconds=result.seconds + other.seconds)


def _compact(subject: Subject) -> Subject | None:
    """The twin with the compact prompt; None where there is none, or where not even making one works."""
    try:
        return None if subject.heavy else subject.compact
    except Exception:  # the verdict on the full prompt says what is wrong
        return None


def _one(subject: Subject, check: Check, run: Run) -> Result:
    """The verdict of one check; an exception of any kind is a failure that names it."""
    begin = time.perf_counter()
    verdict, detail, figures = PASSED, "", None
    try:
        figures = run(subject)
    except NotApplicable as reason:
        verdict, detail = NOT_APPLICABLE, str(reason)
    except Broken as error:
        verdict, detail = FAILED, str(error)
    except Exception as error:  # official checkers and games raise anything: the verdict says what
        verdict, detail = FAILED, _told(error)
    subject.release()
    return Result(
        name=check.name,
        group=check.group,
        verdict=verdict,
        detail=detail if len(detail) <= _LONGEST_DETAIL else f"{detail[:_LONGEST_DETAIL]}...",
        figures=figures or {},
        seconds=time.perf_counter() - begin,
    )


def _told(error: Exception) -> str:
    """The exception and the line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" (at {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    text = clipped(str(error), 400)[1:-1] if str(error) else "no message"
    return f"{type(error).__name__}: {text}{place}"
