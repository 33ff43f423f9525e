"""Asking a judge: a function, or an agent, within a deadline; what it answers is checked."""

from __future__ import annotations

import math
import pickle
import threading
from collections.abc import Callable, Mapping
from typing import Any

from turnwise.envs.core import EnvFailure
from turnwise.envs.parsing import read_action
from turnwise.envs.talk.form_judge import Transcript, form_judge
from turnwise.envs.talk.speech import transcript
from turnwise.records import Message, Request

JUDGE_SEAT = "judge"
"""Seat of the requests that a judging agent gets."""
_LONGEST_REASON = 200

Judge = Callable[[Transcript], Mapping[str, float]]


def require_judge(judge: Any) -> None:
    """Raises ValueError unless it is form, vote, a function or an agent, and can be pickled."""
    if isinstance(judge, str):
        if judge not in ("form", "vote"):
            raise ValueError(f"judge is form, vote, a function of a Transcript or an agent: got {judge!r}")
        return
    if not callable(judge) and not callable(getattr(judge, "act", None)):
        raise ValueError(f"a judge is called with a Transcript or has act(requests): got {type(judge).__name__}")
    try:
        pickle.dumps(judge)
    except Exception as error:  # whatever its own attributes raise
        raise ValueError(f"a judge can be pickled, for example a function of a module: {error}") from error


def ask_judge(judge: Any, debate: Transcript, deadline_s: float) -> dict[str, float]:
    """Seat -> score of every debater, finite. Raises EnvFailure on any other answer, an exception or a late one."""
    if isinstance(judge, str) and judge == "form":
        return dict(form_judge(debate))
    seats = [seat for seat, _ in debate.sides]
    ask = _agent_scores if callable(getattr(judge, "act", None)) else _call
    return _checked(_within(lambda: ask(judge, debate), deadline_s), seats)


def ballot(debate: Transcript) -> str:
    """What a voter or a judging agent reads."""
    sides = "\n".join(f"{seat} argues for: {side}" for seat, side in debate.sides)
    names = " or ".join(f"[{seat}]" for seat, _ in debate.sides)
    return (
        f"This was a debate on: {debate.question}\n{sides}\n{transcript(debate.speeches)}\n"
        f"Who argued best? Answer with one name in square brackets: {names}."
    )


def _call(judge: Judge, debate: Transcript) -> object:
    return judge(debate)


def _agent_scores(judge: Any, debate: Transcript) -> object:
    """1 for the seat that the agent's reply names and 0 for the others. Raises ValueError where it names none."""
    seats = [seat for seat, _ in debate.sides]
    (reply,) = judge.act([Request(seat=JUDGE_SEAT, messages=(Message("user", ballot(debate)),), seed=0)])
    named = read_action(reply.text, seats)
    if named not in seats:
        raise ValueError(f"a judge names one of {', '.join(seats)}: it replied {reply.text[:_LONGEST_REASON]!r}")
    return {seat: float(seat == named) for seat in seats}


def _within(ask: Callable[[], object], deadline_s: float) -> object:
    """The answer of a function that runs in a thread. Raises EnvFailure where it raises or is late."""
    answers: list[object] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except (Exception, SystemExit) as error:  # code of the user's
            failures.append(error)

    thread = threading.Thread(target=run, name="debate-judge", daemon=True)
    thread.start()
    thread.join(deadline_s)
    if answers:
        return answers[0]
    if failures:
        told = f"{type(failures[0]).__name__}: {str(failures[0])[:_LONGEST_REASON]}"
        raise EnvFailure(f"the judge failed: {told}") from failures[0]
    if thread.is_alive():
        raise EnvFailure(f"the judge did not answer within judge_deadline_s={deadline_s:g} s")
    raise EnvFailure("the judge ended its thread without an answer")


def _checked(scores: object, seats: list[str]) -> dict[str, float]:
    """The scores as floats. Raises EnvFailure."""
    if not isinstance(scores, Mapping) or set(scores) != set(seats):
        shown = repr(scores)[:_LONGEST_REASON]
        raise EnvFailure(f"a judge returns a mapping with a score for each of {', '.join(seats)}: got {shown}")
    checked = {}
    for seat in seats:
        score = scores[seat]
        number = isinstance(score, int | float) and not isinstance(score, bool)
        if not number or not math.isfinite(score):
            raise EnvFailure(f"a score is a finite number: the judge gave {seat} {repr(score)[:_LONGEST_REASON]}")
        checked[seat] = float(score)
    return checked
