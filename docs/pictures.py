"""Make the pictures of the pages in docs/, from runs that are trained here, in headless Chromium.

    python docs/pictures.py                       train three short runs in build/pictures (minutes), then take pictures
    python docs/pictures.py --runs build/pictures use what is there

Needs Chromium on the PATH (.ci/chromium) and the test extra (playwright).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
RUNS = {
    "tic-tac-toe": ("env=tic_tac_toe", "steps=40", "recording.every=10"),
    "kuhn": ("env=kuhn_poker", "steps=80", "recording.every=20"),
    "tic-tac-toe-trees": (
        *("env=tic_tac_toe", "algorithm=spo_tree", "steps=6", "games_per_step=32", "recording.every=2"),
    ),
}
"""Name of a run -> its settings."""
SIZE = {"width": 1240, "height": 800}


def main(words: Sequence[str] | None = None) -> int:
    """0 when the pictures are written."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("build/pictures"), help="folder of the runs")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the pictures")
    parser.add_argument("--dark", action="store_true", help="in the dark theme")
    asked = parser.parse_args(words)
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        parser.error(f"no {', '.join(NAMES)} on the PATH: run .ci/chromium")
    for name, settings in RUNS.items():
        if not (asked.runs / name / "summary.json").exists():
            _train(asked.runs / name, name, settings)
    with _viewer(asked.runs) as url:
        _take(browser, url, asked.out, "dark" if asked.dark else "light")
    return 0


def _train(folder: Path, name: str, settings: Sequence[str]) -> None:
    print(f"training {folder}")
    command = [sys.executable, "-m", "turnwise", "train", *settings, f"name={name}", f"run_dir={folder}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _viewer(runs: Path) -> Iterator[str]:
    """The address, with its token, of a server over the runs."""
    command = [sys.executable, "-m", "turnwise", "view", ".", "--port", "0", "--no-browser", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=runs) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def _take(browser: str, url: str, out: Path, theme: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        context = chromium.new_context(viewport=SIZE, color_scheme=theme, device_scale_factor=1.5)
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("table[aria-label=Runs]")
        ids = {run["name"]: run["id"] for run in _get(url, "runs")["runs"]}
        for name, visit in {"viewer_runs": _run_page, "viewer_transcript": _transcript, "play": _game}.items():
            visit(page, url, ids)
            page.wait_for_timeout(300)  # fonts and the last curve
            page.screenshot(path=out / f"{name}.png")
            print(out / f"{name}.png")
        chromium.close()


def _run_page(page: Any, url: str, ids: dict[str, str]) -> None:
    _go(page, f"#/run/{ids['kuhn']}")
    page.wait_for_selector(".chart path")


def _transcript(page: Any, url: str, ids: dict[str, str]) -> None:
    """The end of a long game that was trained on, with the values of a token."""
    run = ids["tic-tac-toe"]
    rows = _get(url, f"runs/{run}/episodes?kind=train&invalid=0&sort=turns&desc=1&size=20")["rows"]
    row = max(rows, key=lambda row: (row["turns"], row["step"]))
    _go(page, f"#/run/{run}/episode/{row['key']}?color=advantage&turn={row['turns'] - 2}")
    page.wait_for_selector(".token")
    page.locator(f"[data-turn='{row['turns'] - 2}'] .token").first.hover()


def _game(page: Any, url: str, ids: dict[str, str]) -> None:
    """Connect four against a search, some moves in."""
    _go(page, "#/play?game=ConnectFour-LLM")
    page.get_by_label("Opponent").fill("mcts(200)")
    page.get_by_label("Seed").fill("1")
    page.get_by_label("Your seat").select_option("player_0")
    page.get_by_role("button", name="Play", exact=True).click()
    for move in ("4", "4", "3", "5"):
        page.wait_for_selector("[data-move]:not(:disabled)")
        page.locator(f"[data-move='{move}']:not(:disabled)").click()
    page.wait_for_selector("[data-move]:not(:disabled)")


def _go(page: Any, place: str) -> None:
    page.evaluate("hash => { location.hash = hash; }", place)


def _get(url: str, path: str) -> Any:
    """What /api/PATH answers."""
    base, _, token = url.partition("?token=")
    request = urllib.request.Request(f"{base}api/{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


if __name__ == "__main__":
    raise SystemExit(main())
