"""Making the turns of an episode again: the same replies, put to a game of the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from turnwise.envs.core import EnvFailure
from turnwise.envs.referee import Outcome, Referee
from turnwise.records import Turn


class Replayed(NamedTuple):
    """What one turn met when it was made again."""

    text: str
    """The observation before it."""
    legal: Sequence[str] | None
    outcome: Outcome


def play_again(referee: Referee, turns: Sequence[Turn]) -> list[Replayed]:
    """Make the turns in a game that has just begun, as far as it follows.

    Where the seat, the observation, the action or the status is another one, the episode ends with a failure of the
    environment that says so. Rewards are the game's.
    """
    made: list[Replayed] = []
    for index, turn in enumerate(turns):
        if referee.seat != turn.seat:
            _part(referee, index, f"{turn.seat} was to act", f"{referee.seat or 'nobody'} is")
            break
        text = referee.observe()
        if referee.failure is not None:
            break
        if turn.observation and turn.observation[-1].content != text:
            _part(referee, index, f"{turn.seat} read {turn.observation[-1].content!r:.200}", f"it reads {text!r:.200}")
            break
        legal = referee.game.legal()
        outcome = referee.submit(turn.text, cut=turn.status == "truncated")
        if referee.failure is None and (outcome.action, outcome.status) != (turn.action, turn.status):
            was, now = f"{turn.action} ({turn.status})", f"{outcome.action} ({outcome.status})"
            _part(referee, index, f"{turn.seat} took {was}", f"it takes {now}")
            break
        made.append(Replayed(text, legal, outcome))
    return made


def _part(referee: Referee, index: int, was: str, now: str) -> None:
    referee.fail(did_not_follow(index, was, now))


def did_not_follow(index: int, was: str, now: str) -> EnvFailure:
    """The failure of a game that turns out different when it is played again."""
    return EnvFailure(f"the game did not follow when it was played again: at turn {index} {was}, and now {now}")
