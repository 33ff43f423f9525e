"""The pages over a run that was really trained, served by the real command."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from real import Viewer, train, viewer

pytestmark = pytest.mark.processes

TOLD = """nodes => nodes.map((node) => [
    node.dataset.value ?? null, Number(node.style.getPropertyValue("--w")), node.classList.contains("untrained"),
])"""
"""Value, weight of the colour, and whether it is shown as untrained, of each token."""
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
QUANTITIES = ("advantage", "logprob", "entropy", "ratio", "mismatch", "mask")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("watched")
    train(folder / "runs" / "forks")
    with viewer(folder / "runs", folder=folder) as found:
        yield found


@pytest.fixture(scope="module")
def run(shown: Viewer) -> str:
    return str(shown.get("runs")["runs"][0]["id"])


def open_at(watched: Any, shown: Viewer, place: str = "", **options: Any) -> Page:
    page: Page = watched.page(shown.url, **options)
    page.wait_for_selector("table[aria-label=Runs]")
    if place:
        page.evaluate("hash => { location.hash = hash; }", place)
    return page


def longest(shown: Viewer, run: str, *, forked: bool = False) -> dict[str, Any]:
    """The row of the longest episode that was trained on; of those that were forked from another one, if asked."""
    rows = shown.get(f"runs/{run}/episodes?kind=train&sort=turns&desc=1")["rows"]
    trained = (
        row for row in rows if any(turn["trained"] for turn in shown.get(f"runs/{run}/episodes/{row['key']}")["turns"])
    )
    return next(row for row in trained if row["parent"] or not forked)


def test_from_the_table_of_runs_to_a_turn(watched: Any, shown: Viewer, run: str) -> None:
    page = open_at(watched, shown)
    assert "token" not in page.url
    row = page.locator("tbody tr").first
    expect(row).to_contain_text("2 of 2")
    expect(row).to_contain_text("spo_tree")
    page.get_by_role("link", name="forks", exact=True).click()
    headline = shown.get("runs")["runs"][0]["headline"]
    assert float(page.locator("[data-headline]").get_attribute("data-headline") or "nan") == headline["value"]
    told = page.locator("[data-chart='Entropy and KL'] .legend span").first.get_attribute("data-value")
    assert float(told or "nan") == shown.get(f"runs/{run}/metrics?names=entropy")["series"]["entropy"][-1][1]
    page.get_by_role("link", name="Episodes").click()
    total = shown.get(f"runs/{run}/facets")["total"]
    expect(page.locator(".heading .muted")).to_have_text(f"{total} episodes")
    page.locator("tbody a").first.click()
    page.wait_for_selector(".turn")
    expect(page.locator(".crumbs")).to_contain_text("Runs/forks/Episodes/")


def test_filters_ask_the_server_and_stand_in_the_address(watched: Any, shown: Viewer, run: str) -> None:
    page = open_at(watched, shown, f"#/run/{run}/episodes")
    expect(page.locator("tbody tr")).to_have_count(shown.get(f"runs/{run}/facets")["total"])
    page.get_by_label("Invalid replies").select_option("1")
    page.get_by_label("From step").fill("2")
    page.wait_for_url(re.compile("step_min=2"))
    wanted = shown.get(f"runs/{run}/episodes?invalid=1&step_min=2")
    expect(page.locator("tbody tr")).to_have_count(wanted["total"])
    keys = page.locator("tbody a").evaluate_all("links => links.map(link => link.dataset.key)")
    assert keys == [row["key"] for row in wanted["rows"]] != []
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(wanted["total"])
    assert page.get_by_label("Invalid replies").input_value() == "1"
    page.get_by_label("Text of a turn").fill("no turn says this")
    expect(page.get_by_text("No episode fits these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear filters").last.click()
    expect(page.locator("tbody tr")).to_have_count(shown.get(f"runs/{run}/facets")["total"])


def test_pages_and_orders_are_the_servers(watched: Any, shown: Viewer, run: str) -> None:
    page = open_at(watched, shown, f"#/run/{run}/episodes?size=3&sort=turns")
    expect(page.locator("tbody tr")).to_have_count(3)
    for number in (0, 1):
        wanted = shown.get(f"runs/{run}/episodes?size=3&sort=turns&page={number}")
        expect(page.locator("tbody a").first).to_have_attribute("data-key", wanted["rows"][0]["key"])
        assert [int(text) for text in page.locator("tbody td:nth-child(7)").all_inner_texts()] == [
            row["turns"] for row in wanted["rows"]
        ]
        page.get_by_role("button", name="Next →").click()
        page.wait_for_url(re.compile(f"page={number + 1}"))
    page.go_back()
    expect(page.locator(".pager")).to_contain_text("page 2 of")
    page.get_by_role("button", name="Turns").click()
    page.wait_for_url(re.compile("desc=0"))
    wanted = shown.get(f"runs/{run}/episodes?size=3&sort=turns&desc=0")
    expect(page.locator("tbody a").first).to_have_attribute("data-key", wanted["rows"][0]["key"])


def test_a_transcript_has_what_the_server_says(watched: Any, shown: Viewer, run: str) -> None:
    row = longest(shown, run)
    found = shown.get(f"runs/{run}/episodes/{row['key']}")
    page = open_at(watched, shown, f"#/run/{run}/episode/{row['key']}")
    turns = page.locator(".turn")
    expect(turns).to_have_count(row["turns"])
    for turn in found["turns"]:
        node = turns.nth(turn["index"])
        assert turn["reply"].strip() in node.locator(".written").inner_text()
        assert node.locator(".observation pre").first.text_content() == turn["observation"][0]["content"]
        assert node.locator(".board .cells").count() == 1
        if turn["advantage"] is not None:
            assert float(node.locator("[data-advantage]").get_attribute("data-advantage")) == turn["advantage"]
    assert page.locator(".ending .board").count() == 1
    assert (
        page.get_by_role("link", name="Export as HTML").get_attribute("href")
        == f"/api/runs/{run}/episodes/{row['key']}/export"
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as HTML").click()
    text = Path(download.value.path()).read_text()
    assert text.lstrip().lower().startswith("<!doctype html>") and "<script" not in text


def value_of(token: dict[str, Any], name: str) -> float | None:
    """The quantity by its definition."""
    before, after = token["train_logprob"], token["updated_logprob"]
    if name == "mask":
        return float(token["trained"])
    if name == "ratio":
        return None if before is None or after is None else math.exp(after - before)
    if name == "mismatch":
        return None if before is None else math.exp(before - token["logprob"])
    value: float | None = token[name]
    return value


def test_every_colour_of_every_token_is_the_servers_number(watched: Any, shown: Viewer, run: str) -> None:
    row = longest(shown, run)
    turns = shown.get(f"runs/{run}/episodes/{row['key']}")["turns"]
    page = open_at(watched, shown, f"#/run/{run}/episode/{row['key']}?color=advantage")
    page.wait_for_selector(".token")
    seen = 0
    for name in QUANTITIES:
        page.get_by_label("Coloured by").select_option(name)
        for turn in turns:
            told = page.locator(f"[data-turn='{turn['index']}'] .token").evaluate_all(TOLD)
            assert len(told) == len(turn["tokens"])
            for token, (value, weight, untrained) in zip(turn["tokens"], told, strict=True):
                wanted = value_of(token, name)
                assert (value is None) == (wanted is None)
                assert wanted is None or float(value) == pytest.approx(wanted, rel=1e-12)
                assert untrained is not token["trained"]
                assert 0 <= weight <= 1
                assert weight == 0 or name in ("logprob", "entropy", "mismatch") or token["trained"]
                seen += 1
    assert seen == len(QUANTITIES) * sum(len(turn["tokens"]) for turn in turns) > 0


def test_a_fork_leads_to_its_parent_and_to_the_tree(watched: Any, shown: Viewer, run: str) -> None:
    row = longest(shown, run, forked=True)
    found = shown.get(f"runs/{run}/episodes/{row['key']}")["episode"]
    page = open_at(watched, shown, f"#/run/{run}/episode/{row['key']}")
    expect(page.locator(f"[data-turn='{found['fork_turn']}']")).to_contain_text("forked here")
    page.get_by_role("link", name="Tree of the group").click()
    nodes = shown.get(f"runs/{run}/tree?group={row['group']}")["nodes"]
    expect(page.locator(".lanes li")).to_have_count(len(nodes))
    assert sorted(page.locator(".tree a").evaluate_all("all => all.map(one => one.dataset.lane)")) == sorted(
        node["key"] for node in nodes
    )
    page.locator(f".lanes [data-key='{row['key']}']").click()
    expect(page.locator(f"[data-turn='{found['fork_turn']}']")).to_be_focused()
    page.get_by_role("link", name="its parent at turn").click()
    page.wait_for_url(re.compile(f"episode/{found['parent']}"))


def test_two_checkpoints_play_the_same_games(watched: Any, shown: Viewer, run: str) -> None:
    page = open_at(watched, shown, f"#/run/{run}/diff")
    page.get_by_label("Games").fill("4")
    page.get_by_label("Opponent").fill("random")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_selector("table[aria-label='Pairs of games']", timeout=120_000)
    expect(page.locator("tbody tr")).to_have_count(4)
    job = shown.get(f"jobs/{re.search(r'job=([^&]+)', page.url)[1]}")  # type: ignore[index]
    pair = job["result"]["pairs"][0]
    assert pair["return_b"] - pair["return_a"] == float(
        page.locator("tbody td:nth-child(5)").first.inner_text().replace("−", "-")
    )
    page.wait_for_selector(".pair .turn")
    games = [shown.get(f"runs/{run}/episodes/{pair[side]}")["turns"] for side in "ab"]
    marks = page.locator(".pair.parts .turn").evaluate_all("turns => turns.map(turn => Number(turn.dataset.turn))")
    assert marks == [pair["same_turns"] for turns in games if pair["same_turns"] < len(turns)]
    shared = pair["same_turns"]
    assert [turn["reply"] for turn in games[0][:shared]] == [turn["reply"] for turn in games[1][:shared]]


def test_a_whole_visit_by_keys_alone(watched: Any, shown: Viewer, run: str) -> None:
    page = open_at(watched, shown)
    keys = page.keyboard
    keys.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next run")
    keys.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    keys.press("j")
    keys.press("Enter")
    page.wait_for_selector(".page-run .chart")
    keys.press("e")
    page.wait_for_selector(".page-episodes tbody")
    keys.press("/")
    keys.type("[")
    page.wait_for_url(re.compile("text="))
    keys.press("Escape")
    expect(page.locator(".rows")).not_to_have_attribute("aria-busy", "true")
    keys.press("j")
    keys.press("j")
    key = page.evaluate("document.activeElement.dataset.key")
    keys.press("Enter")
    page.wait_for_selector(".page-episode .turn")
    assert page.url.endswith(f"/episode/{key}")
    keys.press("j")
    expect(page.locator("[data-turn='0']")).to_be_focused()
    keys.press("c")
    page.wait_for_selector(".token")
    keys.press("Tab")
    while not page.evaluate("document.activeElement.classList.contains('tokens')"):
        keys.press("Tab")
    keys.press("Home")
    expect(page.locator(".token-box:focus-within .detail")).to_contain_text("token 1")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    keys.press("Escape")
    page.wait_for_selector(".page-episodes tbody")
    assert "text=" in page.url, "the way back keeps the filters"
    expect(page.locator(f"[data-key='{key}']")).to_be_focused()
    keys.press("Escape")
    page.wait_for_selector(".page-run .chart")
    keys.press("Escape")
    page.wait_for_selector(".page-runs table")
    keys.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def readable(page: Page) -> None:
    """Every text has a contrast of 4.5 or more, in both themes."""
    low = {}
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        found = page.evaluate(CONTRAST, 4.5)
        assert found["seen"] >= 8
        low[theme] = found["low"]
    assert low == {"light": [], "dark": []}


def test_a_game_is_played_to_its_end(watched: Any, shown: Viewer) -> None:
    page = open_at(watched, shown, "#/play?game=TicTacToe-LLM")
    page.get_by_label("Your seat").select_option("player_0")
    readable(page)
    page.get_by_label("Seed").fill("3")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_selector(".page-play .board .cells")
    page.wait_for_selector("[data-move]:not(:disabled)")
    readable(page)
    for _ in range(5):
        page.wait_for_selector("[data-move]:not(:disabled), .result .chip")
        if page.locator(".result .chip").count():
            break
        page.locator("[data-move]").first.click()
    expect(page.locator(".result .chip")).to_be_visible()
    readable(page)
    outcome = page.locator(".result .chip").inner_text()
    assert outcome in ("You win", "You lose", "Nobody wins")
    page.get_by_role("link", name="Transcript").click()
    page.wait_for_selector(".page-episode .turn")
    assert page.locator(".facts").first.inner_text().count("play") >= 1


def test_without_the_token_nothing_is_told(watched: Any, shown: Viewer) -> None:
    watched.expected = ("401",)
    page = watched.page(shown.base)
    expect(page.get_by_role("alert")).to_contain_text("?token=")
    assert page.locator("table").count() == 0
