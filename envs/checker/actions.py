"""Legal actions by name, illegal ones, and what a referee makes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from turnwise.envs.checker.play import clipped, close, difference, episode, one_turn, player, walk
from turnwise.envs.checker.result import Broken, Figures, NotApplicable, require
from turnwise.envs.checker.state import copied
from turnwise.envs.checker.subject import Subject
from turnwise.envs.core import IllegalAction, TextGame
from turnwise.envs.parsing import read_action, write_action
from turnwise.envs.referee import Referee

_MOST_NAMES = 100  # names of one state that are read back; more are taken evenly
_BAD = ("", "no such move", "99999", "♠", "-1", "[", "\x00")


def legal_names_read_back(subject: Subject) -> Figures:
    """Legal names are unique but for case and blanks, hold no square brackets, and read back as themselves."""
    states = 0
    for seed in subject.seeds:
        referee, rng = subject.referee(), player(seed)
        referee.start(seed)
        while referee.seat is not None and referee.turns < subject.horizon:
            legal = referee.game.legal()
            if legal is None:
                raise NotApplicable("actions are free text")
            _require_names(legal)
            states += 1
            one_turn(referee, rng)
    return {"states": float(states)}


def _require_names(legal: Sequence[str]) -> None:
    require(len(legal) > 0, "the seat that acts has a legal action: the list is empty")
    keys: dict[str, str] = {}
    for name in legal:
        require(
            isinstance(name, str) and name == name.strip() != "",
            f"a legal name is a text without outer blanks: got {name!r}",
        )
        require(not set("[]") & set(name), f"a legal name holds no square brackets: got {name!r}")
        twin = keys.setdefault("".join(name.split()).casefold(), name)
        require(twin is name, f"legal names differ by more than case and blanks: got {twin!r} and {name!r}")
    for name in legal[:: math.ceil(len(legal) / _MOST_NAMES)]:
        replies = [write_action(name, legal), name, f"[ {name.upper()} ]", f"perhaps [x], no: [{name}]"]
        if not set("{}") & set(name):
            replies.append(f"\\boxed{{{name}}}")
        for reply in replies:
            came = read_action(reply, legal)
            require(came == name, f"the reply {reply!r} reads as {name!r}: it read as {came!r}")


def illegal_actions_change_nothing(subject: Subject) -> Figures:
    """`play` refuses what is not legal with IllegalAction and a reason, and the game goes on as before."""
    refused = 0
    for seed in subject.seeds:
        wanted = episode(subject.referee(), seed, limit=subject.horizon)
        referee, rng, turns = subject.referee(), player(seed), []
        referee.start(seed)
        while referee.seat is not None and referee.turns < subject.horizon:
            refused += _refuse_all(referee.game)
            turns.append(one_turn(referee, rng))
        came = close(referee, turns)
        require(wanted == came, f"an illegal action changes nothing: {difference(wanted, came)}")
    return {"refused": float(refused)}


def _refuse_all(game: TextGame) -> int:
    """Play what is no legal action here; the number of refusals."""
    legal, refused = game.legal(), 0
    for action in _BAD if legal is None else (*_BAD, f"{legal[0]}x", f"{legal[-1]} {legal[0]} {legal[-1]}"):
        if legal is not None and action in legal:
            continue
        if legal is None and _is_taken(copied(game), action):
            continue
        reason = refusal(game, action)
        require(reason is not None, f"what is not in legal() is refused: {action!r} was played")
        refused += 1
    return refused


def _is_taken(twin: TextGame, action: str) -> bool:
    """Whether free text is a legal action of this state."""
    return refusal(twin, action) is None


def refusal(game: TextGame, action: str) -> str | None:
    """Why `play` refuses a text; None where it takes it. Raises Broken for any other exception, or no reason."""
    try:
        game.play(action)
    except IllegalAction as error:
        require(str(error) != "", f"a refusal has a reason: IllegalAction of {clipped(action)} has none")
        return str(error)
    except Exception as error:  # nothing else may come out of play
        raise Broken(f"play raises nothing but IllegalAction: {clipped(action)} raised {clipped(error)}") from error
    return None


def invalid_policies_are_honoured(subject: Subject) -> Figures:
    """A reply without an action meets forfeit, retry, random_legal, penalty and noop as they are described."""
    for check in (_forfeit, _retry, _random_legal, _penalty, _noop):
        check(subject)
    return {"policies": 5.0}


def _started(subject: Subject, invalid: str, max_turns: int | None = None) -> tuple[Referee, str]:
    """A referee after one move, and the seat that acts."""
    referee = subject.referee(invalid=invalid, max_turns=max_turns)
    for _ in walk(referee, 0, limit=1):
        pass
    if referee.seat is None:
        referee.start(0)
    seat = referee.seat or ""
    referee.observe()
    return referee, seat


_NO_ACTION = "\u2003"  # a blank: no legal name, and no free text either


def _forfeit(subject: Subject) -> None:
    referee, seat = _started(subject, "forfeit")
    outcome = referee.submit(_NO_ACTION)
    game, low = referee.game, referee.game.utility_bounds[0]
    require(outcome.terminated and not outcome.truncated, f"a forfeit ends the game: got {clipped(outcome)}")
    got = referee.returns[seat]
    require(
        math.isclose(got, low, abs_tol=1e-9), f"who forfeits ends with the lowest return {low:g}: {seat} got {got:g}"
    )
    if game.zero_sum and len(game.seats) == 2:
        total = sum(referee.returns.values())
        require(abs(total) < 1e-6, f"a forfeit of a zero-sum game of two sums to 0: got {total:g}")


def _retry(subject: Subject) -> None:
    referee, seat = _started(subject, "retry(2)")
    for _ in range(2):
        outcome = referee.submit(_NO_ACTION)
        require(outcome.status == "unparsable", f"a blank reply is unparsable: got status {outcome.status!r}")
        require(
            referee.seat == seat and not outcome.terminated, f"retry(2) asks {seat} again: the seat is {referee.seat!r}"
        )
        text = referee.observe()
        require(
            "not valid" in text and "\n" in text,
            f"who is asked again reads why, and its last text: got {clipped(text)}",
        )
    require(referee.submit(_NO_ACTION).terminated, "retry(2) forfeits at the third reply in a row: the game went on")


def _random_legal(subject: Subject) -> None:
    referee, _ = _started(subject, "random_legal")
    outcome = referee.submit(_NO_ACTION)
    played = outcome.info.get("played")
    require(
        isinstance(played, str) and played != "",
        f"random_legal plays an action and says which: got {clipped(outcome.info)}",
    )


def _penalty(subject: Subject) -> None:
    referee, seat = _started(subject, "penalty(0.25)")
    before = referee.returns[seat]
    referee.submit(_NO_ACTION)
    lost = before - referee.returns[seat]
    require(
        math.isclose(lost, 0.25, abs_tol=1e-9) and referee.seat == seat,
        f"penalty(0.25) takes 0.25 and asks again: it took {lost:g}",
    )


def _noop(subject: Subject) -> None:
    turns = 4
    referee, seat = _started(subject, "noop", max_turns=turns)
    while referee.seat is not None:
        outcome = referee.submit(_NO_ACTION)
        require(referee.seat in (seat, None), f"noop asks {seat} again: the seat is {referee.seat!r}")
    require(
        outcome.truncated and not outcome.terminated and referee.turns == turns,
        f"max_turns={turns} truncates after {turns} replies: got {clipped(outcome)} after {referee.turns}",
    )
