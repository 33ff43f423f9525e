"""Every registered game can be played by a person: begun, moves offered, played on, left, and watched again."""

from __future__ import annotations

import numpy as np
import pytest

from turnwise.boards import replay
from turnwise.envs.catalogue import SPECS
from turnwise.envs.registry import GAMES
from turnwise.play.session import Session
from turnwise.play.setup import Setup

WAIT_S = 120.0
SAMPLE = [
    *("KuhnPoker-LLM", "Go-LLM", "Backgammon-LLM", "Hanabi-LLM", "PrisonersDilemma-LLM", "OpenSpiel/oh_hell-LLM"),
    *("OpenSpiel/bridge-LLM", "OpenSpiel/mfg_garnet-LLM", "OpenSpiel/chat_game-LLM", "SimpleNegotiation-LLM"),
    *("TruthAndDeception-LLM", "Debate-LLM", "Wordle-LLM", "TwentyQuestions-LLM", "Game2048-LLM", "Minesweeper-LLM"),
    *("ContextualBandit-LLM", "ToolChain-LLM", "KeyDoor-LLM", "Kitchen-LLM", "MiniGrid/Unlock-LLM"),
    *("MiniGrid/BabyAI-GoTo-LLM", "ALFWorld-LLM", "SearchQA-LLM", "PythonMath-LLM", "McpTools-LLM"),
    *("Gymnasium/FrozenLake-LLM", "Gymnasium/Blackjack-LLM"),
]
"""Quick ones of every family but TextWorld, which is slow to begin."""


def play(env_id: str, moves: int) -> None:
    number = list(GAMES).index(env_id)
    session = Session(Setup(game=env_id, seat="random", seed=number, opponents="random"))
    rng = np.random.default_rng(number)
    for _ in range(moves):
        state = session.wait(WAIT_S)
        if state.over:
            break
        assert state.asked
        if state.legal is not None:
            assert state.legal
            session.act(f"[{state.legal[int(rng.integers(len(state.legal)))]}]")
        else:
            assert session._game is not None
            session.act(session._game.sample_action(rng))
    state = session.leave(WAIT_S)
    assert session.failure is None
    assert session.episode is not None
    assert (state.over, state.error) == (True, None)
    assert state.outcome in ("win", "draw", "loss", "truncated")
    assert {turn.status for turn in session.episode.turns} <= {"ok"}
    boards = replay(session.episode)
    assert len(boards) == len(session.episode.turns) + 1
    assert len({board is None for board in boards}) == 1


@pytest.mark.parametrize("env_id", SAMPLE)
def test_a_game_of_every_family(env_id: str) -> None:
    play(env_id, 8)


@pytest.mark.slow
@pytest.mark.parametrize("env_id", list(GAMES))
def test_every_game(env_id: str) -> None:
    play(env_id, 30)


def test_the_sample_has_every_family() -> None:
    families = {spec.family for spec in SPECS}
    assert {GAMES[env_id].family for env_id in SAMPLE} == families - {"textworld"}
