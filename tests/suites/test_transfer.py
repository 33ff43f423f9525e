"""Transfer: the questions and their answers, and lm-eval asking a model of ours without a network."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.compose import options
from turnwise.algorithms.suites.definition import raw_suite
from turnwise.algorithms.suites.transfer.definition import TransferTask, read_transfer
from turnwise.algorithms.suites.transfer.items import MAKERS, NO, OPEN, ORDERS, YES, arithmetic, logic, null_scores


def numbers(text: str) -> list[int]:
    return [int(word) for word in re.findall(r"\d+", text)]


def solve(question: str) -> int:
    """The answer worked out again from the words."""
    found = numbers(question)
    if "finds" in question:
        return found[0] - found[1] + found[2]
    if "boxes" in question:
        return found[0] * found[1] + found[2]
    if "shares" in question:
        return (found[0] - found[1]) // found[2]
    return found[4] - found[0] * found[1] - found[2] * found[3]


def test_arithmetic_has_the_right_answers() -> None:
    items = arithmetic(80, 3)
    assert [int(item["answer"]) for item in items] == [solve(item["question"]) for item in items]
    assert min(int(item["answer"]) for item in items) >= 0
    assert len({item["question"] for item in items}) == 80


def test_rows_of_people_have_the_right_answers() -> None:
    for item in logic(80, 3)[1::2]:
        told = re.findall(r"(\w+) is \w+ than (\w+)\.", item["question"])
        people = {name for pair in told for name in pair}
        (row,) = [row for row in permutations(people) if all(row.index(a) < row.index(b) for a, b in told)]
        first = any(f"the {order[1]}?" in item["question"] for order in ORDERS)
        assert item["choices"][item["answer"]] == (row[0] if first else row[-1])
        assert sorted(item["choices"]) == sorted(people)


def test_what_follows_for_kinds() -> None:
    right = {"All": YES, "No": NO, "Some": OPEN}
    for item in logic(80, 3)[::2]:
        word = item["question"].split(". ")[1].split()[0]
        assert item["choices"][item["answer"]] == right[word]


@pytest.mark.parametrize("made", sorted(MAKERS))
def test_questions_follow_from_the_seed(made: str) -> None:
    assert MAKERS[made](20, 1) == MAKERS[made](30, 1)[:20]
    assert MAKERS[made](20, 1) != MAKERS[made](20, 2)


def test_agents_without_skill_by_hand() -> None:
    items = [
        {"id": 0, "question": "Ada has 3 pens and 4 more.", "answer": "7"},
        {"id": 1, "question": "Ben pays 9.", "answer": "9"},
        {"id": 2, "question": "Cleo has 2 and 5.", "answer": "7"},
    ]
    found = null_scores("arithmetic", items)
    assert found["constant"] == {"0": 1.0, "1": 0.0, "2": 1.0}
    assert found["copy"] == {"0": 0.0, "1": 1.0, "2": 0.0}
    assert set(found["empty"].values()) == {0.0}
    assert set(null_scores("logic", logic(6, 0))["random"].values()) == {1 / 3, 1 / 4}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "`made` .* or `task`"),
        ({"made": "arithmetic", "task": "gsm8k"}, "`made` .* or `task`"),
        ({"made": "arithmatic"}, "did you mean 'arithmetic'"),
        ({"task": "gsm8k"}, "would download the data of gsm8k, and suites read local files alone"),
        ({"task": "gsm8k", "data": "/nowhere"}, "data is a path that exists: got /nowhere"),
    ],
)
def test_what_is_no_task(fields: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TransferTask(**fields)


def test_the_suite_can_be_read() -> None:
    assert "transfer" in options("suite")
    suite = read_transfer(raw_suite("transfer", ["suite.items=7"]))
    assert (suite.items, list(suite.tasks)) == (7, ["arithmetic", "logic"])


def test_only_models_in_folders_are_asked(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "asks models in folders: random is none" in refused("eval", "random", "suite=transfer", "--out", tmp_path)


def test_a_run_is_asked_offline_and_once(
    command: Callable[..., Any], finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    own = tmp_path / "own"
    own.mkdir()
    (own / "data.jsonl").write_text('{"q": "1 + 1 =", "a": "2"}\n{"q": "2 + 2 =", "a": "4"}\n')
    (own / "sums.yaml").write_text(
        f"task: sums\ndataset_path: json\ndataset_kwargs: {{data_files: {{test: {own}/data.jsonl}}}}\n"
        "test_split: test\noutput_type: multiple_choice\ndoc_to_text: '{{q}}'\ndoc_to_choice: ['2', '4']\n"
        "doc_to_target: \"{{['2', '4'].index(a|string)}}\"\nmetric_list: [{metric: acc}]\n"
    )
    words = ("eval", finished_run, f"{finished_run}:4", "suite=transfer", "suite.items=4", "--out", tmp_path / "out")
    done = command(*words, "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["questions_asked_now"] == 2 * 2 * 4
    for one in result["players"]:
        assert {name: of["questions"] for name, of in one["tasks"].items()} == {"arithmetic": 4, "logic": 4}
        assert all(of["interval"][0] <= of["value"] <= of["interval"][1] for of in one["tasks"].values())
    (compared,) = result["comparisons"]
    before, after = (one["tasks"]["logic"]["value"] for one in result["players"])
    assert compared["tasks"]["logic"]["mean"] == pytest.approx(before - after)
    more = json.loads(command(*words, f"suite.tasks.sums={{task: sums, include: {own}}}", "--json").stdout)
    assert more["questions_asked_now"] == 2 * 2  # the others were asked before
    assert set(more["players"][0]["tasks"]) == {"arithmetic", "logic", "sums"}
    again = command(*words)
    assert again.exit_code == 0
    assert "best null" in again.stdout
