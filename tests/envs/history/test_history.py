"""Every history policy by hand, on games small enough to check; and as an argument of every view."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Sequence

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from pettingzoo.test import api_test, seed_test

import turnwise
from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.scripted import scripted_agent
from turnwise.envs.aec_view import TextGameAEC
from turnwise.envs.core import IllegalAction, Step, TextGame, Unsupported
from turnwise.envs.history import HISTORIES, WithHistory, history_policy, zero_context_diff
from turnwise.envs.mirror import declarations
from turnwise.envs.referee import Referee
from turnwise.records import Reply, Request


class Walk(TextGame):
    """One seat walks along three lines; the board shows its place and its steps."""

    seats = ("player_0",)
    can_clone = has_board = has_anchor = has_ground_truth = has_secrets = has_solution = True
    utility_bounds = (0.0, 1.0)
    task, level, levels = "walk", "easy", ("easy", "hard")

    def start(self, rng: np.random.Generator) -> None:
        self.seat, self.at, self.steps = "player_0", int(rng.integers(1)), 0
        self.news = "Walk to the end."

    def observe(self, seat: str) -> str:
        text, self.news = self.news, ""
        return text

    def legal(self) -> Sequence[str]:
        return ("on", "rest") if self.seat else ()

    def play(self, action: str) -> Step:
        if action not in self.legal():
            raise IllegalAction(f"{action!r} is no step")
        self.steps += 1
        self.at += action == "on"
        self.news = f"You {action}."
        if self.at == 3:
            self.seat, self.news = None, "You are there."
        return Step({"player_0": 1.0} if self.at == 3 else {}, terminated=self.at == 3)

    def board(self, seat: str) -> str:
        return f"at {self.at}\nof 3\nsteps {self.steps}"

    def anchor(self) -> str:
        return str(self.at)

    def ground_truth(self) -> str:
        return "on on on"

    def secrets(self, seat: str) -> tuple[str, ...]:
        return ("none",)

    def solution(self) -> tuple[str, ...]:
        return ("on",) * (3 - self.at)

    def lead_in(self) -> str:
        return "so "

    def lead_ins(self) -> tuple[str, ...]:
        return ("so ",)

    def tools(self) -> tuple[dict[str, str], ...]:
        return ({"name": "walk"},)

    def clone(self) -> Walk:
        return copy.copy(self)

    def close(self) -> None:
        self.closed = True


def read(game: TextGame, *actions: str) -> list[str]:
    """What the only seat reads: at its first turn, and after each action."""
    game.start(np.random.default_rng(0))
    texts = [game.observe("player_0")]
    for action in actions:
        game.play(action)
        texts.append(game.observe("player_0"))
        assert game.observe("player_0") == ""
    return texts


FULL = "Walk to the end.\nYou answered: [on]\nYou on.\nYou answered: [rest]\nYou rest."

BY_HAND = [
    ("news", ["Walk to the end.", "You on.", "You rest.", "You on.", "You are there."]),
    (
        "full",
        [
            "Walk to the end.",
            "Walk to the end.\nYou answered: [on]\nYou on.",
            FULL,
            f"{FULL}\nYou answered: [on]\nYou on.",
            f"{FULL}\nYou answered: [on]\nYou on.\nYou answered: [on]\nYou are there.",
        ],
    ),
    ("last(1)", ["Walk to the end.", "You on.", "You rest.", "You on.", "You are there."]),
    (
        "last( 2 )",
        [
            "Walk to the end.",
            "Walk to the end.\nYou answered: [on]\nYou on.",
            "You on.\nYou answered: [rest]\nYou rest.",
            "You rest.\nYou answered: [on]\nYou on.",
            "You on.\nYou answered: [on]\nYou are there.",
        ],
    ),
    (
        "first_last",
        [
            "Walk to the end.",
            "Walk to the end.\n\nYou on.",
            "Walk to the end.\n\nYou rest.",
            "Walk to the end.\n\nYou on.",
            "Walk to the end.\n\nYou are there.",
        ],
    ),
    (
        "board",
        [
            "at 0\nof 3\nsteps 0",
            "at 1\nof 3\nsteps 1",
            "at 1\nof 3\nsteps 2",
            "at 2\nof 3\nsteps 3",
            "You are there.",
        ],
    ),
    (
        "diff",
        [
            "Walk to the end.\nat 0\nof 3\nsteps 0",
            "@@ -1 +1 @@\n-at 0\n+at 1\n@@ -3 +3 @@\n-steps 0\n+steps 1",
            "@@ -3 +3 @@\n-steps 1\n+steps 2",
            "@@ -1 +1 @@\n-at 1\n+at 2\n@@ -3 +3 @@\n-steps 2\n+steps 3",
            "You are there.",
        ],
    ),
]


@pytest.mark.parametrize(("history", "texts"), BY_HAND)
def test_every_policy_by_hand(history: str, texts: list[str]) -> None:
    game = WithHistory(Walk(), history)
    for _ in range(2):  # a used object starts like a fresh one
        assert read(game, "on", "rest", "on", "on") == texts


def test_a_diff_of_observations_where_there_is_no_board(duel: TextGame, guess: TextGame) -> None:
    game = WithHistory(guess, "diff")
    game.start(np.random.default_rng(3))
    wrong = [digit for digit in "012" if digit != guess.answer]  # type: ignore[attr-defined]
    texts = [game.observe("player_0")]
    for digit in wrong[:2]:
        game.play(digit)
        texts.append(game.observe("player_0"))
    assert texts == ["Guess my digit.", "@@ -1 +1 @@\n-Guess my digit.\n+Miss.", "Nothing has changed."]


def test_each_seat_has_a_history_of_its_own(duel: TextGame) -> None:
    game = WithHistory(duel, "full")
    game.start(np.random.default_rng(1))
    secrets = {seat: f"Your secret digit is {digit}." for seat, digit in duel.secrets.items()}  # type: ignore[attr-defined]
    game.observe("player_0")
    game.play("high")
    assert game.observe("player_1") == f"{secrets['player_1']}\nplayer_0: high"
    game.play("low")
    assert game.observe("player_0") == (f"{secrets['player_0']}\nYou answered: [high]\nplayer_0: high\nplayer_1: low")
    game.play("low")
    assert secrets["player_0"] not in game.observe("player_1")


def test_news_that_come_in_pieces_are_one_turn(duel: TextGame) -> None:
    game = WithHistory(duel, "full")
    game.start(np.random.default_rng(1))
    first = game.observe("player_1")
    game.play("high")
    assert game.observe("player_1") == f"{first}\nplayer_0: high"
    env = TextGameAEC(game)
    env.reset(seed=1)
    first = env.observe("player_1")
    env.step("[high]")
    assert env.observe("player_1") == env.observe("player_1") == f"{first}\nplayer_0: high"  # told once


def test_free_text_stands_as_it_was_said(chat: TextGame) -> None:
    game = WithHistory(chat, "full")
    referee = Referee(game, invalid="retry(1)")
    referee.start(0)
    referee.submit("damn it")
    assert referee.observe().startswith("Your last reply was not valid: no swearing. Reply again.")
    referee.submit("hello there")
    referee.submit("hi")
    referee.submit("bye")
    assert game._memories["player_1"].turns[0].played == "hi"
    assert [turn.played for turn in game._memories["player_0"].turns] == ["hello there"]  # not what was refused


# --- summaries -----------------------------------------------------------------------------------------------------


class Notes:
    """An agent that numbers its summaries and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def act(self, requests: Sequence[Request]) -> list[Reply]:
        self.requests += requests
        return [Reply(text=f"note {len(self.requests)}") for _ in requests]


