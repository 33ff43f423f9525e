"""Puzzles for one seat."""

from __future__ import annotations

from turnwise.envs.spec import GameSpec

SPECS = (
    GameSpec(
        id="Game2048-LLM",
        entry_point="turnwise.envs.puzzles.game_2048:Game2048",
        summary="2048: slide and merge tiles up to a target",
        family="puzzles",
    ),
    GameSpec(
        id="Sokoban-LLM",
        entry_point="turnwise.envs.puzzles.sokoban:Sokoban",
        summary="Sokoban in generated rooms that can all be solved",
        family="puzzles",
    ),
    GameSpec(
        id="Minesweeper-LLM",
        entry_point="turnwise.envs.puzzles.minesweeper:Minesweeper",
        summary="Minesweeper with a safe opening, on fields where nothing has to be guessed",
        family="puzzles",
    ),
    GameSpec(
        id="Sudoku-LLM",
        entry_point="turnwise.envs.puzzles.sudoku:Sudoku",
        summary="Sudoku with one solution, 4x4 to 9x9",
        family="puzzles",
    ),
    GameSpec(
        id="GuessTheNumber-LLM",
        entry_point="turnwise.envs.puzzles.guess_the_number:GuessTheNumber",
        summary="find a number by asking higher or lower",
        family="puzzles",
    ),
)
