"""The PettingZoo view on the tiny games."""

from __future__ import annotations

import copy

import pytest

import turnwise
from turnwise.envs.aec_view import TextGameAEC
from turnwise.envs.core import TextGame


def test_an_episode_by_hand(duel: TextGame) -> None:
    env = TextGameAEC(duel)
    env.reset(seed=1)
    asked = []
    for seat, reply in zip(env.agent_iter(), ["[high]", "[low]", "[high]", "[low]", None, None], strict=False):
        observation, reward, terminated, truncated, info = env.last()
        asked.append((seat, reward, terminated, truncated, info["status"]))
        if reply:
            assert info["legal_actions"] == ("high", "low")
        if len(asked) == 3:
            assert observation == "player_0: high\nplayer_1: low"
        env.step(reply)
    assert asked == [
        ("player_0", 0.0, False, False, "ok"),
        ("player_1", 0.0, False, False, "ok"),
        ("player_0", 0.0, False, False, "ok"),
        ("player_1", 0.0, False, False, "ok"),
        ("player_0", 1.0, True, False, "ok"),
        ("player_1", -1.0, True, False, "ok"),
    ]
    assert env.agents == []


def test_observing_is_repeatable_and_gathers_news(duel: TextGame) -> None:
    env = TextGameAEC(duel)
    env.reset(seed=1)
    early = env.observe("player_1")
    assert early == env.observe("player_1") == f"Your secret digit is {duel.secrets['player_1']}."  # type: ignore[attr-defined]
    env.step("[high]")
    assert env.observe("player_1") == env.last()[0] == f"{early}\nplayer_0: high"
    env.step("[low]")
    assert env.observe("player_1") == "player_1: low"


def test_rewards_gather_until_the_seat_acts(chat: TextGame) -> None:
    env = TextGameAEC(chat)
    env.reset()
    env.step("two words")
    assert env.rewards == {"player_0": 0.2, "player_1": 0.0, "player_2": 0.0}
    env.step("three more words")
    env.step("one")
    assert env.rewards == {"player_0": 0.0, "player_1": 0.0, "player_2": 0.1}
    totals = {}
    for seat in env.agent_iter():
        totals[seat] = env.last()[1]
        env.step(None)
    assert totals == {"player_0": 0.2, "player_1": 0.3, "player_2": 0.1}


def test_invalid_replies_meet_the_policy(duel: TextGame) -> None:
    env = TextGameAEC(duel, invalid="retry(1)")
    env.reset()
    env.step("dunno")
    assert env.agent_selection == "player_0" and env.infos["player_0"]["status"] == "unparsable"
    assert env.last()[0].startswith("Your last reply was not valid")
    env.step("dunno")
    assert env.terminations == {"player_0": True, "player_1": True}
    assert env.rewards == {"player_0": -1.0, "player_1": 1.0}


def test_max_turns_truncates(duel: TextGame) -> None:
    env = TextGameAEC(duel, max_turns=1)
    env.reset()
    env.step("[high]")
    assert env.truncations == {"player_0": True, "player_1": True}
    assert env.terminations == {"player_0": False, "player_1": False}


def test_seeds(duel: TextGame) -> None:
    def secrets(env: TextGameAEC, seed: int | None) -> str:
        env.reset(seed=seed)
        return env.observe("player_0") + env.observe("player_1")

    first, second = TextGameAEC(duel), TextGameAEC(copy.deepcopy(duel))
    assert [secrets(first, seed) for seed in (3, None, None)] == [secrets(second, seed) for seed in (3, None, None)]


def test_samples_are_legal_while_the_seat_acts(duel: TextGame) -> None:
    env = TextGameAEC(duel)
    env.reset()
    assert env.action_space("player_0").sample() in ("[high]", "[low]")
    assert env.action_space("player_1").sample() not in ("[high]", "[low]")
    twin = copy.deepcopy(env)
    twin.step("[high]")
    assert twin.action_space("player_1").sample() in ("[high]", "[low]")
    assert env.agent_selection == "player_0"


def test_ansi_renders_the_replies(duel: TextGame) -> None:
    env = TextGameAEC(duel, render_mode="ansi")
    env.reset()
    env.step("[high]")
    env.step("so [low]")
    assert env.render() == "player_0: [high]\nplayer_1: so [low]"
    assert TextGameAEC(duel).render() is None


def test_misuse_is_told(duel: TextGame) -> None:
    with pytest.raises(ValueError, match="render_mode is ansi or None"):
        TextGameAEC(duel, render_mode="human")
    with pytest.raises(TypeError, match="takes no arguments: got prompt"):
        TextGameAEC(duel, prompt="full")
    env = TextGameAEC(duel)
    env.reset()
    with pytest.raises(TypeError, match="reply of player_0 as a str: got NoneType"):
        env.step(None)
    env.step("dunno")
    with pytest.raises(ValueError, match="only valid action is None"):
        env.step("[high]")


def test_the_public_function() -> None:
    env = turnwise.aec_env("KuhnPoker-LLM", invalid="spiral", prompt="compact")
    env.reset(seed=0)
    env.step("dunno")
    assert env.rewards == {"player_0": -1.5, "player_1": 0.5}