def test_a_summary_is_made_once_a_turn_from_the_one_before() -> None:
    agent = Notes()
    game = WithHistory(Walk(), "summary", summarizer=agent)
    assert read(game, "on", "rest", "on", "on") == [
        "Walk to the end.",
        "Summary of the game so far: note 1\n\nYou on.",
        "Summary of the game so far: note 2\n\nYou rest.",
        "Summary of the game so far: note 3\n\nYou on.",
        "You are there.",
    ]
    asked = [request.messages[0].content for request in agent.requests]
    assert len(asked) == 3 and len({request.seed for request in agent.requests}) == 3
    assert asked[0].endswith(
        "Summary so far:\nnothing yet\n\nNew since then, as the player read it:\n"
        "Walk to the end.\nThe player answered: [on]"
    )
    assert "Summary so far:\nnote 1\n" in asked[1] and asked[1].endswith("You on.\nThe player answered: [rest]")
    seeds = [request.seed for request in agent.requests]
    read(game, "on", "rest", "on", "on")
    assert [request.seed for request in agent.requests[3:]] == seeds


def test_a_callable_summarizes_too_and_its_text_is_bounded() -> None:
    game = WithHistory(Walk(), "summary", summarizer=lambda text: text[:1] * 100_000)
    assert len(read(game, "on")[1]) < 5000
    with pytest.raises(TypeError, match="returns a text: got int"):
        read(WithHistory(Walk(), "summary", summarizer=len), "on")


