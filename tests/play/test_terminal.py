"""Play in the terminal: the app by its pilot, line mode by its lines, and texts that try to do something."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from textual.widgets import Input, OptionList, RichLog, Static

from turnwise.envs.registry import GAMES
from turnwise.envs.spec import GameSpec
from turnwise.play.draw import board_text, safe
from turnwise.play.moves import reply_of, suggestions, tool_lines
from turnwise.play.plain import play_plain
from turnwise.play.session import Session, State
from turnwise.play.setup import Setup
from turnwise.play.terminal import PlayApp

WAIT_S = 60.0
HERE = Path(__file__).parent


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of a game whose texts are hostile, registered as Hostile-LLM."""
    monkeypatch.syspath_prepend(str(HERE))
    spec = GameSpec(id="Hostile-LLM", entry_point="hostile_game:HostileGame", summary="[bold]x[/]")
    monkeypatch.setitem(GAMES, spec.id, spec)
    return import_module("hostile_game")


def drive(app: PlayApp, steps: Callable[[Any], Awaitable[None]]) -> None:
    async def run() -> None:
        async with app.run_test(size=(110, 40)) as pilot:
            await settle(app, pilot)
            await steps(pilot)

    asyncio.run(run())


async def settle(app: PlayApp, pilot: Any) -> None:
    """Until the person is asked or the game is over, and that is shown."""
    await asyncio.to_thread(app.session.wait, WAIT_S)
    app._look()
    await pilot.pause()


def shown(app: PlayApp) -> str:
    return "\n".join(line.text for line in app.query_one("#log", RichLog).lines)


def static(app: PlayApp, name: str) -> str:
    return str(app.query_one(name, Static).render())


def test_a_game_is_played_to_its_end_and_another_one_begun(tmp_path: Path) -> None:
    app = PlayApp(Session(Setup(game="TicTacToe-LLM", seat="0", seed=2, opponents="random"), folder=tmp_path))

    async def steps(pilot: Any) -> None:
        assert static(app, "#title").startswith("TicTacToe-LLM   you are player_0   player_1 random   seed 2")
        assert static(app, "#status") == "Your turn."
        assert static(app, "#board").splitlines()[:3] == ["0 1 2", "3 4 5", "6 7 8"]
        assert app.query_one("#moves", OptionList).option_count == 9
        await pilot.press("x", "enter")
        await settle(app, pilot)
        assert static(app, "#status").startswith("Refused: no action was found in it")
        await pilot.press("4", "enter")
        await settle(app, pilot)
        assert static(app, "#board").splitlines()[1].split()[1] == "x"
        assert app.query_one("#say", Input).value == ""
        await pilot.press("f6", "1")  # the first of the moves
        await settle(app, pilot)
        while not app.session.over:
            await pilot.press("down", "enter")
            await settle(app, pilot)
        assert "Ctrl+N plays again" in static(app, "#status")
        assert "> [4]" in shown(app)
        assert "The game is over" in shown(app)
        first = app.session
        await pilot.press("ctrl+n")
        await settle(app, pilot)
        assert (first.seat, app.session.seat) == ("player_0", "player_1")
        await pilot.press("ctrl+q")
        await pilot.pause()

    drive(app, steps)
    app.session.leave(WAIT_S)
    assert app.session.state.outcome == "truncated"
    assert len(list((tmp_path / "episodes").glob("*.parquet"))) == 2


def test_what_is_typed_is_completed() -> None:
    app = PlayApp(Session(Setup(game="KuhnPoker-LLM", seat="0", seed=2)))

    async def steps(pilot: Any) -> None:
        await pilot.press("c", "h")
        await pilot.pause()
        await pilot.press("right", "enter")
        await settle(app, pilot)
        assert "> [check]" in shown(app)

    drive(app, steps)
    app.session.leave(WAIT_S)


def test_hostile_text_is_shown_as_it_is(hostile: Any) -> None:
    app = PlayApp(Session(Setup(game="Hostile-LLM", seed=1)))

    async def steps(pilot: Any) -> None:
        assert "observation <1B>[2J<1B>]0;owned<07>" in shown(app)
        assert static(app, "#board").startswith(f"board {hostile.SHOWN}[@click=app.quit]quit[/]")
        moves = app.query_one("#moves", OptionList)
        assert str(moves.get_option_at_index(0).prompt) == " 1  go [/bold] <1B>[31m <b>left</b>"
        assert str(moves.get_option_at_index(3).prompt).startswith(f"tool {hostile.SHOWN}")
        await pilot.press("1", "enter")
        await settle(app, pilot)
        await pilot.press(*"refuse", "enter")
        await settle(app, pilot)
        assert static(app, "#status").startswith(f"Refused: reason {hostile.SHOWN}")
        picture = app.export_screenshot()
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\x08"} & set(picture)
        assert not any(style and style.meta.get("@click") for line in log_styles(app) for style in line)

    drive(app, steps)
    assert app.session.leave(WAIT_S).outcome == "truncated"


def log_styles(app: PlayApp) -> Iterator[list[Any]]:
    for line in app.query_one("#log", RichLog).lines:
        yield [segment.style for segment in line]


def by_lines(session: Session, *typed: str, width: int = 200) -> tuple[State, str]:
    """Line mode with these lines, then the end of the input."""
    lines = iter(typed)

    def read() -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False, emoji=False, force_terminal=False)
    return play_plain(session, console, read), out.getvalue()


