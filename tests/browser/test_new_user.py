"""What a new user does who has read README.md, with the real commands and a real browser.

Train, look at the tokens that were rewarded, play against the result, let checkpoints play each other, and train in a
game of their own: the steps of docs/tutorial.md.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from real import QUIET, viewer

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "docs"))
from generators.blocks import blocks_of  # noqa: E402  # what docs/generate.py uses

SMALL = ("games_per_step=32", "evaluation.final_games=20", "model.sft.steps=60", "recording.every=1")
GAME, SETTINGS = "src/take_away/game.py", "src/take_away/configs/env/take_away.yaml"


class Desk:
    """A folder, and a shell in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {**QUIET, "PYTHONPATH": str(folder / "site-packages")}

    def turnwise(self, *words: str) -> str:
        """Standard output of a command, which has to succeed."""
        return self.python("-m", "turnwise", *words)

    def python(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """With a run of six steps and three checkpoints."""
    desk = Desk(tmp_path_factory.mktemp("new user"))
    checkpoints = ("steps=6", "checkpoint_every=2", "checkpoints_kept=3")
    told = desk.turnwise("train", *SMALL, *checkpoints, "run_dir=runs/kuhn")
    assert "report: runs/kuhn/report.html" in told
    return desk


def test_they_see_which_tokens_were_rewarded(desk: Desk, watched: Any) -> None:
    with viewer(Path("runs"), folder=desk.folder) as shown:
        page: Page = watched.page(shown.url)
        page.get_by_role("link", name="kuhn", exact=True).click()
        expect(page.locator("[data-headline]")).to_be_visible()
        page.get_by_role("link", name="Episodes").click()
        page.locator("tbody a").first.click()
        page.wait_for_selector(".turn")
        page.keyboard.press("c")
        page.wait_for_selector(".token")
        page.get_by_label("Coloured by").select_option("advantage")
        tokens = page.locator(".token").evaluate_all(
            "nodes => nodes.map(node => [node.dataset.value, Number(node.style.getPropertyValue('--w')),"
            " getComputedStyle(node).backgroundColor])"
        )
        trained = [(float(value), weight, colour) for value, weight, colour in tokens if value is not None]
        assert len(trained) >= 4
        assert {value > 0 for value, _, _ in trained} == {True, False}  # one seat won what the other lost
        by_sign = {value > 0: colour for value, weight, colour in trained if weight > 0}
        assert by_sign[True] != by_sign[False]


def test_they_play_against_it_in_the_browser(desk: Desk, watched: Any) -> None:
    words = ["KuhnPoker-LLM", "--opponent", "runs/kuhn", "--seed", "1", "--web", "--no-browser", "--port", "0"]
    command = [sys.executable, "-m", "turnwise", "play", *words]
    with subprocess.Popen(command, env=desk.env, stdout=subprocess.PIPE, text=True, cwd=desk.folder) as process:
        try:
            assert process.stdout is not None
            page: Page = watched.page(process.stdout.readline().strip())
            for _ in range(3):  # at most two moves of ours
                page.locator("[data-move]:enabled, .result").first.wait_for(timeout=60_000)
                if page.locator(".result").count():
                    break
                page.locator("[data-move]").last.click()
                expect(page.locator(".whose-turn")).not_to_have_text("Your turn.", timeout=60_000)
            expect(page.locator(".result .chip")).to_have_text(re.compile("You (win|lose)"), timeout=60_000)
            page.get_by_role("link", name="Transcript").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("KuhnPoker-LLM")
        finally:
            process.terminate()
    assert len(list((desk.folder / "runs/play/episodes").glob("*.parquet"))) == 1


def test_they_let_three_checkpoints_play_each_other(desk: Desk) -> None:
    players = ["runs/kuhn:2", "runs/kuhn:4", "runs/kuhn:6"]
    found = json.loads(
        desk.turnwise("tournament", "KuhnPoker-LLM", *players, "--games", "20", "--json", "--out", "cup")
    )
    assert [player["player"] for player in sorted(found["players"], key=lambda one: one["player"])] == players
    payoffs = found["matrix"]["mean"]
    for row in range(3):
        for column in range(row):
            assert math.isclose(
                payoffs[row][column], -payoffs[column][row], abs_tol=1e-9
            )  # what one wins, the other loses
    assert (desk.folder / "cup/matrix.png").stat().st_size > 1000


def test_they_write_a_game_of_their_own_and_train_in_it(desk: Desk) -> None:
    """The game and the settings of docs/contributing_an_environment.md, as they are printed there."""
    blocks = blocks_of((ROOT / "docs/contributing_an_environment.md").read_text())
    game = next(block.text for block in blocks if block.text.startswith(f"# take-away/{GAME}\n"))
    settings = next(block.text for block in blocks if block.file == f"take-away/{SETTINGS}")
    assert len(game.splitlines()) <= 41  # forty, and the line that says where it goes
    desk.turnwise("new", "env", "take-away")
    (desk.folder / "take-away" / GAME).write_text(game)
    (desk.folder / "take-away" / SETTINGS).write_text(settings)
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", desk.env["PYTHONPATH"])
    desk.python("-m", "pip", "install", *options, "." + os.sep + "take-away")
    assert "1 of 1 environments passed" in desk.turnwise("check", "take-away/TakeAway-LLM")
    told = desk.turnwise("train", "env=take_away", *SMALL, "steps=4", "run_dir=runs/own")
    assert "report: runs/own/report.html" in told
    assert json.loads((desk.folder / "runs/own/summary.json").read_text())["steps"] == 4
