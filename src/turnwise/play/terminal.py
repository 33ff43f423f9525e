"""Play in the terminal: board, transcript, legal moves and a line to write in.

Textual's classes are defined when this module loads, so it is imported by who opens it. Whatever a game or an agent
wrote is shown as plain `Text`: no markup is read from it, and no sign of it reaches the terminal that could steer it.
"""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.suggester import Suggester
from textual.widgets import Footer, Input, OptionList, RichLog, Static
from textual.widgets.option_list import Option

from turnwise.play.draw import board_text, plain, safe
from turnwise.play.moves import reply_of, suggestions, tool_lines
from turnwise.play.plain import ending
from turnwise.play.session import YOU, NotNow, Session, State
from turnwise.play.setup import again

LOOK_S = 0.05
"""Seconds between two looks at the game."""
PATIENCE_S = 5.0
"""Most seconds that an agent is waited for at the end."""


class Completion(Suggester):
    """Completes what is typed to a legal action."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.legal: tuple[str, ...] | None = None

    async def get_suggestion(self, value: str) -> str | None:
        return next((name for name in suggestions(self.legal, value, 1) if name.startswith(value)), None)


class PlayApp(App[None]):
    """One game, and the ones after it."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { background: $panel; padding: 0 1; text-style: bold; }
    #left { width: 2fr; }
    #place { height: auto; max-height: 60%; border: round $primary; padding: 0 1; }
    #board, #caption { width: 100%; }
    #board.grid { width: auto; }
    #caption { color: $text-muted; }
    #moves { height: 1fr; border: round $primary; }
    #log { width: 3fr; border: round $primary; padding: 0 1; }
    #status { padding: 0 1; height: auto; max-height: 6; }
    #status.refused { color: $error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", "Quit", priority=True),
        Binding("ctrl+n", "again", "Again, seats swapped", priority=True),
        Binding("ctrl+r", "rules", "Rules"),
        Binding("f6", "switch", "Moves or text"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._told = 0
        self._shown: State | None = None
        self._completion = Completion()

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        with Horizontal():
            with Vertical(id="left"):
                with VerticalScroll(id="place"):
                    yield Static(id="board")
                    yield Static(id="caption")
                yield OptionList(id="moves", markup=False)
            yield RichLog(id="log", wrap=True, markup=False, highlight=False, min_width=20)
        yield Static(id="status")
        yield Input(id="say", placeholder="an action, its number, or any text", suggester=self._completion)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#place").border_title = "board"
        self.query_one("#moves").border_title = "legal moves"
        self.query_one("#log").border_title = "what you are told"
        self._begin()
        self.set_interval(LOOK_S, self._look)
        self.query_one("#say").focus()

    def _begin(self) -> None:
        plan, session = self.session.plan, self.session
        others = ", ".join(f"{seat} {name}" for seat, name in plan.seats.items() if seat != session.seat)
        line = f"{plan.env_id}   you are {session.seat}   {others}   seed {plan.seed}"
        self.query_one("#title", Static).update(plain(line))
        self.query_one("#log", RichLog).clear()
        self._told, self._shown = 0, None
        self._look()

    def _look(self) -> None:
        """Show what is new."""
        state = self.session.state
        if state is self._shown:
            return
        self._shown = state
        log = self.query_one("#log", RichLog)
        for speaker, text in state.messages[self._told :]:
            log.write(Text(f"> {safe(text)}", "bold cyan") if speaker == YOU else plain(text))
            log.write(Text())
        self._told = len(state.messages)
        self._draw(state)
        self._offer(state)
        self._tell(state)

    def _draw(self, state: State) -> None:
        """The board: a grid keeps its lines whole, all else is wrapped."""
        board = self.query_one("#board", Static)
        board.set_class(state.board is not None and state.board["kind"] == "grid", "grid")
        board.update(board_text(state.board, captioned=False))
        below = "" if state.board is None else state.board.get("caption", "")
        self.query_one("#caption", Static).update(plain(below))

    def _offer(self, state: State) -> None:
        moves = self.query_one("#moves", OptionList)
        moves.clear_options()
        self._completion.legal = state.legal
        for number, name in enumerate(state.legal or (), 1):
            moves.add_option(Option(plain(f"{number:>2}  {name}")))
        for line in tool_lines(state.tools or ()) if state.tools else ():
            moves.add_option(Option(plain(line), disabled=True))

    def _tell(self, state: State) -> None:
        status = self.query_one("#status", Static)
        status.set_class(bool(state.error), "refused")
        if state.over:
            saved = f"  Saved: {state.saved}" if state.saved else ""
            line = f"{state.error or ''} {ending(self.session, state)}{saved}  Ctrl+N plays again, Ctrl+Q quits."
        elif not state.asked:
            line = "The others are thinking."
        elif state.error:
            line = f"Refused: {state.error}"
        else:
            line = "Your turn." if state.legal else "Your turn: any text."
        status.update(plain(line.strip()))

    # What the person does

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if self._say(reply_of(event.value, self.session.state.legal)):
            event.input.clear()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        legal = self.session.state.legal
        if legal and event.option_index < len(legal):
            self._say(reply_of(f"#{event.option_index + 1}", legal))

    def on_key(self, event: object) -> None:
        """A digit picks a move while the list of moves has the focus."""
        key = str(getattr(event, "key", ""))
        legal = self.session.state.legal
        if self.focused is self.query_one("#moves") and legal and key.isdecimal() and 0 < int(key) <= len(legal):
            self._say(reply_of(f"#{key}", legal))

    def _say(self, text: str) -> bool:
        try:
            self.session.act(text)
        except NotNow as error:
            self.query_one("#status", Static).update(plain(str(error)))
            return False
        self._look()
        return True

    def action_leave(self) -> None:
        """Quit: what was played is saved."""
        self.query_one("#status", Static).update(plain("Saving what was played."))
        self.run_worker(self._leave, thread=True)

    def _leave(self) -> None:
        self.session.leave(PATIENCE_S)
        self.call_from_thread(self.exit)

    def action_again(self) -> None:
        """The next game, once this one is over."""
        if self.session.over:
            self.session = Session(again(self.session.setup, self.session.prepared), folder=self.session.folder)
            self._begin()

    def action_rules(self) -> None:
        """Show the rules once more."""
        state, rules = self.session.state, self.session.prepared.rules
        self.query_one("#log", RichLog).write(plain(rules or (state.messages[0][1] if state.messages else "")))

    def action_switch(self) -> None:
        """Go from the line to the moves, and back."""
        moves, line = self.query_one("#moves"), self.query_one("#say")
        (line if self.focused is moves else moves).focus()


def play_terminal(session: Session) -> Session:
    """Play until the person quits; returns the last game."""
    app = PlayApp(session)
    app.run()
    return app.session