def test_line_mode_plays_by_names_and_numbers(tmp_path: Path) -> None:
    session = Session(Setup(game="KuhnPoker-LLM", seat="0", seed=1, opponents="random"), folder=tmp_path)
    state, told = by_lines(session, "raise", ":help", ":board", ":moves be", "2")
    assert state.outcome == "loss"
    assert "player_0 (you)  [Queen]\nplayer_1        [?]" in told.replace(" \n", "\n")
    assert told.count("This is Kuhn poker") == 1
    assert "Refused: no action was found in it; legal actions: [check], [bet]\nYour turn: 1:check  2:bet" in told
    assert "Your turn: 2:bet\n" in told
    assert "You lose. Returns: player_0 -2, player_1 +2." in told
    assert f"transcript: {state.saved}" in told
    assert session.episode is not None
    assert [turn.text for turn in session.episode.turns] == ["raise", "[bet]", "[call]"]


def test_the_end_of_the_input_ends_the_game() -> None:
    state, told = by_lines(Session(Setup(game="ConnectFour-LLM", seat="0", seed=1)), "3")
    assert (state.outcome, "Stopped." in told) == ("truncated", True)
    state, told = by_lines(Session(Setup(game="ConnectFour-LLM", seat="0", seed=1)), ":quit")
    assert (state.outcome, state.saved) == ("truncated", None)


def test_a_reply_of_several_lines() -> None:
    session = Session(Setup(game="Debate-LLM", seat="0", seed=1))
    by_lines(session, "First,\\", "", " ", "then this.\\", "Bye.")
    assert session.episode is not None
    mine = [turn.text for turn in session.episode.turns if turn.seat == "player_0"]
    assert mine[0] == "First,"
    assert mine[1] == "then this.\nBye."


def test_rules_that_a_compact_prompt_leaves_out_are_told() -> None:
    session = Session(Setup(game="KuhnPoker-LLM", kwargs={"prompt": "compact"}, seat="0", seed=1))
    _, told = by_lines(session, "check")
    assert told.index("This is Kuhn poker") < told.index("card Queen history none")


def test_hostile_text_reaches_no_terminal(hostile: Any) -> None:
    session = Session(Setup(game="Hostile-LLM", seed=1))
    _, told = by_lines(session, "1", "refuse", ":board", ":rules", "end", width=2000)
    for words in ("observation", "board", "Refused: reason", "tool"):
        assert f"{words} {hostile.SHOWN}" in told
    assert "1:go [/bold] <1B>[31m <b>left</b>  2:right" in told
    assert not {sign for sign in told if not sign.isprintable()} - {"\n"}


def test_safe_shows_every_sign_that_does_something() -> None:
    assert safe("\x1b[2J\x07\u202e\x9b\r\x08\u2028") == "<1B>[2J<07><202E><9B><0D><08><2028>"
    assert safe("plain ü 中 ♞ 👩\u200d🚀\n\ttab") == "plain ü 中 ♞ 👩\u200d🚀\n\ttab"
    assert safe("\x00\x7f\u200b\ufeff\U000e0041\ud800") == "<00><7F><200B><FEFF><E0041><D800>"
    for code in [*range(32), *range(127, 160)]:
        assert safe(chr(code)) == (chr(code) if chr(code) in "\n\t" else f"<{code:02X}>")


def test_boards_are_drawn_in_letters() -> None:
    board = {
        "kind": "grid",
        "rows": 2,
        "cols": 2,
        "cells": [
            [{"text": "x", "tone": "first"}, {"text": "", "tone": "wall"}],
            [{"text": "", "tone": None}, {"text": "[b]\x1b", "tone": "bad"}],
        ],
        "row_labels": ["1", "10"],
        "col_labels": ["a", "b"],
        "checkered": False,
        "slant": True,
        "last": [[0, 0]],
        "caption": "over\x1b",
    }
    assert [line.rstrip() for line in board_text(board).plain.split("\n")] == [
        "   a       b",
        " 1 x       #",
        " 10 .       [b]<1B>",
        "over<1B>",
    ]
    cards = {"kind": "cards", "rows": [{"label": "a", "cards": [{"text": "K", "hidden": False}], "note": "n"}]}
    cards["caption"] = ""
    assert board_text(cards).plain == "a  [K] n"
    assert board_text({"kind": "text", "text": "a\x07"}).plain == "a<07>"
    assert board_text(None).plain == ""


@pytest.mark.parametrize(
    ("typed", "reply"),
    [("bet", "[bet]"), ("2", "[bet]"), ("#1", "[check]"), ("[bet]", "[bet]"), ("3", "3"), ("0", "0"), ("hm", "hm")],
)
def test_what_is_typed_becomes_a_reply(typed: str, reply: str) -> None:
    assert reply_of(typed, ("check", "bet")) == reply


def test_a_number_that_is_an_action_is_that_action() -> None:
    assert reply_of("1", ("4", "1", "0")) == "[1]"
    assert reply_of("#1", ("4", "1", "0")) == "[4]"
    assert reply_of(" 12 ", None) == "12"
    assert reply_of("9" * 5000, ("a",)) == "9" * 5000


def test_suggestions_begin_with_what_is_typed() -> None:
    legal = ("take 1 from pile 2", "take 2 from pile 1", "pass")
    assert suggestions(legal, "p") == ["pass", "take 1 from pile 2", "take 2 from pile 1"]
    assert suggestions(legal, "[TAKE 2") == ["take 2 from pile 1"]
    assert suggestions(None, "x") == []


def test_tools_are_listed_with_their_arguments() -> None:
    schema = {
        "type": "function",
        "function": {
            "name": "price",
            "description": "The price.\nMore.",
            "parameters": {"properties": {"item": {"type": "string"}}},
        },
    }
    assert tool_lines([schema])[1:] == ["price(item: string): The price."]
