"""What docs/ says of the methods is so: every recipe and part is there, and every figure is that of the benchmarks."""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.catalogue import catalogue
from turnwise.algorithms.corrections import CORRECTIONS
from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.guards import GUARDS
from turnwise.algorithms.ratios import RATIOS
from turnwise.algorithms.recipes import AGGREGATIONS
from turnwise.algorithms.rewards import REWARDS
from turnwise.algorithms.shaping import SHAPINGS
from turnwise.envs.catalogue import SPECS

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))  # its scripts import each other by name
credit_table, learn_table = import_module("credit_table"), import_module("learn_table")
PAPER = re.compile(r"arXiv:\d{4}\.\d{5}|doi:\S+|[a-z.]+/[\w/.-]+")
SENTENCE = re.compile(r"^\*Measured \((.+?)\):.*$", re.MULTILINE)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def words(text: str) -> str:
    """The text with every stretch of blanks as one."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = credit_table.read_rows()
    return found


# --- methods ----------------------------------------------------------------------------------------------------------


def test_every_recipe_has_a_paragraph_with_its_paper() -> None:
    paragraphs = page("algorithms.md").split("\n\n")
    for recipe in json.loads(catalogue("algorithms", as_json=True)):
        mine = [text for text in paragraphs if f"`algorithm={recipe['name']}`" in words(text)]
        assert len(mine) == 1, f"docs/algorithms.md has {len(mine)} paragraphs on {recipe['name']}"
        assert mine[0].startswith("**")
        papers = PAPER.findall(recipe["cite"])
        assert papers or recipe["cite"]
        assert [paper for paper in papers if paper not in words(mine[0])] == [], recipe["name"]


@pytest.mark.parametrize(
    "registry",
    [CREDITS, EXPLORERS, REWARDS, SHAPINGS, GUARDS, CORRECTIONS, RATIOS, dict.fromkeys(AGGREGATIONS)],
    ids=["credit", "explore", "rewards", "shaping", "guards", "corrections", "ratios", "aggregate"],
)
def test_every_part_is_named(registry: dict[str, Any]) -> None:
    text = page("algorithms.md")
    recipes = {recipe["name"] for recipe in json.loads(catalogue("algorithms", as_json=True))}
    assert [name for name in registry if f"`{name}`" not in text and name not in recipes and name != "none"] == []


def test_the_front_page_counts_right() -> None:
    text = words((ROOT / "README.md").read_text())
    families = {spec.family for spec in SPECS}
    assert f"It has {len(SPECS)} ids" in text
    assert f"{len(SPECS)} environments of {len(families)} families" in text
    assert f"{len(SPECS)} ids in {len(families)} families" in words(page("environments.md"))
    count = len(list((ROOT / "configs/algorithm").glob("*.yaml")))
    assert f"{count} published methods" in text
    assert f"[{count} recipes](docs/algorithms.md)" in text


# --- credit, measured -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["algorithms.md", "credit.md"])
def test_tables_and_sentences_are_those_of_the_benchmark(name: str, rows: list[dict[str, Any]]) -> None:
    wanted = credit_table.filled(page(name), rows)
    assert page(name) == wanted, "write them with `python benchmarks/credit_table.py --write`"


def test_every_task_has_a_table_and_every_credit_method_a_sentence(rows: list[dict[str, Any]]) -> None:
    for name in ("summary", *{row["task"] for row in rows}):
        assert f"<!-- credit_table: {name} -->" in page("credit.md")
    told = set(SENTENCE.findall(page("algorithms.md")))
    of_method = {row["method"]: row["credit"] for row in rows if "credit" in row}
    assert {of_method[method] for method in told - {"exact"}} | {"tppo"} == set(CREDITS)  # tppo is gae there


def test_a_method_that_was_not_measured_is_no_blank(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(KeyError, match="has no method 'newest'; it has exact, return"):
        credit_table.filled("*Measured (newest): -*\n", rows)
    with pytest.raises(KeyError, match="a table is called summary or Kuhn poker"):
        credit_table.filled("<!-- credit_table: chess -->\n<!-- end -->\n", rows)


def test_a_table_by_hand() -> None:
    row: dict[str, Any] = dict.fromkeys([figure for figure, _ in credit_table.FIGURES.values()], 0.25)
    row |= {"task": "t", "policy": "half-trained", "method": "m", "bias_scaled": 0.5, "bias_scaled_noise": 0.1}
    assert credit_table.table([row], "t").splitlines()[2] == (
        "| m | 0.50* | 0.25 | 0.25 | 0.25 | 0.25 | 25% | 25% | 25% | 25% |"
    )
    left_out = {"task": "t", "policy": "random", "method": "m", "left_out": "why"}
    assert credit_table.sentence([row, left_out], "m") == (
        "*Measured (m): correlation 0.25, cosine 0.25, biased in 1 of 1.*"
    )


# --- what credit.md says of the figures -------------------------------------------------------------------------------


def by_setting(rows: list[dict[str, Any]], figure: str) -> dict[tuple[str, str], dict[str, float]]:
    """(task, policy) -> method -> figure."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in rows:
        if row["method"] != "exact" and "left_out" not in row:
            found.setdefault((row["task"], row["policy"]), {})[row["method"]] = row[figure]
    return found


