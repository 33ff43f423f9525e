"""Play line by line, for pipes and for terminals that cannot be drawn on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from turnwise.play.draw import board_text, plain, safe
from turnwise.play.moves import reply_of, suggestions, tool_lines
from turnwise.play.session import YOU, NotNow, Session, State

if TYPE_CHECKING:
    from rich.console import Console

MOST_MOVES = 24
"""Legal actions that are listed; `:moves` lists them all, `:moves TEXT` those that hold the text."""
HELP = (
    "Type an action, its number, or any text; a line that ends with \\ goes on in the next one. "
    ":moves [TEXT], :board, :rules, :quit. There is no way to take a move back."
)


def play_plain(session: Session, console: Console, read: Callable[[], str]) -> State:
    """One game to its end; returns the last state. read: one line, EOFError where there are no more, which quits."""
    _hello(session, console)
    told = 0
    while True:
        state = session.wait()
        told = _tell(state, told, console)
        if state.over:
            _goodbye(session, state, console)
            return state
        if state.error:
            console.print(plain(f"Refused: {state.error}"), style="bold red")
        _offer(state, console)
        try:
            _say(session, state, console, read)
        except EOFError:
            session.leave()


def _hello(session: Session, console: Console) -> None:
    plan, rules = session.plan, session.prepared.rules
    others = ", ".join(f"{seat}: {name}" for seat, name in plan.seats.items() if seat != session.seat)
    console.print(plain(f"{plan.env_id}, seed {plan.seed}. You are {session.seat}. {others}".strip()), style="bold")
    state = session.wait()
    if rules and not (state.messages and rules in state.messages[0][1]):
        console.print(plain(rules))
    console.print(plain(HELP), style="grey58")


def _tell(state: State, told: int, console: Console) -> int:
    """Print what is new; returns how many messages have been printed."""
    news = [text for speaker, text in state.messages[told:] if speaker != YOU]
    if not state.error or state.over:  # else the reason is all that is new
        for text in news:
            console.print()
            console.print(plain(text))
        drawn = board_text(state.board)
        if news and drawn.plain not in safe(news[-1]):
            console.print()
            console.print(drawn)
    return len(state.messages)


def _offer(state: State, console: Console, most: int | None = MOST_MOVES, part: str = "") -> None:
    """List what can be played."""
    if state.tools:
        for line in tool_lines(state.tools):
            console.print(plain(line))
    if state.legal is None:
        console.print(plain("Your turn: any text."), style="bold")
        return
    wanted = set(suggestions(state.legal, part, len(state.legal)) if part else state.legal)
    listed = [f"{number}:{name}" for number, name in enumerate(state.legal, 1) if name in wanted]
    rest = "" if most is None or len(listed) <= most else f"  ... and {len(listed) - most} more, see :moves"
    console.print(plain(f"Your turn: {'  '.join(listed[:most])}{rest}"), style="bold")


def _say(session: Session, state: State, console: Console, read: Callable[[], str]) -> None:
    """Read lines until one is played. Raises EOFError where the person leaves."""
    while True:
        typed = _line(read)
        command, _, rest = typed.strip().partition(" ")
        if command in (":quit", ":q"):
            raise EOFError
        if command == ":moves":
            _offer(state, console, None, rest)
        elif command == ":board":
            console.print(board_text(state.board))
        elif command == ":rules":
            console.print(plain(session.prepared.rules or (state.messages[0][1] if state.messages else "")))
        elif command in (":help", ":h"):
            console.print(plain(HELP))
        else:
            try:
                session.act(reply_of(typed, state.legal))
                return
            except NotNow as error:
                console.print(plain(str(error)), style="bold red")


def _line(read: Callable[[], str]) -> str:
    lines = [read()]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(read())
    return "\n".join(lines)


def _goodbye(session: Session, state: State, console: Console) -> None:
    console.print()
    if state.error:
        console.print(plain(state.error), style="bold red")
    if state.outcome is not None:
        console.print(plain(ending(session, state)), style="bold")
    if state.saved is not None:
        console.print(plain(f"transcript: {state.saved}"))


def ending(session: Session, state: State) -> str:
    """One line: how it went for the person, and the returns of all."""
    word = {"win": "You win", "loss": "You lose", "draw": "Nobody wins", "truncated": "Stopped", "failed": "Failed"}
    returns = ", ".join(f"{seat} {value:+g}" for seat, value in (state.returns or {}).items())
    return safe(f"{word[state.outcome or 'failed']}. {f'Returns: {returns}.' if returns else ''}".strip())
