"""Each check finds the fault that it is for, and a game without faults passes all."""

from __future__ import annotations

from typing import Any

import pytest
from faulty_games import FAULTS
from kit_games import Cards, Chat, Hunt

from turnwise.envs.checker import hostile, subject
from turnwise.envs.checker.catalogue import CHECKS, Check, chosen
from turnwise.envs.checker.result import FAILED, NOT_APPLICABLE, PASSED
from turnwise.envs.checker.run import check_game
from turnwise.envs.checker.subject import Subject
from turnwise.envs.registry import GAMES
from turnwise.envs.spec import GameSpec


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Games that never end or crawl are found out sooner."""
    monkeypatch.setattr(subject, "SAMPLE_S", 0.05)
    monkeypatch.setattr("turnwise.envs.checker.endings.MOST_TURNS", 300)
    monkeypatch.setattr(subject, "MOST_TURNS", 300)
    monkeypatch.setattr(hostile, "LONGEST_READING_S", 0.25)


def check_of(name: str) -> Check:
    return next(check for check in CHECKS if check.name == name)


@pytest.mark.parametrize("game", [Hunt, Cards, Chat])
def test_a_good_game_passes_everything(game: type[Any]) -> None:
    report = check_game(Subject(game))
    assert [(result.name, result.detail) for result in report.results if result.verdict == FAILED] == []
    assert report.passed
    assert {result.name for result in report.results} == {check.name for check in CHECKS if check.run is not None}


def test_what_does_not_concern_a_game_is_not_applicable_and_says_why() -> None:
    report = check_game(Subject(Chat))
    reasons = {result.name: result.detail for result in report.results if result.verdict == NOT_APPLICABLE}
    assert reasons == {
        "gymnasium make_vec": "the game has no id for gymnasium.make_vec",
        "clone": "can_clone is False",
        "anchor": "has_anchor is False",
        "secrets": "has_secrets is False",
        "legal names": "actions are free text",
        "zero sum": "zero_sum is False",
        "levels": "levels is empty",
        "solution": "has_solution is False",
        "ground truth": "has_ground_truth is False",
    }


@pytest.mark.parametrize(("name", "game", "told"), FAULTS, ids=[f"{name}: {game.__name__}" for name, game, _ in FAULTS])
def test_a_fault_is_found_and_named(name: str, game: type[Any], told: str) -> None:
    (result,) = check_game(Subject(game), [check_of(name)]).results
    assert (result.verdict, told in result.detail) == (FAILED, True), f"{result.verdict}: {result.detail}"


def test_every_check_has_a_game_that_fails_it() -> None:
    elsewhere = {"gymnasium make_vec", "hash seeds", "offline", "import"}
    assert {check.name for check in CHECKS} == {name for name, _, _ in FAULTS} | elsewhere


def test_a_vector_that_differs_from_its_environments_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import gymnasium

    for name, verdict in (("Hunt", PASSED), ("CountsAllHunts", FAILED)):
        module = "kit_games" if name == "Hunt" else "faulty_games"
        spec = GameSpec(id=f"kit/{name}-LLM", entry_point=f"{module}:{name}")
        monkeypatch.setitem(GAMES, spec.id, spec)
        views = {"entry_point": "turnwise.envs.gym_view:TextGameEnv", "kwargs": {"game": spec.id}}
        gymnasium.register(spec.id, **views, vector_entry_point="turnwise.envs.vector:TextVectorEnv")
        try:
            (result,) = check_game(Subject(spec.id), [check_of("gymnasium make_vec")]).results
        finally:
            del gymnasium.registry[spec.id]
        assert result.verdict == verdict, result.detail
        assert (verdict == FAILED) == result.detail.startswith("a vector observes what its envs do alone")


def test_the_compact_prompt_is_asked_too() -> None:
    class SilentWhenCompact(Hunt):
        def observe(self, seat: str) -> str:
            text = super().observe(seat)
            return "" if self.compact else text

    (result,) = check_game(Subject(SilentWhenCompact), [check_of("read once")]).results
    assert result.verdict == FAILED
    assert result.detail.startswith("with prompt='compact': the seat that acts has something to read")
    (result,) = check_game(Subject(Hunt), [check_of("prompt growth")]).results
    assert result.figures["longest"] > result.figures["compact longest"] > 30


def test_figures_are_measured() -> None:
    report = check_game(Subject(Cards))
    assert report.find("random play ends").figures == {"turns per episode": 2.0, "longest": 2.0}
    assert report.find("utility bounds").figures == {"lowest": -1.0, "highest": 1.0}
    assert report.find("speed").figures["turns per second"] > 100
    balance = report.find("seat balance").figures
    assert balance["player_0"] == -balance["player_1"]
    assert report.find("pettingzoo parallel tests").figures == {"view": "TextGameParallel"}
    assert report.find("secrets").figures["texts traced"] > 10
    assert check_game(Subject(Hunt), [check_of("solution")]).find("solution").figures["return"] == 1.0


def test_a_game_that_cannot_be_made_fails_and_nothing_escapes() -> None:
    class NotYet(Hunt):
        def __init__(self) -> None:
            raise RuntimeError("not yet")

    report = check_game(Subject(NotYet))
    assert not report.passed
    assert all("RuntimeError: not yet" in result.detail for result in report.results if result.verdict == FAILED)
    assert sum(result.verdict == FAILED for result in report.results) > 20


def test_checks_are_chosen_by_name_or_group() -> None:
    assert [check.name for check in chosen("PettingZoo")][:2] == ["pettingzoo api_test", "pettingzoo seed_test"]
    assert [check.name for check in chosen("anchor")] == ["anchor"]
    assert chosen(None) == CHECKS
    with pytest.raises(ValueError, match="no check has 'ancor' in its name or group; checks: gymnasium check_env, "):
        chosen("ancor")


def test_every_check_says_what_is_promised() -> None:
    assert all(len(check.promise) > 30 for check in CHECKS)
    assert len({check.name for check in CHECKS}) == len(CHECKS)
