"""A game in a worker is the game, as long as it behaves."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import worker_games

from turnwise.envs.core import IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.history import WithHistory
from turnwise.envs.mirror import declarations
from turnwise.envs.registry import make_game
from turnwise.envs.workers import RemoteGame, WorkerPool, may_block

Remote = Callable[..., RemoteGame]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def play_through(game: TextGame, seed: int, *, copies: Callable[[TextGame], TextGame] = lambda game: game) -> list:
    """All that happens in an episode of random play, going over to a copy at every turn."""
    draws = rng(seed + 100)
    game.start(rng(seed))
    log: list = [declarations(game)]
    while game.seat is not None and len(log) < 30:
        game = copies(game)
        log += [game.seat, game.observe(game.seat), game.observe(game.seat), game.legal(), game.lead_in()]
        action = "add" if "add" in (game.legal() or ()) else game.sample_action(draws)
        log.append(game.play(action))
    return [*log, game.seat, *(game.observe(seat) for seat in game.seats), draws.random()]


IDS = [("KuhnPoker-LLM", {}), ("TicTacToe-LLM", {"prompt": "compact"}), ("SimpleNegotiation-LLM", {})]


@pytest.mark.parametrize(("env_id", "kwargs"), IDS)
def test_it_plays_as_the_game_itself(env_id: str, kwargs: dict, shared: WorkerPool) -> None:
    local, far = make_game(env_id, **kwargs), make_game(env_id, worker=True, **kwargs)
    assert isinstance(far, RemoteGame) and not may_block(local) and may_block(far)
    far._pool = shared
    for seed in range(10):
        assert play_through(far, seed) == play_through(local, seed)


@pytest.mark.parametrize("name", ["Lab", "Talk"])
def test_declarations_and_free_text_come_across(name: str, remote: Remote) -> None:
    local, far = getattr(worker_games, name)(), remote(name)
    assert declarations(far) == declarations(local)
    assert play_through(far, 3) == play_through(local, 3)


def test_optional_members_by_hand(remote: Remote) -> None:
    game = remote(level="hard")
    game.start(rng(1))
    total = int(rng(1).integers(100))
    assert (game.task, game.level) == (f"task {total}", "hard")
    assert game.board("player_0") == f"total {total}\nturns 0"
    assert (game.anchor(), game.ground_truth(), game.secrets("player_0")) == (str(total), str(total), (str(total),))
    assert game.solution() == ("add", "stop")
    assert (game.tools(), game.lead_in(), game.lead_ins()) == ((), f"{total} ", ("",))
    for _ in range(3):
        game.play("add")
    with pytest.raises(Unsupported, match="the lab knows no way out"):
        game.solution()
    with pytest.raises(Unsupported, match="has_anchor is False"):
        remote("Talk").anchor()
    with pytest.raises(Unsupported, match="Talk cannot be cloned"):
        remote("Talk").clone()


def test_an_illegal_action_changes_nothing(remote: Remote) -> None:
    game = remote()
    game.start(rng())
    text = game.observe("player_0")
    for action in ("no", "", "\x00", "\ud800", "x" * 100_000):
        with pytest.raises(IllegalAction, match="is not known"):
            game.play(action)
    assert (game.seat, game.observe("player_0"), game.board("player_0")) == (
        "player_0",
        "",
        f"total {text[8:]}\nturns 0",
    )


def test_reading_is_exact_whoever_reads_when(remote: Remote) -> None:
    """Texts come with the step before; for a seat that acts without reading that is taken back, and done no more."""
    game, expected = remote("Talk"), worker_games.Talk()
    for seed in range(2):
        for one in (game, expected):
            one.start(rng(seed))
            assert one.play("one") == Step({"player_0": 0.5})
            assert one.observe("player_1") == "begin\nplayer_0: one"
            assert one.observe("player_0") == "begin\nplayer_0: one"
            assert one.observe("player_0") == ""
            one.play("two")
            assert [one.observe(seat) for seat in one.seats] == ["player_1: two"] * 2
        assert game._silent == {"player_0"}
    lab, expected_lab = remote(), worker_games.Lab()
    for one in (lab, expected_lab):
        one.start(rng(3))
        for _ in range(3):
            one.play("add")
    assert lab.observe("player_0") == expected_lab.observe("player_0")


def test_misuse_is_told(remote: Remote) -> None:
    game = remote()
    with pytest.raises(RuntimeError, match="has not begun"):
        game.play("add")
    with pytest.raises(ValueError, match="one of the seats player_0: got 'player_7'"):
        game.observe("player_7")
    with pytest.raises(ValueError, match="level is easy or hard: got 'odd'"):
        remote(level="odd")
    with pytest.raises(ValueError, match="must be picklable, or pass worker=False"):
        RemoteGame("worker_games:Lab", {"level": lambda: None})
    with pytest.raises(ValueError, match="deadlines are positive"):
        remote(deadline_s=0)
    with pytest.raises(ValueError, match="at least 1 worker"):
        WorkerPool(0)
    with pytest.raises(ValueError, match="patience_s is a positive"):
        WorkerPool(1, patience_s=0)


@pytest.mark.parametrize(
    "copies",
    [copy.deepcopy, lambda game: pickle.loads(pickle.dumps(game)), lambda game: game.clone()],
    ids=["deepcopy", "pickle", "clone"],
)
def test_a_copy_in_mid_episode_plays_on_identically(copies: Callable[[TextGame], TextGame], remote: Remote) -> None:
    once, often = play_through(remote(), 5), play_through(remote(), 5, copies=copies)
    assert once == often


def test_a_clone_is_independent_and_keeps_unread_texts(remote: Remote) -> None:
    game = remote()
    game.start(rng(2))
    twin = game.clone()
    steps = [game.play("add") for _ in range(3)]
    assert twin.observe("player_0").startswith("turn 0") and twin.board("player_0").endswith("turns 0")
    assert [twin.play("add") for _ in range(3)] == steps
    assert twin.board("player_0") == game.board("player_0")
    fresh = remote().clone()
    fresh.start(rng(2))
    assert fresh.board("player_0").endswith("turns 0")


def test_the_generator_of_the_caller_stays_where_it_is(remote: Remote) -> None:
    mine = rng(4)
    game = remote()
    game.start(mine)
    assert mine.random() == rng(4).random()


def test_a_closed_game_can_be_played_on_and_started_again(remote: Remote, tmp_path: Path) -> None:
    log = tmp_path / "log"
    game = remote(log=str(log))
    game.start(rng(1))
    game.play("add")
    board = game.board("player_0")
    game.close()
    assert game.board("player_0") == board  # in a new copy of the game, which has made the same move
    assert log.read_text() == "closed\n"
    del game
    gc.collect()
    other = remote()
    other.start(rng(1))
    assert log.read_text() == "closed\n" * 2


def test_make_game_puts_slow_games_into_workers(slow_lab: str) -> None:
    assert isinstance(make_game(slow_lab), RemoteGame)
    assert isinstance(make_game(slow_lab, worker=None), RemoteGame)
    assert isinstance(make_game(slow_lab, worker=False), worker_games.Lab)
    game = make_game(slow_lab, deadline_s=5, start_deadline_s=7.5, level="hard", history="last(2)")
    assert isinstance(game, WithHistory) and may_block(game)
    inner = game.game
    assert isinstance(inner, RemoteGame) and (inner.deadline_s, inner.start_deadline_s) == (5, 7.5)
    assert inner.recipe.kwargs == {"level": "hard"}
    with pytest.raises(ValueError, match="level is easy or hard"):
        make_game(slow_lab, level="odd")
