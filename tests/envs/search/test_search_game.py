"""SearchQA: scores by hand, files of one's own, and an expert who finds every answer."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.envs.search.corpora import FileCorpus, read_questions
from turnwise.envs.search.game import search_qa
from turnwise.envs.search.passages import Passage
from turnwise.envs.search.scoring import exact_match, token_f1


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path_factory.getbasetemp() / "search-cache"))


@pytest.mark.parametrize(
    ("answer", "gold", "em", "f1"),
    [
        ("The Eiffel Tower!", ["eiffel tower"], 1.0, 1.0),
        ("tower of Eiffel", ["Eiffel Tower"], 0.0, 0.8),  # 2 shared of 3 and 2: 2 * 2 / 5
        ("a cat cat", ["cat dog"], 0.0, 0.5),
        ("x", ["y", "x z"], 0.0, 2 / 3),
        ("", ["the"], 1.0, 1.0),
        ("", ["x"], 0.0, 0.0),
    ],
)
def test_scores(answer: str, gold: list[str], em: float, f1: float) -> None:
    assert exact_match(answer, gold) == em
    assert token_f1(answer, gold) == pytest.approx(f1)


@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_the_expert_finds_every_answer(level: str) -> None:
    game = search_qa(level=level)
    hops = set()
    for seed in range(20):
        game.start(np.random.default_rng(seed))
        texts, step = [], None
        while game.seat:
            texts.append(game.observe("player_0"))
            step = game.play(game.solution()[0])
        assert step is not None and step.rewards == {"player_0": 1.0} and step.info["exact_match"] == 1.0
        assert game.ground_truth() in texts[-1]  # the last passages prove the answer
        assert game.ground_truth() not in texts[0]
        hops.add(game.task)
    assert hops == {"easy": {"1 hop"}, "medium": {"2 hop"}, "hard": {"3 hop", "4 hop"}}[level]


def test_a_search_shows_numbered_passages_and_costs() -> None:
    game = search_qa(size=200, search_cost=0.05, searches=1, top_k=2)
    game.start(np.random.default_rng(0))
    step = game.play("<search>Krobliokea headquarters</search>")
    assert step.rewards == {"player_0": -0.05}
    lines = game.observe("player_0").splitlines()
    assert lines[1].startswith("(1) Krobliokea: ") and lines[2].startswith("(2) ")
    game.play("<search>x</search>")
    assert "all 1 calls of search are used up" in game.observe("player_0")
    assert game.play("<answer>no</answer>").rewards == {"player_0": 0.0}
    assert game.utility_bounds == (-0.05, 1.0)


def test_search_and_python_in_one_environment() -> None:
    game = search_qa(size=200, python=True, searches=2)
    game.start(np.random.default_rng(0))
    assert [schema["function"]["name"] for schema in game.tools()] == ["search", "python"]
    step = game.play("<search>Krobliokea founding year</search><python>print(1830 + 12)</python>")
    assert len(step.info["tool_calls"]) == 2
    text = game.observe("player_0")
    assert "(1) Krobliokea: " in text and text.endswith('<tool_response name="python">\n1842\n</tool_response>')
    game.play("```python\nprint('fenced')\n```")
    assert "\nfenced\n" in game.observe("player_0")


def test_a_query_that_finds_nothing_says_so() -> None:
    game = search_qa(size=200)
    game.start(np.random.default_rng(0))
    game.play("<search>qqq</search>")
    assert "nothing was found" in game.observe("player_0")


def test_f1_as_the_reward() -> None:
    game = search_qa(size=200, reward="f1")
    game.start(np.random.default_rng(1))
    step = game.play(f"<answer>{game.ground_truth()} indeed</answer>")
    assert 0.6 < step.rewards["player_0"] < 1.0 and step.info["exact_match"] == 0.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"level": "hrad"}, "level is one of easy, medium, hard: got 'hrad'"),
        ({"reward": "bleu"}, "reward is one of em, f1"),
        ({"size": 10}, "from 200 to 100,000: got 10"),
        ({"top_k": 0}, "top_k is at least 1"),
        ({"corpus": "x.jsonl"}, "needs questions"),
        ({"retriever": "google"}, "retriever is bm25"),
    ],
)
def test_settings_are_checked_when_the_game_is_made(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search_qa(**kwargs)  # type: ignore[arg-type]


def test_it_passes_the_official_checkers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api_test(turnwise.aec_env("SearchQA-LLM", size=200), num_cycles=30)
    seed_test(lambda: turnwise.aec_env("SearchQA-LLM", size=200), num_cycles=20)
    check_env(gym.make("SearchQA-LLM", size=200).unwrapped)


def test_a_game_is_pickled_with_settings_not_with_passages() -> None:
    game = search_qa(size=2000)
    game.start(np.random.default_rng(0))
    stored = pickle.dumps(game)
    assert len(stored) < 10_000
    twin = pickle.loads(stored)
    for one in (game, twin):
        one.play(one.solution()[0])
    assert twin.observe("player_0") == game.observe("player_0")


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_corpus_and_questions_of_one_s_own(tmp_path: Path) -> None:
    wiki = [{"id": "0", "contents": '"Bern"\nBern is the capital of Switzerland.'}, {"title": "Oslo", "text": "Fjord."}]
    (tmp_path / "wiki.jsonl").write_text("".join(json.dumps(line) + "\n" for line in wiki) + "\n")
    (tmp_path / "nq.jsonl").write_text('{"question": "Capital of Switzerland?", "golden_answers": ["Bern", "Berne"]}\n')
    game = search_qa(corpus=str(tmp_path / "wiki.jsonl"), questions=str(tmp_path / "nq.jsonl"))
    game.start(np.random.default_rng(0))
    assert game.observe("player_0").endswith("Question: Capital of Switzerland?")
    game.play("<search>capital of Switzerland</search>")
    assert "(1) Bern: Bern is the capital of Switzerland." in game.observe("player_0")
    assert game.play("<answer>berne</answer>").rewards == {"player_0": 1.0}


def test_a_corpus_of_either_form_and_file(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"title": ["A", "B"], "text": ["a", "b"]}), tmp_path / "c.parquet")
    (tmp_path / "c.jsonl").write_text('{"title": "A", "text": "a"}\n{"contents": "\\"B\\"\\nb"}')
    for name in ("c.parquet", "c.jsonl"):
        corpus = FileCorpus(tmp_path / name)
        assert list(corpus) == [Passage("A", "a"), Passage("B", "b")]
        assert list(pickle.loads(pickle.dumps(corpus))) == list(corpus)


def test_a_bad_passage_is_found_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(b'{"title": "A", "text": "a"}\n{"name": "B"}\n\xff\n')
    corpus = FileCorpus(tmp_path / "c.jsonl")
    with pytest.raises(ValueError, match=r"c\.jsonl, line 2: a passage has"):
        corpus[1]
    with pytest.raises(ValueError, match=r"c\.jsonl, line 3: "):
        corpus[2]
    with pytest.raises(ValueError, match=r"a file .jsonl or .parquet"):
        FileCorpus(tmp_path / "c.csv")
    with pytest.raises(FileNotFoundError):
        FileCorpus(tmp_path / "absent.jsonl")


def test_questions_in_every_form(tmp_path: Path) -> None:
    hotpot = [{"_id": "1", "question": "Q1?", "answer": "yes", "level": "hard"}]
    (tmp_path / "hotpot.json").write_text(json.dumps(hotpot))
    (tmp_path / "nq.jsonl").write_text('{"question": "Q2?", "answer": ["a", "b"]}\n\n')
    assert read_questions(tmp_path / "hotpot.json") == [("Q1?", ("yes",))]
    assert read_questions(tmp_path / "nq.jsonl") == [("Q2?", ("a", "b"))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"question": "Q?", "answer": "x"}\n{"question": 3}', "record 2: a record has"),
        ('{"question": "Q?", "answer": []}', 'record 1: "answer" or "golden_answers" is a text or a list'),
        ('{"question": "Q?"\n', "record 1: not JSON"),
        ("", "holds no questions"),
    ],
)
def test_a_bad_question_is_found_by_its_number(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "q.jsonl").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_questions(tmp_path / "q.jsonl")
