"""Capabilities as data."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from turnwise.algorithms.catalogue import catalogue
from turnwise.envs.describe import FLAGS, describe, missing
from turnwise.envs.registry import GAMES, UnknownEnv
from turnwise.envs.spec import GameSpec


def test_what_a_game_can_do() -> None:
    found = describe("SimpleNegotiation-LLM")
    assert (found.family, found.slow, found.package, found.installed) == ("talk", False, None, True)
    assert (found.seats, found.utility_bounds) == (("player_0", "player_1"), (-1.0, 1.0))
    assert (found.levels, found.tools, found.problem) == ((), (), None)
    plain = found.to_dict()
    assert (plain["zero_sum"], plain["can_clone"], plain["has_solution"]) == (True, True, False)
    assert set(FLAGS) <= set(plain)
    assert json.loads(json.dumps(plain)) == plain


def test_what_is_not_installed_is_told_and_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = (("no_such_module_x", "moon-rocket"), ("no_such_module_x.part", "moon-boots"))
    spec = GameSpec(id="Moon-LLM", entry_point="nowhere:Moon", requires=needed)
    monkeypatch.setitem(GAMES, spec.id, spec)
    found = describe("Moon-LLM")
    assert missing(spec) == ["moon-rocket", "moon-boots"]
    assert (found.installed, found.seats, found.flags) == (False, None, None)
    assert found.problem == "pip install 'moon-rocket' 'moon-boots'"
    assert found.to_dict()["zero_sum"] is None


def test_bounds_without_an_end_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import kit_games

    monkeypatch.setattr(kit_games.Chat, "utility_bounds", (0.0, float("inf")))
    monkeypatch.setitem(GAMES, "kit/Chat-LLM", GameSpec(id="kit/Chat-LLM", entry_point="kit_games:Chat"))
    found = describe("kit/Chat-LLM")
    assert (found.utility_bounds, found.tools) == ((0.0, None), ("look_up",))


def test_a_game_that_cannot_be_made_has_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GAMES, "kit/No-LLM", GameSpec(id="kit/No-LLM", entry_point="kit_games:Nothing"))
    found = describe("kit/No-LLM")
    assert (found.installed, found.seats) == (True, None)
    assert (found.problem or "").startswith("AttributeError: ")
    with pytest.raises(UnknownEnv):
        describe("kit/Unknown-LLM")


def test_the_list_as_json(command: Callable[..., Any]) -> None:
    found = json.loads(command("list", "envs", "--json", "--family", "talk").stdout)
    assert [one["id"] for one in found] == [spec.id for spec in GAMES.values() if spec.family == "talk"]
    assert {
        "id",
        "family",
        "summary",
        "seats",
        "utility_bounds",
        "levels",
        "tools",
        "slow",
        "installed",
        *FLAGS,
    } <= set(found[0])
    recipes = json.loads(command("list", "algorithms", "--json").stdout)
    assert all(one["name"] and one["summary"] for one in recipes)


def test_the_list_by_family(command: Callable[..., Any], refused: Callable[..., str]) -> None:
    lines = command("list", "envs", "--family", "talk").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[s.id, "talk"] for s in GAMES.values() if s.family == "talk"]
    assert "there is no family 'talks'; did you mean 'talk'?" in refused("list", "envs", "--family", "talks")
    assert "families are of environments" in refused("list", "models", "--family", "talk")
    assert len(catalogue("envs").splitlines()) == len(GAMES)
