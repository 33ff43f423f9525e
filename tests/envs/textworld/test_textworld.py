"""TextWorld games in TextWorld's interpreter: winning, losing, limits, copies, state keys, the cache."""

from __future__ import annotations

import copy
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from turnwise.envs import textworld as kinds
from turnwise.envs.core import EnvFailure, IllegalAction, TextGame, Unsupported
from turnwise.envs.parsing import read_action, write_action
from turnwise.envs.referee import Referee
from turnwise.envs.textworld import TextWorldGame, making
from turnwise.envs.textworld.sources import GAME_FILE

KINDS = ("coin_collector", "treasure_hunter", "cooking", "simple", "custom")
Make = Callable[..., TextWorldGame]


def follow(game: TextGame) -> tuple[list[float], list[str]]:
    """(rewards, observations) of following the solution, asked for once."""
    rewards, seen = [], [game.observe("player_0")]
    for action in game.solution():
        assert read_action(write_action(action, game.legal()), game.legal()) == action
        rewards.append(game.play(action).rewards["player_0"])
        seen.append(game.observe("player_0"))
    return rewards, seen


@pytest.mark.parametrize("kind", KINDS)
def test_following_the_walkthrough_wins(kind: str, make: Make) -> None:
    game = make(kind, reward="score")
    legal = game.legal()
    assert legal and len({"".join(name.split()).casefold() for name in legal}) == len(legal)
    assert game.ground_truth() == ", ".join(game.solution())
    rewards, seen = follow(game)
    assert game.seat is None and game.legal() == ()
    assert sum(rewards) == pytest.approx(1.0, abs=1e-12) and sum(rewards) <= 1.0
    assert "The End" in seen[-1] and game.observe("player_0") == ""
    text = "\n".join(seen)
    assert "$$" not in text and "RESTART" not in text and "=-0/" not in text
    assert text.count(game.board("player_0").splitlines()[0].removeprefix("Your task: ")) == 1


@pytest.mark.parametrize(
    ("kind", "kwargs", "rewards"),
    [
        ("coin_collector", {}, [0, 0, 1]),
        ("coin_collector", {"reward": "intermediate"}, [1 / 3, 1 / 3, 1 / 3]),
        ("coin_collector", {"admissible": False}, [0, 0, 1]),
        ("simple", {"reward": "score"}, [1 / 7, 1 / 7, 1 / 7, 1 / 7, 1 / 7, 0, 1 / 7, 1 / 7]),
    ],
)
def test_rewards_of_known_games(kind: str, kwargs: dict[str, object], rewards: list[float], make: Make) -> None:
    assert follow(make(kind, **kwargs))[0] == pytest.approx(rewards)


def test_the_first_and_later_observations_of_a_known_game(make: Make) -> None:
    game = make("coin_collector")
    first = game.observe("player_0")
    assert first.startswith("This is a text adventure.") and "You have 30 commands." in first
    assert first.count("coin") == 1
    assert first.splitlines()[-4:] == [
        "-= Washroom =-",
        "You've entered a washroom.",
        "You need an unguarded exit? You should try going south.",
        "Possible: [go south], [inventory], [look]",
    ]
    assert game.observe("player_0") == ""
    game.play("inventory")
    assert game.observe("player_0") == "You are carrying nothing.\nPossible: [go south], [inventory], [look]"


def test_a_lost_game_pays_nothing_more(make: Make) -> None:
    game = make("simple", reward="score")
    *way, last = game.solution()
    for action in way:
        game.play(action)
    food = last.removeprefix("put ").removesuffix(" on stove")
    step = game.play(f"eat {food}")
    assert step.rewards == {"player_0": 0.0} and step.terminated and not step.truncated
    assert (step.info["lost"], step.info["won"], step.info["score"]) == (True, False, 6)
    assert "You lost" in game.observe("player_0")
    with pytest.raises(Unsupported, match="the game is over"):
        game.solution()
    with pytest.raises(IllegalAction, match="the game is over"):
        game.play("look")


def test_the_limit_of_commands_truncates(make: Make) -> None:
    for prompt in ("full", "compact"):
        game = make("coin_collector", max_steps=2, prompt=prompt)
        assert game.play("look")[1:3] == (False, False)
        assert game.play("look")[1:3] == (False, True)
        assert game.seat is None
        assert "The game was stopped after 2 commands." in game.observe("player_0")
    assert make("coin_collector", max_steps=3).play(game.solution()[0] if game.seat else "look")[1:3] == (False, False)


def test_winning_with_the_last_command_is_no_truncation(make: Make) -> None:
    game = make("coin_collector", max_steps=3)
    steps = [game.play(action) for action in game.solution()]
    assert steps[-1][:3] == ({"player_0": 1.0}, True, False)