def mean(rows: list[dict[str, Any]], method: str, figure: str) -> float:
    return float(credit_table.mean(credit_table.measured(rows, method), figure))


def biased_at(rows: list[dict[str, Any]], method: str) -> set[tuple[str, str]]:
    found = credit_table.measured(rows, method)
    return {(row["task"], row["policy"]) for row in found if credit_table.biased(row)}


def test_who_is_unbiased_and_who_is_not(rows: list[dict[str, Any]]) -> None:
    unbiased = ("return", "topr", "rloo", "rae", "gae, exact values", "gae, exact values, lam 1", "spo chain, plain")
    for method in unbiased:
        for row in credit_table.measured(rows, method):
            assert row["bias"] <= 3.0 * row["bias_noise"], (method, row["task"], row["policy"])
    poker = {("Kuhn poker", policy) for policy in ("random", "half-trained", "near-optimal")}
    for method in ("grpo", "gdpo", "hapo", "arpo, soft", "arpo, hard"):
        assert biased_at(rows, method) == poker


def test_a_mean_that_counts_the_episode_itself_changes_the_scale_alone(rows: list[dict[str, Any]]) -> None:
    for method in ("grpo, no division", "canon"):
        for row, other in zip(credit_table.measured(rows, method), credit_table.measured(rows, "rloo"), strict=True):
            assert row["scale"] == pytest.approx(other["scale"] * 8 / 7, rel=1e-3)
            for figure in ("bias_scaled", "correlation", "gradient_cosine", "sign_errors", "decisive_share"):
                assert row[figure] == pytest.approx(other[figure], abs=1e-3)


