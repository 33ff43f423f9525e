"""How long the pages of `turnwise view` take over many episodes: opening, paging, filters, a transcript.

A few games are played for real and written down many times with other seeds, returns, texts and steps, in files as a
run writes them. Answers are timed over HTTP on this machine, whole pages in Chromium where there is one.

    python benchmarks/view.py --out benchmarks/results/view.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import print_table, save_result

from turnwise.agents.rollout import Rollout, plans
from turnwise.agents.scripted import scripted_agent
from turnwise.envs.registry import make_game
from turnwise.parquet import write_parquet
from turnwise.records import Episode, Turn
from turnwise.view.app import make_app
from turnwise.view.serve import listen, serve
from turnwise.view.sources import source_of
from turnwise.view.store import Store

TOKEN = "benchmark"
GAMES = ("KuhnPoker-LLM", "TicTacToe-LLM", "Wordle-LLM")
CHROMIUM = "/usr/bin/chromium"


def played(games: int) -> list[Episode]:
    """Some games of random play in each environment, with tokens as a language model would have left them."""
    rng, found = np.random.default_rng(0), []
    for env_id in GAMES:
        rollout = Rollout({"policy": scripted_agent("random"), "random": scripted_agent("random")})
        seats = {seat: "random" if i else "policy" for i, seat in enumerate(make_game(env_id).seats)}
        episodes = rollout.collect(plans("real", env_id, {}, seats, range(games)))
        found += [replace(e, turns=tuple(with_tokens(turn, rng) for turn in e.turns)) for e in episodes]
    return found


def with_tokens(turn: Turn, rng: np.random.Generator, prompt: int = 60, reply: int = 40) -> Turn:
    """The turn with every column that training fills."""
    nats = tuple((-rng.exponential(size=reply)).tolist())
    return replace(
        turn,
        prompt_ids=tuple(rng.integers(0, 50_000, prompt).tolist()),
        completion_ids=tuple(rng.integers(0, 50_000, reply).tolist()),
        logprobs=nats,
        train_logprobs=nats,
        updated_logprobs=nats,
        token_entropy=tuple(rng.exponential(size=reply).tolist()),
        advantages=tuple(rng.normal(size=reply).tolist()),
    )


def write_run(folder: Path, count: int, per_file: int) -> None:
    """So many episodes in files of a step each."""
    real, rng = played(20), np.random.default_rng(1)
    (folder / "episodes").mkdir(parents=True)
    for number, start in enumerate(range(0, count, per_file), start=1):
        some = [varied(real, rng, start + i, number) for i in range(min(per_file, count - start))]
        write_parquet(folder / f"episodes/step-{number:06d}.parquet", some)


def varied(real: list[Episode], rng: np.random.Generator, index: int, step: int) -> Episode:
    """One of the real ones under another id, with other returns, texts and status."""
    episode = real[int(rng.integers(len(real)))]
    turns = tuple(
        replace(turn, text=f"{turn.text} {rng.integers(10**6)}", status="illegal" if rng.random() < 0.02 else "ok")
        for turn in episode.turns
    )
    return replace(
        episode,
        id=f"{step}-{index}",
        turns=turns,
        returns={seat: float(rng.integers(-2, 3)) for seat in episode.seats},
        status="truncated" if rng.random() < 0.05 else "ok",
        level=str(rng.choice(["easy", "hard"])),
        group=f"{step}-{index // 8}",
        metadata={"step": step, "kind": "train"},
    )


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of that folder."""
    sock = listen(0)
    port = sock.getsockname()[1]
    thread = threading.Thread(target=serve, args=(make_app([folder], token=TOKEN, port=port), sock), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"


def get(address: str) -> bytes:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return bytes(answer.read())


def timed(what: str, act: Callable[[], Any], times: int) -> dict[str, Any]:
    """A row: median and worst wall time, and the median of this process's processor time, asking and answering."""
    walls, own = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        act()
        walls.append(1000 * (time.perf_counter() - wall))
        own.append(1000 * (time.process_time() - cpu))
    figures = {"median_ms": statistics.median(walls), "worst_ms": max(walls), "cpu_ms": statistics.median(own)}
    return {"what": what, "times": times, **{name: round(value, 1) for name, value in figures.items()}}


def answers(base: str, times: int) -> list[dict[str, Any]]:
    """Every kind of question, over HTTP."""
    run = json.loads(get(f"{base}/api/runs"))["runs"][0]["id"]
    address = f"{base}/api/runs/{run}"
    rows = json.loads(get(f"{address}/episodes?size=50"))["rows"]
    last = json.loads(get(f"{address}/facets"))["total"] // 50 - 1
    pages = iter(range(1, 10**6))
    keys = iter([row["key"] for row in rows] * times)
    questions = {
        "table of runs": lambda: get(f"{base}/api/runs"),
        "one run": lambda: get(address),
        "first page of 50": lambda: get(f"{address}/episodes?size=50"),
        "next page": lambda: get(f"{address}/episodes?size=50&page={next(pages)}"),
        "last page": lambda: get(f"{address}/episodes?size=50&page={last}"),
        "sorted by return": lambda: get(f"{address}/episodes?sort=return&size=50"),
        "filtered: environment, outcome, invalid": lambda: get(
            f"{address}/episodes?env=KuhnPoker-LLM&outcome=win&invalid=1&size=50"
        ),
        "filtered: a hundred steps": lambda: get(f"{address}/episodes?step_min=100&step_max=199&size=50"),
        "text search, rare": lambda: get(f"{address}/episodes?text=123456&size=50"),
        "text search, common": lambda: get(f"{address}/episodes?text=card&size=50"),
        "facets": lambda: get(f"{address}/facets"),
        "transcript": lambda: get(f"{address}/episodes/{next(keys)}"),
        "export": lambda: get(f"{address}/episodes/{rows[0]['key']}/export"),
    }
    return [timed(what, act, times) for what, act in questions.items()]


def in_browser(base: str, times: int) -> list[dict[str, Any]]:
    """From the address to rows that can be seen, and from a click to the next rows."""
    from playwright.sync_api import sync_playwright

    run = json.loads(get(f"{base}/api/runs"))["runs"][0]["id"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{base}/?token={TOKEN}")

        def load() -> None:
            page.goto("about:blank")
            page.goto(f"{base}/#/run/{run}/episodes")
            page.wait_for_selector("tbody a[data-key]")

        def turn() -> None:
            before = page.get_attribute("tbody a[data-key]", "data-key")
            page.click('[data-turn="1"]')
            page.wait_for_function(
                "before => document.querySelector('tbody a[data-key]')?.dataset.key !== before", arg=before
            )

        def read() -> None:
            load()
            page.click("tbody a[data-key]")
            page.wait_for_selector("article.turn")

        rows = [
            timed("Chromium: list of episodes from its address", load, times),
            timed("Chromium: next page", turn, times),
            timed("Chromium: list, then a transcript", read, times),
        ]
        browser.close()
    return rows


def measure(count: int, per_file: int, times: int, folder: Path, *, browser: bool) -> list[dict[str, Any]]:
    os.environ["TURNWISE_CACHE"] = str(folder / "cache")
    write_run(folder / "run", count, per_file)

    def opened() -> None:
        store = Store(source_of(folder / "run"))
        assert store.count() == count
        store.close()

    rows = [timed("index made from the files", opened, 1), timed("index taken from the cache", opened, 3)]
    with serving(folder / "run") as base:
        get(f"{base}/api/runs")
        rows += answers(base, times)
        if browser and Path(CHROMIUM).exists():
            rows += in_browser(base, max(3, times // 4))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100_000)
    parser.add_argument("--per-file", type=int, default=250)
    parser.add_argument("--times", type=int, default=20, help="how often each question is asked")
    parser.add_argument("--no-browser", action="store_true", help="only what the server answers")
    parser.add_argument("--out", metavar="FILE", help="result file, JSON")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnwise-view-bench-") as name:
        rows = measure(words.episodes, words.per_file, words.times, Path(name), browser=not words.no_browser)
        size = sum(path.stat().st_size for path in Path(name, "run").rglob("*.parquet"))
    print(f"{words.episodes:,} episodes in files of {words.per_file}, {size / 1e6:,.0f} MB")
    print_table(rows, ("what", "times", "median_ms", "worst_ms", "cpu_ms"))
    if words.out:
        notes: dict[str, Any] = {"episodes": words.episodes, "per_file": words.per_file, "megabytes": round(size / 1e6)}
        notes["load_average"] = [round(value, 1) for value in os.getloadavg()]
        save_result(words.out, rows, packages=("duckdb", "pyarrow", "starlette", "uvicorn"), **notes)


if __name__ == "__main__":
    main()