def test_what_is_not_admissible_is_refused_and_changes_nothing(make: Make) -> None:
    game = make("coin_collector")
    legal, key = game.legal(), game.anchor()
    for action in ("", "take coin", "GO SOUTH", "look\ninventory", "restart", "\x00\ud800", "x" * 100_000):
        with pytest.raises(IllegalAction, match="is not possible now; possible commands: \\[go south\\]") as error:
            game.play(action)
        assert len(str(error.value)) < 300
    assert (game.legal(), game.anchor()) == (legal, key)


def test_free_text_takes_any_command_and_meta_words_never_reach_the_interpreter(make: Make) -> None:
    game = make("coin_collector", admissible=False)
    assert game.legal() is None and "Possible" not in game.observe("player_0")
    assert game.play("dance with the moon").rewards == {"player_0": 0.0}
    assert game.observe("player_0") == "That's not a verb I recognise."
    for action in ("restart", "quit", "look\nrestart", "oops restart"):
        with pytest.raises(IllegalAction):
            game.play(action)
    game.play("I think I should go. [go south]")
    assert "-= Lounge =-" in game.observe("player_0")
    rng = np.random.default_rng(0)
    while game.seat is not None:
        game.play(game.sample_action(rng))
    assert len(game.observe("player_0")) > 0


def test_both_modes_print_the_same_texts(make: Make) -> None:
    told, free = make("simple"), make("simple", admissible=False)
    told.observe("player_0"), free.observe("player_0")
    for action in told.solution():
        told.play(action), free.play(action)
        assert free.observe("player_0") == told.observe("player_0").partition("\nPossible: ")[0]


@pytest.mark.parametrize("admissible", [True, False])
@pytest.mark.parametrize(
    "duplicate", [TextWorldGame.clone, copy.deepcopy, lambda game: pickle.loads(pickle.dumps(game))]
)
def test_copies_play_on_alike_and_apart(
    duplicate: Callable[[TextWorldGame], TextWorldGame], admissible: bool, make: Make
) -> None:
    game = make("simple", reward="score", admissible=admissible)
    for action in game.solution()[:3]:
        game.play(action)
    twin = duplicate(game)
    assert twin.anchor() == game.anchor()
    assert twin.observe("player_0") == game.observe("player_0") != ""
    rest = game.solution()
    assert [twin.play(action) for action in rest] == [game.play(action) for action in rest]
    assert twin.observe("player_0") == game.observe("player_0")
    twin.close()


def test_a_copy_that_moves_leaves_the_original_where_it_was(make: Make) -> None:
    game = make("coin_collector")
    legal, key = game.legal(), game.anchor()
    twin = game.clone()
    for action in twin.solution():
        twin.play(action)
    twin.close()
    assert (game.seat, game.legal(), game.anchor()) == ("player_0", legal, key)


def test_a_game_that_never_began_can_be_copied_and_says_so() -> None:
    game = pickle.loads(pickle.dumps(kinds.custom(level="hard"))).clone()
    assert (game.seat, game.level) == (None, "hard")
    for ask in (game.anchor, game.ground_truth, game.solution, lambda: game.observe("player_0")):
        with pytest.raises(RuntimeError, match="call start"):
            ask()


def test_closing_loses_nothing(make: Make) -> None:
    game = make("coin_collector")
    first, *rest = game.solution()
    game.play(first)
    game.close()
    assert [game.play(action).terminated for action in rest] == [False, True]


def test_anchors_are_equal_where_the_worlds_are(make: Make) -> None:
    game = make("simple")
    start = game.anchor()
    game.play("look")
    assert game.anchor() == start  # time is no part of it
    chest = next(name for name in game.legal() or () if name.startswith("open ") and "trunk" in name)
    game.play(chest)
    opened = game.anchor()
    assert opened != start
    game.play(chest.replace("open", "close"))
    assert game.anchor() in (start, game.clone().anchor())


def test_anchors_remember_what_has_scored(make: Make) -> None:
    game = make("simple")
    scoring = game.solution()[0]  # opening the chest drawer scores once
    before = game.anchor()
    game.play(scoring)
    game.play(scoring.replace("open", "close"))
    assert game.anchor() != before


def test_the_plan_leads_back_from_where_play_has_gone(make: Make) -> None:
    game = make("custom", reward="score")
    rng = np.random.default_rng(2)
    for _ in range(6):
        game.play(game.sample_action(rng))
    assert game.seat is not None
    while game.seat is not None:
        step = game.play(game.solution()[0])
    assert step.info["won"]


def test_the_board_shows_room_hands_and_what_is_left(make: Make) -> None:
    game = make("coin_collector")
    before = game.board("player_0")
    assert before.splitlines()[1:] == [
        "-= Washroom =-",
        "You've entered a washroom.",
        "You need an unguarded exit? You should try going south.",
        "You are carrying nothing.",
        "Possible: [go south], [inventory], [look]",
        "30 commands are left.",
    ]
    assert game.board("player_0") == before
    with pytest.raises(ValueError, match="needs the seat player_0"):
        game.board("player_1")


