"""Pages over canned answers: states that a short run does not come to, every kind of board, and what colours cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from canned import BOARDS, TOKENS, answers
from fake import ASSETS, fake
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.processes

CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
PLACES = {
    "runs": "#/",
    "run": "#/run/r1",
    "episodes": "#/run/r1/episodes",
    "transcript": "#/run/r1/episode/k1",
    "advantage": "#/run/r1/episode/k1?color=advantage",
    "entropy": "#/run/r1/episode/k1?color=entropy",
    "ratio": "#/run/r1/episode/k1?color=ratio",
    "log-prob": "#/run/r1/episode/k1?color=logprob",
    "mask": "#/run/r1/episode/k1?color=mask",
    "tree": "#/run/r1/tree/g1",
    "diff": "#/run/r1/diff?job=j1&a=2&b=3",
    "nothing": "#/no/such/place",
}
READY = {
    "runs": ".page-runs table",
    "run": ".page-run .chart path",
    "episodes": ".page-episodes table",
    "tree": ".page-tree .lanes",
    "diff": ".page-diff .pair .turn",
    "nothing": ".page-none h1",
}


@pytest.fixture
def data() -> dict[str, Any]:
    return answers()


@pytest.fixture
def url(serve: Callable[[Any], str], data: dict[str, Any]) -> str:
    return serve(fake(data))


def arrive(page: Page, place: str) -> None:
    page.evaluate("hash => { location.hash = hash; }", PLACES[place])
    page.wait_for_selector(READY.get(place, ".page-episode .turn"))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_a_contrast_of_four_and_a_half(watched: Any, url: str, theme: str) -> None:
    page = watched.page(url, color_scheme=theme)
    low = {}
    for place in PLACES:
        arrive(page, place)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = page.evaluate(CONTRAST, 4.5)
        assert found["seen"] >= 8
        low[place] = found["low"]
    assert {place: texts for place, texts in low.items() if texts} == {}


def test_the_measure_of_contrast_sees_grey_on_white(watched: Any, url: str) -> None:
    page = watched.page(url)
    page.wait_for_selector("table")
    page.evaluate(
        "() => { const p = document.createElement('p'); p.textContent = 'pale'; p.className = 'pale'; "
        "p.style.color = '#999'; p.style.background = '#fff'; document.body.append(p); }"
    )
    assert page.evaluate(CONTRAST, 4.5)["low"] == [["pale", "pale", 2.85]]


def test_the_switch_of_the_theme_is_kept(watched: Any, url: str) -> None:
    page = watched.page(url, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(247, 247, 245)"
    page.get_by_role("button", name="Switch to the dark theme").click()
    assert page.evaluate(ground) == "rgb(16, 19, 22)"
    page.reload()
    expect(page.get_by_role("button", name="Switch to the light theme")).to_be_visible()
    assert page.evaluate(ground) == "rgb(16, 19, 22)"


def test_nothing_is_wider_than_a_telephone(watched: Any, url: str) -> None:
    page = watched.page(url, viewport={"width": 390, "height": 844})
    widths = {}
    for place in PLACES:
        arrive(page, place)
        widths[place] = page.evaluate("document.documentElement.scrollWidth")
    assert widths == dict.fromkeys(PLACES, 390)


def test_what_is_empty_says_so(watched: Any, url: str, data: dict[str, Any]) -> None:
    data["runs"] = {"runs": []}
    data["runs/r1/episodes"] = {"total": 0, "page": 0, "size": 50, "rows": []}
    data["runs/r1/metrics"] = {"last": 0, "names": [], "series": {}}
    data["runs/r1/tree"] = {"nodes": []}
    page = watched.page(url)
    expect(page.get_by_text("There are no runs here yet.")).to_be_visible()
    for place, sentence in {
        "#/run/r1/episodes?text=zebra": "No episode fits these filters.",
        "#/run/r1": "This run has written no metrics yet.",
        "#/run/r1/tree/g1": "No episode of this group has been written down.",
        "#/run/r1/diff": "Choose two steps and press Play.",
        "#/no/such/place": "No page has this address.",
    }.items():
        page.evaluate("hash => { location.hash = hash; }", place)
        expect(page.get_by_text(sentence)).to_be_visible()


def test_what_fails_says_what_the_server_said_and_can_be_tried_again(
    watched: Any, url: str, data: dict[str, Any]
) -> None:
    watched.expected = ("Failed to load resource",)
    good = data["runs"]
    data["runs"] = (500, {"error": "The folder runs/ cannot be read."})
    page = watched.page(url)
    expect(page.get_by_role("alert")).to_contain_text("The folder runs/ cannot be read.")
    data["runs"] = good
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="one", exact=True)).to_be_visible()
    data["runs/r1"] = (401, {})
    page.get_by_role("link", name="one", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("open the address with ?token=")


def test_a_server_that_is_gone_is_told(watched: Any, url: str) -> None:
    watched.expected = ("Failed to load resource",)
    page = watched.page(url)
    page.wait_for_selector("table")
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_role("link", name="one", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer. Is `turnwise view` still running?")


def test_curves_grow_while_a_run_goes_on(watched: Any, url: str, data: dict[str, Any]) -> None:
    page = watched.page(url + PLACES["run"])
    chart = page.locator("[data-chart='Entropy and KL']")
    assert chart.locator(".legend span").get_attribute("data-value") == "1"
    data["runs/r1/metrics"] = {"last": 4, "names": data["runs/r1/metrics"]["names"], "series": {"entropy": [[4, 0.75]]}}
    data["runs/r1"] = {
        **data["runs/r1"],
        "status": "done",
        "headline": {"name": "not_lost", "value": 1.0, "lower_is_better": False},
    }
    expect(chart.locator(".legend span")).to_have_attribute("data-value", "0.75")
    expect(page.locator("[data-headline]")).to_have_attribute("data-headline", "1")
    assert chart.locator("path").get_attribute("d").count("L") == 3


def test_a_chart_tells_the_values_of_the_step_under_pointer_and_keys(watched: Any, url: str) -> None:
    page = watched.page(url + PLACES["run"])
    chart = page.locator("[data-chart='Return per game']")
    picture = chart.locator("svg")
    box = picture.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * (46 + 364 / 2) / 420, box["y"] + 20)  # the middle of the axis: step 2
    assert chart.locator(".hint").inner_text() == "step 2"
    assert chart.locator(".legend span").all_inner_texts() == ["player_0 0.25", "player_1 −0.25"]
    picture.focus()
    page.keyboard.press("Home")
    assert chart.locator(".hint").inner_text() == "step 1"
    page.keyboard.press("End")
    assert chart.locator(".legend span").all_inner_texts() == ["player_0 0.5", "player_1 −0.5"]


def test_metrics_are_chosen_and_stand_in_the_address(watched: Any, url: str) -> None:
    page = watched.page(url + PLACES["run"])
    page.get_by_text("Choose metrics").click()
    assert page.locator("[data-chart='time/step']").count() == 0
    page.get_by_label("time/step").check()
    expect(page.locator("[data-chart='time/step'] .legend")).to_have_text("2")
    page.get_by_role("checkbox", name="entropy").uncheck()
    page.reload()
    expect(page.locator("[data-chart='time/step']")).to_be_visible()
    assert page.locator("[data-chart='Entropy and KL']").count() == 0


def test_boards_are_drawn_as_they_are(watched: Any, url: str) -> None:
    page = watched.page(url + PLACES["transcript"])
    page.wait_for_selector(".turn .board")
    tic = page.locator("[data-turn='0'] .board")
    assert [tic.locator(f".{tone} .mark").count() for tone in ("first", "second")] == [1, 1]
    assert tic.locator(".cell").all_inner_texts() == ["", "", "3"]
    assert tic.locator(".last.second").count() == 1
    assert tic.locator("figcaption").inner_text() == "x to move."
    assert page.locator("[data-turn='1'] .disc").count() == 2
    chess = page.locator("[data-turn='2'] .board")
    assert chess.locator(".cell").all_inner_texts() == [cell["text"] for row in BOARDS[2]["cells"] for cell in row]
    assert chess.locator(".cell.light").count() == chess.locator(".cell.dark").count() == 32
    assert chess.locator(".label").all_inner_texts() == [*"87654321", "", *"abcdefgh"]
    cards = page.locator("[data-turn='4'] .board")
    assert cards.locator(".playing-card").all_inner_texts() == ["10♥", ""]
    assert cards.locator(".playing-card.red").count() == cards.locator(".back").count() == 1
    assert page.locator("[data-turn='5'] .board pre").inner_text() == "a room\n  exits: north"
    assert page.locator("[data-turn='6'] .board").count() == 0
    assert page.locator(".ending .board").count() == 1


def test_a_turn_shows_what_was_read_thought_called_and_refused(watched: Any, url: str) -> None:
    page = watched.page(url + PLACES["transcript"])
    first = page.locator("[data-turn='0']")
    expect(first.get_by_text("You are asked for turn 0.")).to_be_visible()
    expect(first.get_by_text("The centre is best.")).to_be_hidden()
    first.get_by_text("Thinking (19 characters)").click()
    expect(first.get_by_text("The centre is best.")).to_be_visible()
    called = page.locator("[data-turn='2'] .tool")
    assert called.locator("pre").all_inner_texts() == ['{\n  "query": "ttt"\n}', "3 results"]
    assert page.locator("[data-turn='2'] [data-advantage]").get_attribute("data-advantage") == "-1"
    beam = page.locator("[data-turn='0'] .beam > i")
    assert beam.evaluate("node => node.style.getPropertyValue('--part')") == "0.5"
    fork = page.locator("[data-turn='4']").get_by_role("link", name="a fork goes another way here")
    assert fork.get_attribute("href") == "#/run/r1/episode/k2?turn=4"
    assert "Refused (illegal) 9" in page.locator("[data-turn='3'] .done").inner_text()
    assert page.locator("[data-turn='4'] .done").inner_text() == "No action could be read from this reply."
    long = page.locator("[data-turn='5'] .reply")
    assert len(long.locator("pre").inner_text()) == 701
    long.get_by_role("button", name="Show all 2,000 characters").click()
    assert long.locator("pre").text_content() == "long " * 400


QUANTITIES = {
    "advantage": ["0.75", "-1.5", "0", None],
    "logprob": ["-0.5", "-2", "-0.5", "-0.5"],
    "entropy": ["1.5", "0", "1.5", None],
    "ratio": [1.1331484530668263, 0.7788007830714049, 1.1331484530668263, None],  # exp(1/8), exp(-1/4)
    "mismatch": [1.2840254166877414, 5.754602676005731, 1.2840254166877414, 1.2840254166877414],  # exp(1/4), exp(7/4)
    "mask": ["1", "1", "1", "0"],
}
WEIGHTS = {
    "advantage": [0.5, 1, 0, 0],
    "logprob": [0.25, 1, 0.25, 0.25],
    "entropy": [1, 0, 1, 0],
    "ratio": [0.5, 1, 0.5, 0],
    "mismatch": [0.1429, 1, 0.1429, 0.1429],
    "mask": [1, 1, 1, 0],
}


def test_tokens_are_coloured_by_what_they_are_worth(watched: Any, url: str) -> None:
    page = watched.page(url + PLACES["advantage"])
    tokens = page.locator("[data-turn='0'] .token")
    expect(tokens).to_have_count(len(TOKENS))
    for name, values in QUANTITIES.items():
        page.get_by_label("Coloured by").select_option(name)
        told = [tokens.nth(at).get_attribute("data-value") for at in range(len(TOKENS))]
        for value, wanted in zip(told, values, strict=True):
            assert value == wanted or float(value or "nan") == pytest.approx(wanted, rel=1e-12)
        weights = tokens.evaluate_all("nodes => nodes.map(node => Number(node.style.getPropertyValue('--w')))")
        assert weights == WEIGHTS[name]
    assert page.locator("[data-turn='0'] .token.untrained").count() == 1
    assert tokens.all_text_contents() == ["I", "·play", "↵\n", "[5]"]


def test_tokens_go_blue_below_and_orange_above_and_tell_exact_values(watched: Any, url: str) -> None:
    page = watched.page(url + PLACES["advantage"])
    tokens = page.locator("[data-turn='0'] .token")
    expect(tokens).to_have_count(len(TOKENS))
    sides = tokens.evaluate_all(
        "nodes => nodes.map(node => ['plus', 'minus'].find(side => node.classList.contains(side)) ?? null)"
    )
    assert sides == ["plus", "minus", "plus", None]
    detail = page.locator("[data-turn='0'] .detail")
    tokens.nth(1).hover()
    assert detail.inner_text() == (
        '" play" id 7 · token 2 · trained · log p sampled −2 · log p before the update −0.25 · log p after −0.5'
        " · entropy 0 · advantage −1.5 · ratio 0.778801 · mismatch 5.7546"
    )
    page.mouse.move(5, 5)
    page.locator("[data-turn='0'] .tokens").focus()
    page.keyboard.press("End")
    assert detail.inner_text().startswith('"[5]" id 7 · token 4 · not trained')
    page.keyboard.press("ArrowLeft")
    assert detail.inner_text().startswith('"\\n" id 7 · token 3 · trained')


def test_the_legend_says_what_full_colour_is(watched: Any, url: str) -> None:
    page = watched.page(url + PLACES["advantage"])
    assert page.locator(".scale").inner_text().split("\n") == [
        "−1.5",
        "1.5",
        "task units",
        "· grey letters: not trained",
    ]
    page.get_by_label("Coloured by").select_option("ratio")
    assert page.locator(".scale").inner_text().split("\n")[:2] == ["0.779", "1.28"]
    assert page.url.endswith("color=ratio")
    page.get_by_role("button", name="Text", exact=True).click()
    assert page.locator(".token").count() == 0
    assert page.locator("[data-turn='0'] .reply pre").inner_text() == "I play\n[5]"


def test_a_tree_shows_where_episodes_part(watched: Any, url: str) -> None:
    watched.expected = ("Failed to load resource",)  # the parent is not among the canned answers
    page = watched.page(url + PLACES["tree"])
    page.wait_for_selector(".lanes")
    told = [" ".join(text.split()) for text in page.locator(".lanes li").all_inner_texts()]
    assert told == ["root root, 4 turns a +1", "fork fork of root at turn 3, 3 turns a 0", "orphan root, 2 turns a 0"]
    assert [page.locator(f"[data-lane='{key}'] circle").count() for key in ("k0", "k1", "k9")] == [4, 1, 2]
    assert page.locator("[data-lane='k1'] .dot.plus").evaluate("node => node.style.getPropertyValue('--w')") == "1.000"
    page.get_by_role("link", name="fork", exact=True).click()
    page.wait_for_selector(".turn")
    assert page.url.endswith("#/run/r1/episode/k1?turn=2")
    expect(page.locator("[data-turn='2']")).to_be_focused()
    page.wait_for_timeout(100)
    top = page.locator("[data-turn='2']").bounding_box()
    assert top is not None and 0 <= top["y"] < 200
    page.get_by_role("link", name="its parent at turn 3").click()
    assert page.url.endswith("#/run/r1/episode/k0?turn=2")


def test_a_pair_of_games_marks_its_first_difference(watched: Any, url: str) -> None:
    page = watched.page(url + "#/run/r1/diff")
    page.get_by_label("Second").select_option("3")
    page.get_by_role("button", name="Play").click()
    page.wait_for_selector(".pair .turn")
    assert "+1 +0.5 to +1.5" in page.locator(".facts").inner_text()
    assert "Step 3 is better." in page.locator(".verdict").inner_text()
    assert page.locator("tbody td").all_inner_texts() == ["seed 5", "player_0", "0", "+1", "+1", "2"]
    marked = page.locator(".pair.parts")
    assert marked.count() == 1
    assert marked.locator(".turn").first.get_attribute("data-turn") == "2"
    assert marked.locator(".chip.warn").all_inner_texts() == ["first difference", "first difference"]


def test_no_page_makes_markup_out_of_text() -> None:
    ways = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|\beval\("
        r"|new Function|srcdoc\s*="
    )
    found = {path.name: ways.findall(path.read_text()) for path in ASSETS.glob("*.js")}
    assert {name: ways for name, ways in found.items() if ways} == {}
    index = (ASSETS / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*src=)|\son\w+=|style=|https?:", index) == []
