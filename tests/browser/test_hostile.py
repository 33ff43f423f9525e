"""Whatever a model, an environment or a tool writes is shown, and neither runs nor becomes an element."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from payloads import PAYLOADS
from playwright.sync_api import Page, expect
from real import Viewer, viewer

from turnwise.records import Episode, Message, Turn

pytestmark = pytest.mark.processes

ELEMENTS = {
    *("a", "article", "b", "body", "button", "circle", "code", "datalist", "dd", "details", "div", "dl", "dt"),
    *("figcaption", "figure", "form", "g", "h1", "h2", "h3", "head", "header", "html", "i", "img", "input", "kbd"),
    *("label", "li", "line", "link", "main", "meta", "nav", "noscript", "ol", "option", "p", "path", "pre", "rect"),
    *("script", "section", "select", "small", "span", "summary", "svg", "table", "tbody", "td", "text", "th", "thead"),
    *("title", "tr", "ul"),
}
"""All that the pages are made of. Of img there is one, and of script there are two: those of index.html."""
COUNTS = "[document.images.length, document.scripts.length, window.length]"


def hostile(name: str, text: str) -> Episode:
    """An episode that says `text` wherever something is free to say anything."""
    turn = Turn(
        seat=text,
        observation=(Message("system", text), Message("user", text)),
        text=f"<think>{text}</think>{text}",
        action=text,
        status="illegal",
        tool_calls=(json.dumps({"name": text, "arguments": {text: text}}), text),
    )
    answer = replace(turn, observation=(Message("tool", text),), tool_calls=(), text=text, status="ok")
    return Episode(
        id=f"{name} {text}",
        env_id=text,
        seats={text: text},
        turns=(turn, answer),
        returns={text: 1.0},
        task=text,
        level=text,
        group=f"{name} {text}",
        ground_truth=text,
        reward_parts={text: {text: 1.0}},
        env_kwargs={text: text},
        metadata={"kind": text, text: text, "step": 1},
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    folder = tmp_path_factory.mktemp("hostile")
    run = folder / "runs" / "<img id=pwned src=x onerror=window.pwned=1>"
    run.mkdir(parents=True)
    lines = [hostile(name, text).to_json() for name, text in PAYLOADS.items()]
    (run / "episodes.jsonl").write_text("\n".join(lines) + "\n")
    with viewer(folder / "runs", folder=folder) as found:
        yield found


def check(page: Page) -> None:
    """Nothing has run, and there is no element that the pages do not make."""
    assert page.evaluate("'pwned' in window") is False
    assert (
        page.evaluate(
            "document.querySelectorAll('#pwned, [onerror], [onload], [onfocus], [onclick], [style*=url]').length"
        )
        == 0
    )
    names = set(
        page.evaluate("[...new Set([...document.querySelectorAll('*')].map(node => node.tagName.toLowerCase()))]")
    )
    assert names <= ELEMENTS
    assert page.evaluate(COUNTS) == [1, 2, 0]
    assert page.evaluate("[...document.links].every(link => new URL(link.href).origin === location.origin)")


def test_no_payload_gets_out_of_its_text(watched: Any, shown: Viewer) -> None:
    assert len(PAYLOADS) >= 30
    page = watched.page(shown.url)
    page.wait_for_selector("table[aria-label=Runs]")
    check(page)
    run = shown.get("runs")["runs"][0]["id"]
    page.evaluate("hash => { location.hash = hash; }", f"#/run/{run}/episodes?size=200")
    page.wait_for_selector(".page-episodes tbody tr")
    check(page)
    rows = shown.get(f"runs/{run}/episodes?size=200")["rows"]
    assert len(rows) == len(PAYLOADS)
    for row in rows:
        text = PAYLOADS[row["id"].partition(" ")[0]]
        page.evaluate("hash => { location.hash = hash; }", f"#/run/{run}/episode/{row['key']}")
        expect(page.locator(".page-episode h1")).to_have_text(text, use_inner_text=False)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.locator("[data-turn='0'] .observation pre").last.text_content() == text
        assert page.locator("[data-turn='1'] .written pre").text_content() == text
        assert page.locator("[data-turn='0'] .tool pre").last.text_content() == text
        check(page)
    assert page.title().endswith("turnwise")


def test_addresses_and_filters_take_any_text(watched: Any, shown: Viewer) -> None:
    watched.expected = ("Failed to load resource",)
    page = watched.page(shown.url)
    page.wait_for_selector("table[aria-label=Runs]")
    run = shown.get("runs")["runs"][0]["id"]
    for text in PAYLOADS.values():
        page.evaluate(
            "([run, text]) => { location.hash = `#/run/${run}/tree/${encodeURIComponent(text)}`; }", [run, text]
        )
        page.wait_for_selector(".page-tree .state, .page-tree .lanes, .page-run .card, .page-none h1")
        check(page)
    page.evaluate("([run]) => { location.hash = `#/run/${run}/episodes`; }", [run])
    for text in list(PAYLOADS.values())[:12]:
        page.get_by_label("Text of a turn").fill(text)
        page.get_by_label("Text of a turn").blur()
        expect(page.locator(".rows")).not_to_have_attribute("aria-busy", "true")
        check(page)


def test_an_exported_page_runs_nothing(watched: Any, shown: Viewer, tmp_path: Path) -> None:
    """The file is opened with every script allowed, as a browser opens a file: nothing in it may be one."""
    page = watched.page(shown.url)
    page.wait_for_selector("table[aria-label=Runs]")
    run = shown.get("runs")["runs"][0]["id"]
    texts = {}
    for row in shown.get(f"runs/{run}/episodes?size=200")["rows"]:
        address = f"/api/runs/{run}/episodes/{row['key']}/export"
        texts[row["id"].partition(" ")[0]] = page.evaluate(
            "address => fetch(address).then((answer) => answer.text())", address
        )
    assert texts.keys() == PAYLOADS.keys()
    other = watched.page("about:blank")
    for name, text in texts.items():
        other.set_content(text)
        assert other.evaluate("'pwned' in window") is False, name
        assert (
            other.evaluate("document.querySelectorAll('script, img, iframe, object, embed, form, #pwned').length") == 0
        ), name
