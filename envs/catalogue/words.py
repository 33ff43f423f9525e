"""Word games."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS: tuple[GameSpec, ...] = (
    GameSpec(
        id="Wordle-LLM",
        entry_point="turnwise.envs.words.wordle:wordle",
        family="words",
        summary="Find a word by guessing words; letters are marked right, elsewhere or absent.",
    ),
    GameSpec(
        id="Mastermind-LLM",
        entry_point="turnwise.envs.words.mastermind:mastermind",
        family="words",
        summary="Find a code of digits from counts of right and misplaced ones.",
    ),
    GameSpec(
        id="Hangman-LLM",
        entry_point="turnwise.envs.words.hangman:Hangman",
        family="words",
        summary="Find a word letter by letter.",
    ),
    GameSpec(
        id="TwentyQuestions-LLM",
        entry_point="turnwise.envs.words.twenty_questions:TwentyQuestions",
        family="words",
        summary="Find an object by asking what is true of it.",
    ),
)