def test_a_summary_leaves_the_games_own_chance_alone(duel: TextGame) -> None:
    plain, told = copy.deepcopy(duel), WithHistory(duel, "summary", summarizer=str)
    plain.start(np.random.default_rng(5))
    told.start(np.random.default_rng(5))
    assert plain.secrets == duel.secrets  # type: ignore[attr-defined]


# --- delegation ----------------------------------------------------------------------------------------------------


def test_every_member_is_the_games_own() -> None:
    inner = Walk()
    game = WithHistory(inner, "full")
    game.start(np.random.default_rng(0))
    game.play("on")
    assert declarations(game) == declarations(inner)
    for member in ("legal", "lead_in", "lead_ins", "anchor", "ground_truth", "solution", "tools"):
        assert getattr(game, member)() == getattr(inner, member)()
    assert game.board("player_0") == inner.board("player_0")
    assert game.secrets("player_0") == ("none",)
    assert game.sample_action(np.random.default_rng(1)) == inner.sample_action(np.random.default_rng(1))
    with pytest.raises(IllegalAction, match="'fly' is no step"):
        game.play("fly")
    assert [turn.played for turn in game._memories["player_0"].turns] == ["[on]"]
    game.close()
    assert inner.closed
    with pytest.raises(Unsupported):
        WithHistory(turnwise.make_game("SimpleNegotiation-LLM"), "full").anchor()


@pytest.mark.parametrize(
    "copies", [copy.deepcopy, lambda game: pickle.loads(pickle.dumps(game)), lambda game: game.clone()]
)
@pytest.mark.parametrize("history", ["full", "last(2)", "first_last", "board", "diff"])
def test_copies_in_mid_episode_are_independent(history: str, copies: Callable[[TextGame], TextGame]) -> None:
    game = WithHistory(Walk(), history)
    texts = read(game, "on", "rest", "on")
    read(game, "on")
    twin = copies(game)
    read_on = []
    for one in (twin, game):
        one.play("rest")
        read_on.append(one.observe("player_0"))
        one.play("on")
        read_on.append(one.observe("player_0"))
    assert read_on == texts[2:] * 2


# --- as an argument ------------------------------------------------------------------------------------------------

EVERYWHERE = [history for history in HISTORIES if history != "summary"]


@pytest.mark.parametrize("history", EVERYWHERE)
def test_the_official_checkers_pass(history: str) -> None:
    check_env(gym.make("TicTacToe-LLM", history=history).unwrapped)
    api_test(turnwise.aec_env("TicTacToe-LLM", history=history), num_cycles=30)
    seed_test(lambda: turnwise.aec_env("TicTacToe-LLM", history=history), num_cycles=20)


