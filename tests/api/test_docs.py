"""What docs/api.md prints is run as it stands there, with a server of ours behind the address."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback_server import Answer, Seen, Server, anthropic, chat

from turnwise.algorithms.compose import compose, run_settings

DOC = Path(__file__).resolve().parent.parent.parent / "docs/api.md"
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC.read_text(), re.DOTALL)


def commands(name: str) -> list[list[str]]:
    """The words of every command that begins like this, lines with a backslash joined."""
    lines = [line for block in blocks("bash") for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line)[2:] for line in lines if line.startswith(f"turnwise {name}")]


def either(seen: Seen) -> Answer:
    said = "[check]"
    return anthropic({"type": "text", "text": said}) if seen.path == "/v1/messages" else chat(said)


LOCAL = [words for words in commands("eval") if any(ADDRESS in word for word in words)]


@pytest.mark.parametrize("words", LOCAL, ids=lambda words: words[0])
def test_evaluations_of_a_server_of_this_machine_run(
    words: list[str], server: Server, command: Callable[..., Any]
) -> None:
    server.answer = either
    result = command("eval", *[word.replace(ADDRESS, server.root) for word in words])
    assert result.exit_code == 0, result.output
    assert server.seen


def test_settings_of_training_are_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    found = [run_settings(compose(words)) for words in commands("train")]
    assert [settings.agent.opponent for settings in found] == ["openai:gpt-5-mini", "self"]
    assert [settings.engine.name for settings in found] == ["local", "openai"]


def test_the_judge_judges(server: Server) -> None:
    server.answer = lambda seen: chat("[player_1]")
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(code.replace(ADDRESS, server.root), names)
    game = names["game"]
    import numpy as np

    game.start(np.random.default_rng(0))
    while game.seat is not None:
        game.observe(game.seat)
        step = game.play("I am right.")
    assert step.rewards["player_1"] > step.rewards["player_0"]
    names["judge"].close()