def test_the_sentences_about_the_figures(rows: list[dict[str, Any]]) -> None:
    text = words(page("credit.md"))
    chain, fitted = ("spo chain", "spo chain, plain"), "gae, fitted values"
    sees, learns = by_setting(rows, "correlation"), by_setting(rows, "gradient_cosine")
    best = sum(max(methods, key=methods.__getitem__) in chain for methods in sees.values())
    worst = sum(min(methods, key=methods.__getitem__) in chain for methods in learns.values())
    poker, fork = (
        learns["Kuhn poker", "near-optimal"],
        by_setting(rows, "decisive_share")["bifurcation", "half-trained"],
    )
    for said in (
        f"GRPO's cosine falls to {poker['grpo']:.2f}, against {poker['rloo']:.2f} of RLOO",
        f"best correlation of all methods in {best} of {len(sees)} settings",
        f"lowest cosine of all in {worst} of {len(learns)}",
        f"{mean(rows, 'spo chain', 'extra_tokens'):.0%} of its tokens go into continuations "
        f"({mean(rows, 'spo chain, plain', 'extra_tokens'):.0%} with every state valued)",
        f"SPO-tree is biased in {len(biased_at(rows, 'spo tree'))} of {len(sees)}",
        f"On {mean(rows, 'spo tree', 'silent'):.0%} of the turns that matter it is silent",
        f"IGPO is biased in {len(biased_at(rows, 'igpo'))} of {len(credit_table.measured(rows, 'igpo'))}",
        f"GRPO and RLOO put {fork['grpo']:.0%} on the decisive turn of six",
        f"GiGPO puts {fork['gigpo']:.0%} there, GAE with exact values {fork['gae, exact values']:.0%}, "
        f"SPO-chain {fork['spo chain']:.0%}",
        f"correlation {mean(rows, fitted, 'correlation'):.2f} against {mean(rows, 'rloo', 'correlation'):.2f} of RLOO, "
        f"cosine {mean(rows, fitted, 'gradient_cosine'):.2f} against {mean(rows, 'rloo', 'gradient_cosine'):.2f}",
    ):
        assert said in text
    assert fork["grpo"] == fork["rloo"] == pytest.approx(1 / 6, rel=1e-3)


def test_the_benchmark_is_told_as_it_was_run() -> None:
    found, text = json.loads(credit_table.RESULTS.read_text()), words(page("credit.md"))
    assert f"takes {found['seconds'] / 60:.0f} minutes" in text
    assert f"samples {found['batches']} batches of {found['tokens_per_batch']:,} tokens" in text
    assert f"Groups are of {found['group_size']}" in text


# --- learning, compared -----------------------------------------------------------------------------------------------


def test_the_page_on_learning_names_every_task() -> None:
    from turnwise.algorithms.bench.learn import table

    assert [name for name in table().tasks if f"`{name}`" not in page("learning.md")] == []


def test_the_page_on_learning_has_the_figures_of_its_results() -> None:
    if not learn_table.RESULTS.exists():
        assert "<!-- learn_table: claims -->\n<!-- end -->" in page("learning.md")
        return
    wanted = learn_table.filled(page("learning.md"), json.loads(learn_table.RESULTS.read_text()))
    assert page("learning.md") == wanted, "write them with `python benchmarks/learn_table.py --write`"


def test_a_result_as_a_page() -> None:
    spread = {"mean": 0.5, "std": 0.25, "values": [0.25, 0.75]}
    verdict = {"difference": 0.125, "error": 0.0625, "verdict": "not seen at this scale"}
    method = {"task": "kuhn", "method": "rae", "figure": "nash_conv", "runs": 2, "tokens": 2000.0, "answered": 0.0}
    result = {
        "command": "turnwise bench learn",
        "commit": "0123456789abcdef",
        "machine": {"cpu": "a processor"},
        "quick": False,
        "seeds": [0, 1],
        "rule": "a rule.",
        "failures": [],
        "claims": [{"claim": "RAE helps.", "source": "a paper", "kind": "at_half_the_calls", **verdict}],
        "methods": [{**method, "start": spread, "final": spread, "mean": spread, "steps": 10.0}],
    }
    text = learn_table.filled(page("learning.md"), result)
    assert "`turnwise bench learn`, commit `0123456789`, a processor; seeds 0, 1." in text
    assert "| RAE helps. | not seen at this scale (+0.125, standard error 0.062) |  | a paper |" in text
    assert "### Kuhn: Kuhn poker by self-play\n\n![NashConv over sampled tokens](learn_kuhn.png)" in text
    assert "| rae | 2 | 0.500 ± 0.250 | 0.500 ± 0.250 | 0.500 ± 0.250 | 2,000 | 0 | 10 |" in text
    assert learn_table.filled(text, result) == text
