"""`turnwise play`, the command itself, through pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from turnwise.parquet import read_parquet


def turnwise(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "turnwise", *words],
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_game_by_pipe(tmp_path: Path) -> None:
    words = ("play", "KuhnPoker-LLM", "--opponent", "random", "--seat", "0", "--seed", "1")
    done = turnwise(tmp_path, *words, typed="bet\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Your turn: 1:check  2:bet" in done.stdout
    assert "You win. Returns: player_0 +1, player_1 -1." in done.stdout
    (file,) = (tmp_path / "runs/play/episodes").glob("*.parquet")
    (episode,) = read_parquet(file)
    assert [turn.text for turn in episode.turns] == ["[bet]", "[fold]"]


def test_json_is_all_that_stdout_holds(tmp_path: Path) -> None:
    done = turnwise(
        tmp_path, "play", "Sokoban-LLM", "--seed", "1", "--json", "--out", "kept", "--kwarg", "level=medium"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["over"], found["outcome"], found["saved"]) == (True, "truncated", None)
    assert "Your turn: " in done.stderr


def test_what_cannot_be_played_is_told_in_one_line(tmp_path: Path) -> None:
    done = turnwise(tmp_path, "play", "KuhnPoker", "--seat", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("turnwise: no environment is called 'KuhnPoker'; did you mean")
    assert done.stderr.count("\n") == 1


def test_ctrl_c_saves_what_was_played(tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["3", KeyboardInterrupt()])

    def read() -> str:
        word = next(typed)
        if isinstance(word, KeyboardInterrupt):
            raise word
        return word

    monkeypatch.setattr("builtins.input", read)
    done = command("play", "ConnectFour-LLM", "--seed", "1", "--out", tmp_path)
    assert done.exit_code == 130
    (file,) = (tmp_path / "episodes").glob("*.parquet")
    assert done.stderr == f"turnwise: stopped; transcript: {file}\n"
    assert read_parquet(file)[0].status == "truncated"