def test_a_used_object_starts_like_a_fresh_one(make: Make) -> None:
    used = make("custom", games=2)
    for seed in (3, 4, 5):
        used.start(np.random.default_rng(seed))
        fresh = make("custom", games=2)
        fresh.start(np.random.default_rng(seed))
        rng, twin_rng = np.random.default_rng(seed), np.random.default_rng(seed)
        for _ in range(5):
            assert used.observe("player_0") == fresh.observe("player_0")
            if used.seat is not None:
                assert used.play(used.sample_action(rng)) == fresh.play(fresh.sample_action(twin_rng))


def test_process_wide_generators_and_output_are_left_alone(capfd: pytest.CaptureFixture[str], make: Make) -> None:
    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002  # only looked at
    game = make("custom", first_game=11, rooms=1, quest_length=1)
    follow(game)
    game.anchor(), game.board("player_0"), game.clone().anchor()
    after = np.random.get_state()  # noqa: NPY002
    assert random.getstate() == before
    assert all(np.array_equal(old, new) for old, new in zip(numpy_before, after, strict=True))
    assert capfd.readouterr() == ("", "")


# --- where games come from --------------------------------------------------------------------------------------------


def test_games_are_made_once_and_kept_whole(games_folder: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make("custom")
    folders = list((games_folder / "textworld" / "custom").glob("7-*"))
    assert folders and all({file.name for file in folder.iterdir()} == {GAME_FILE, "game.json"} for folder in folders)
    assert not list((games_folder / "textworld" / "custom").glob(".*"))
    monkeypatch.setattr(making, "_make", lambda *_: pytest.fail("the game is in the cache"))
    make("custom")


def test_a_given_file_is_played(make: Make) -> None:
    file = make("custom").source.path(7)
    game = kinds.custom(game_file=str(file))
    game.start(np.random.default_rng(0))
    assert (game.task, game.level, game.levels, game.max_steps) == ("game_file", None, (), 100)
    assert sum(follow(game)[0]) == 1.0
    game.close()


def test_an_impossible_quest_says_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "ATTEMPTS", 2)
    monkeypatch.setattr(making, "_make", lambda *_: (_ for _ in ()).throw(AssertionError))
    game = kinds.custom(rooms=3, quest_length=29, games=1)
    with pytest.raises(ValueError, match=r"finds no game for custom with .*quest_length=29.*ask for a shorter quest"):
        game.start(np.random.default_rng(0))


def test_a_cache_that_cannot_be_written_fails_the_episode_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TURNWISE_CACHE", str(tmp_path / "file"))
    with pytest.raises(EnvFailure, match="cannot be written"):
        kinds.custom().start(np.random.default_rng(0))
    referee = Referee(kinds.custom())
    referee.start(0)
    assert (referee.status, referee.seat) == ("env_error", None)


def test_a_broken_file_fails_the_episode(tmp_path: Path) -> None:
    (tmp_path / "broken.z8").write_bytes(b"no story")
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(EnvFailure, match="TextWorld cannot load"):
        kinds.custom(game_file=str(tmp_path / "broken.z8")).start(np.random.default_rng(0))


PLAYED = """
import numpy as np
from turnwise.envs.textworld import cooking
game = cooking(cook=False, games=1, first_game=7, reward="intermediate")
game.start(np.random.default_rng(0))
rng = np.random.default_rng(1)
for _ in range(4):
    print(game.observe("player_0"), game.anchor(), game.solution(), game.play(game.sample_action(rng)))
"""


@pytest.mark.slow
def test_a_game_is_the_same_in_every_process(tmp_path: Path) -> None:
    texts = set()
    for hash_seed in ("0", "1", "2"):
        folder = tmp_path / hash_seed  # made anew in each
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "TURNWISE_CACHE": str(folder)}
        done = subprocess.run([sys.executable, "-c", PLAYED], env=env, capture_output=True, text=True, check=True)
        texts.add(done.stdout)
    assert len(texts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["easy", "medium", "hard"])
def test_every_level_is_won_by_its_walkthrough_and_from_where_random_play_leads(kind: str, level: str) -> None:
    for seed in range(3):
        game: TextWorldGame = getattr(kinds, kind)(level=level, games=1, first_game=seed, reward="score")
        game.start(np.random.default_rng(0))
        assert len(game.solution()) <= game.max_steps
        assert sum(follow(game)[0]) == pytest.approx(1.0)
        rng = np.random.default_rng(seed)
        game.start(rng)
        for _ in range(8):
            if game.seat is not None:
                game.play(game.sample_action(rng))
        if game.seat is not None:
            for action in game.solution():
                assert action in (game.legal() or ())
                step = game.play(action)
            assert step.info["won"]
        game.close()
