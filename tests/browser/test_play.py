"""The page of play in a real browser: a game begun by the command, and one whose texts are hostile."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import expect
from real import QUIET

from turnwise.envs.registry import GAMES
from turnwise.envs.spec import GameSpec
from turnwise.parquet import read_parquet
from turnwise.play.sessions import Sessions
from turnwise.view.app import make_app
from turnwise.view.serve import HOST, listen

pytestmark = pytest.mark.processes


def test_a_game_that_the_command_has_begun(watched: Any, tmp_path: Path) -> None:
    words = ["KuhnPoker-LLM", "--opponent", "random", "--seed", "1", "--web", "--no-browser", "--port", "0"]
    command = [sys.executable, "-m", "turnwise", "play", *words]
    with subprocess.Popen(command, env=QUIET, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            assert process.stdout is not None
            page = watched.page(process.stdout.readline().strip())
            expect(page.locator("[data-move]")).to_have_text(["1check", "2bet"])
            expect(page.locator(".whose-turn")).to_have_text("Your turn.")
            expect(page.locator(".playing-card")).to_have_count(2)
            expect(page.locator(".playing-card.back")).to_have_count(1)
            page.keyboard.press("/")
            page.keyboard.type("raise")
            page.keyboard.press("Enter")
            expect(page.locator(".refused")).to_contain_text("Refused: no action was found in it")
            page.keyboard.press("Escape")
            page.keyboard.press("2")
            expect(page.locator(".result .chip")).to_have_text("You lose")
            expect(page.locator(".playing-card.back")).to_have_count(0)
            (file,) = (tmp_path / "runs/play/episodes").glob("*.parquet")
            assert [turn.text for turn in read_parquet(file)[0].turns] == ["raise", "[bet]", "[call]"]
            page.get_by_role("link", name="Transcript").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("KuhnPoker-LLM")
            expect(page.locator(".turns")).to_contain_text("raise")
            page.go_back()
            page.locator("[data-again]").click()
            expect(page.locator(".heading")).to_contain_text("player_0: random · player_1: you")
            expect(page.locator("[data-move]").first).to_be_enabled()
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert len(list((tmp_path / "runs/play/episodes").glob("*.parquet"))) == 2  # the second one as far as it was played


def test_a_click_on_the_board_plays_the_move_of_the_cell(watched: Any, hostile: str) -> None:
    page = watched.page(f"{hostile}#/play?game=TicTacToe-LLM")
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.locator(".place .cell.open")).to_have_count(9)
    page.locator(".place .cell").nth(4).click()
    expect(page.locator(".place .cell").nth(4)).to_have_class(re.compile("first"))
    expect(page.locator(".place .cell.open")).to_have_count(7)
    expect(page.locator(".said.mine")).to_contain_text("[4]")
    page.goto(f"{hostile.partition('?')[0]}#/play?game=Hex-LLM")
    page.get_by_role("button", name="Play", exact=True).click()
    page.get_by_title("b3", exact=True).click()
    expect(page.locator(".said.mine")).to_contain_text("[b3]")


def test_stones_are_seen_and_columns_stand_under_their_cells(watched: Any, hostile: str) -> None:
    page = watched.page(f"{hostile}#/play?game=ConnectFour-LLM")
    page.get_by_role("button", name="Play", exact=True).click()
    page.locator('[data-move="3"]').click()
    expect(page.locator(".place .cell.first")).to_have_count(1)
    expect(page.locator(".place .cell.second")).to_have_count(1)
    stone = page.locator(".place .cell.first > *").bounding_box()
    assert stone is not None
    assert stone["width"] > 8
    assert stone["height"] > 8
    boxes = [page.locator(f".place .cells {part}").bounding_box() for part in (".label >> text=3", ".cell.first")]
    assert None not in boxes
    centres = [box["x"] + box["width"] / 2 for box in boxes if box]
    assert abs(centres[0] - centres[1]) < 3


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of a server that knows Hostile-LLM."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "play"))
    spec = GameSpec(id="Hostile-LLM", entry_point="hostile_game:HostileGame", summary="<img src=x onerror=pwned=1>")
    monkeypatch.setitem(GAMES, spec.id, spec)
    sock = listen(0)
    number = sock.getsockname()[1]
    app = make_app([tmp_path], token="t", port=number, sessions=Sessions([tmp_path], tmp_path / "play"))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    yield f"http://{HOST}:{number}/?token=t"
    server.should_exit = True
    thread.join(10)


def test_hostile_texts_are_shown_and_never_run(watched: Any, hostile: str) -> None:
    page = watched.page(f"{hostile}#/play")
    page.get_by_label("Find a game").fill("hostile")
    expect(page.locator("[data-game]")).to_contain_text("<img src=x onerror=pwned=1>")
    page.locator("[data-game]").click()
    page.get_by_role("button", name="Play", exact=True).click()
    expect(page.locator(".log")).to_contain_text("<script>alert(2)</script>")
    expect(page.locator(".board-text")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.locator(".moves")).to_contain_text("<script>alert(2)</script>")  # a tool's description
    page.get_by_label("Your reply").fill("[right]")
    page.keyboard.press("Enter")
    expect(page.locator(".said.mine")).to_have_count(1)
    page.get_by_label("Your reply").fill("refuse")
    page.keyboard.press("Enter")
    expect(page.locator(".refused")).to_contain_text("Refused: reason")
    page.get_by_label("Your reply").fill("<script>pwned=1</script>")
    page.keyboard.press("Enter")
    expect(page.locator(".result .chip")).to_have_text("You win")
    page.get_by_role("link", name="Transcript").click()
    expect(page.locator(".turns")).to_contain_text(re.compile("<script>pwned=1</script>"))
    assert page.locator("#content script, #content img").count() == 0
