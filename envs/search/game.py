"""`search_qa`: a question, a search tool, an answer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from turnwise.envs.arguments import one_of
from turnwise.envs.python_tool.tool import python_tool
from turnwise.envs.search.corpora import read_questions
from turnwise.envs.search.questions import draw_question
from turnwise.envs.search.scoring import exact_match, token_f1
from turnwise.envs.search.sources import Source
from turnwise.envs.search.world import shared_world
from turnwise.envs.tools.calls import write_answer
from turnwise.envs.tools.game import ToolGame, ToolRules
from turnwise.envs.tools.problem import Draw, Problem, Verdict
from turnwise.envs.tools.schema import function_schema
from turnwise.envs.tools.tool import Tool

HOPS = {"easy": (1,), "medium": (2,), "hard": (3, 4)}
"""Level -> numbers of facts that a question takes."""
SCORES = {"em": "exact_match", "f1": "token_f1"}
PROMPTS = {
    "full": (
        "Answer a question by searching a collection of passages; it is about a world that you cannot know from "
        "elsewhere. Search as often as you need, for one thing at a time: a query of a few words finds the passages "
        "that share most words with it. The answer is a name, a word or a year, as the passages write it, no more."
    ),
    "compact": "Search, then answer.",
}


def search_qa(
    *,
    level: str = "easy",
    size: int = 2000,
    world: int = 0,
    corpus: str | None = None,
    questions: str | None = None,
    retriever: str = "bm25",
    embed: Any = None,
    deadline_s: float = 10.0,
    top_k: int = 3,
    turns: int = 8,
    searches: int | None = None,
    search_cost: float = 0.0,
    reward: str = "em",
    python: bool = False,
    prompt: str = "full",
) -> ToolGame:
    """Questions over a collection of passages.

    Args:
        level: easy, medium or hard: 1, 2, or 3 to 4 facts to look up one after the other.
        size: Passages of the closed world, from 200 to 100,000; all about invented things.
        world: Seed of the closed world; the episode's seed draws the question.
        corpus: A file of passages in place of the closed world (`corpora.FileCorpus`); needs `questions`.
        questions: A file of questions and answers (`corpora.read_questions`).
        retriever: bm25, tantivy, dense (with `embed`), or the url of a server that speaks Search-R1's `/retrieve`.
        embed: Texts to vectors, a function of a module.
        deadline_s: Longest time that a server may take for one search, in seconds.
        top_k: Passages that a search returns.
        turns: Replies, after which the episode is truncated.
        searches: Most searches in an episode; None: as many as the turns allow.
        search_cost: Taken from the reward for every search.
        reward: em (exact match) or f1 (token F1) of the answer; both are in the info.
        python: Add the Python tool.
        prompt: full or compact.
    Raises ValueError on an argument that is none of these.
    """
    one_of("level", level, HOPS)
    if corpus is not None and questions is None:
        raise ValueError("a corpus of your own needs questions about it: questions=FILE")
    source = Source(size=size, world=world, corpus=corpus, retriever=retriever, embed=embed, deadline_s=deadline_s)
    draw = _draw(questions, size, world, level, one_of("reward", reward, SCORES))
    tools = [search_tool(source, top_k, cost=search_cost, budget=searches)]
    rules = ToolRules.of(prompt, PROMPTS, turns=turns, fenced="python" if python else None)
    if python:
        tools.append(python_tool())
    return ToolGame(draw, tools, rules=rules, levels=tuple(HOPS) if questions is None else ())


def _draw(questions: str | None, size: int, world: int, level: str, reward: str) -> Draw:
    if questions is not None:
        return FileQuestions(path=questions, reward=reward)
    return WorldQuestions(size=size, world=world, level=level, reward=reward)


def search_tool(source: Source, top_k: int, *, cost: float = 0.0, budget: int | None = None) -> Tool:
    """The tool `search` over a source. Raises ValueError where it would return nothing."""
    if top_k < 1:
        raise ValueError(f"top_k is at least 1: got {top_k}")
    return Tool(
        schema=function_schema(_search, name="search", skip=2),
        run=partial(_search, source, top_k),
        cost=cost,
        budget=budget,
    )


def _search(source: Source, top_k: int, query: str) -> str:
    """Find the passages that share most words with a query.

    Args:
        query: A few words, such as a name and what you want to know of it.
    """
    found = source.open().search(query, top_k)
    return "\n".join(f"({rank}) {title}: {text}" for rank, (title, text) in enumerate(found, 1)) or "nothing was found"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldQuestions:
    """Draws questions about a closed world, with an expert's searches."""

    size: int
    world: int
    level: str
    reward: str

    def __call__(self, rng: np.random.Generator) -> Problem:
        world = shared_world(self.size, self.world)
        hops = HOPS[self.level]
        question = draw_question(world, hops[rng.integers(len(hops))], rng)
        queries = [f"{world.titles[fact.subject]} {fact.relation.keywords}" for fact in question.chain]
        return Problem(
            question=question.text,
            judge=partial(judge, (question.answer,), self.reward),
            truth=question.answer,
            kind=f"{len(question.chain)} hop",
            level=self.level,
            plan=(*(f"<search>{query}</search>" for query in queries), write_answer(question.answer)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileQuestions:
    """Draws questions of a file."""

    path: str
    reward: str

    def __call__(self, rng: np.random.Generator) -> Problem:
        known = _questions(self.path)
        text, answers = known[rng.integers(len(known))]
        return Problem(question=text, judge=partial(judge, answers, self.reward), truth=answers[0], kind="file")


_read: dict[str, list[tuple[str, tuple[str, ...]]]] = {}


def _questions(path: str) -> list[tuple[str, tuple[str, ...]]]:
    """Read once per process."""
    if path not in _read:
        _read[path] = read_questions(path)
    return _read[path]


def judge(gold: tuple[str, ...], reward: str, answer: str, workspace: Any) -> Verdict:
    """Exact match and token F1 of an answer, one of them as the reward."""
    scores = {"exact_match": exact_match(answer, gold), "token_f1": token_f1(answer, gold)}
    return Verdict(scores[SCORES[reward]], scores)