def test_make_game_wraps_only_where_asked() -> None:
    assert not isinstance(turnwise.make_game("Nim-LLM", history="news"), WithHistory)
    game = turnwise.make_game("Nim-LLM", history="summary", summarizer=str, prompt="compact")
    assert isinstance(game, WithHistory) and game.history.name == "summary"
    env = gym.make("KuhnPoker-LLM", history="last(2)", opponents="first_legal")
    first, _ = env.reset(seed=0)
    assert env.step("[check]")[0].startswith(f"{first}\nYou answered: [check]\n")


def test_players_that_look_at_the_game_see_the_game_itself() -> None:
    env = gym.make("TicTacToe-LLM", history="full", opponents="optimal")
    env.reset(seed=0)
    assert "player_1 marks cell 4." in env.step("[0]")[0]  # the one answer to a corner that does not lose
    seats = {"player_0": "best", "player_1": "search"}
    plan = Plan(id="e", env_id="TicTacToe-LLM", seed=0, seats=seats, env_kwargs={"history": "full"})
    agents = {"best": scripted_agent("optimal"), "search": scripted_agent("mcts(20)")}
    (episode,) = Rollout(agents).collect([plan])
    assert episode.status == "ok" and len(episode.turns) >= 5
    assert "You answered: " in episode.turns[2].observation[0].content


def test_a_games_own_argument_of_that_name_stays_its_own() -> None:
    from turnwise.envs.registry import _apart

    def maker(history: str = "raw") -> None: ...

    assert _apart(maker, {"history": "raw", "worker": True}) == ({"history": "raw"}, {"worker": True})


@pytest.mark.parametrize(
    ("history", "kwargs", "message"),
    [
        ("ful", {}, "no history policy is called 'ful'; did you mean 'full'"),
        ("last", {}, r"did you mean 'last\(3\)'"),
        ("last(0)", {}, "no history policy is called"),
        ("zzz", {}, r"known: news, full, last\(3\), first_last, board, diff, summary"),
        (3, {}, "no history policy is called 3"),
        ("summary", {}, "history='summary' and summarizer= come together"),
        ("full", {"summarizer": str}, "come together"),
    ],
)
def test_what_does_not_fit_is_told(history: object, kwargs: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WithHistory(Walk(), history, **kwargs)


def test_board_needs_a_board(duel: TextGame) -> None:
    with pytest.raises(ValueError, match="Duel does not"):
        WithHistory(duel, "board")
    assert history_policy(history_policy("last(7)")).turns == 7


# --- diffs ---------------------------------------------------------------------------------------------------------

LINES = st.lists(st.sampled_from(["a", "b", "c", "- d", "@@ e"]), max_size=12)


@given(before=LINES, after=LINES)
def test_a_diff_holds_what_it_takes_to_get_there(before: list[str], after: list[str]) -> None:
    diff = zero_context_diff("\n".join(before), "\n".join(after))
    assert (diff == "") == (before == after)
    assert apply(before, diff) == after


def apply(before: list[str], diff: str) -> list[str]:
    """The new lines out of the old ones and a zero-context diff."""
    out, at, lines = [], 0, diff.split("\n") if diff else []
    while lines:
        _, old, *_ = lines.pop(0).split(" ")
        start, _, count = old[1:].partition(",")
        removed, begin = int(count or 1), int(start) - (count != "0")
        out += before[at:begin]
        at = begin + removed
        del lines[:removed]
        while lines and lines[0].startswith("+"):
            out.append(lines.pop(0)[1:])
    return out + before[at:]


def test_context_can_be_shown() -> None:
    assert zero_context_diff("a\nb\nc\n", "a\nB\nc", context=1) == "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c"
    assert zero_context_diff("", "a") == "@@ -0,0 +1 @@\n+a"
    assert zero_context_diff(" a \n", "a") == ""
