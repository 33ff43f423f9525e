"""Tournaments from end to end: who meets whom, what is played and what is not, and what is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnwise.algorithms.evaluation.players import players
from turnwise.algorithms.tournament import play
from turnwise.algorithms.tournament.games import Game
from turnwise.algorithms.tournament.pairings import round_robin, swiss_round
from turnwise.algorithms.tournament.settings import TournamentSettings, env_settings
from turnwise.algorithms.tournament.standings import standings
from turnwise.algorithms.tournament.tournament import tournament
from turnwise.parquet import read_parquet, write_parquet
from turnwise.records import Episode

NOBODY: frozenset[Any] = frozenset()


def held(folder: Path, words: list[str], said: list[str] | None = None, **settings: Any) -> dict[str, Any]:
    """A tournament of Kuhn poker in a folder."""
    people = players(words)
    rules = env_settings("KuhnPoker-LLM", people, [])
    saved = settings.pop("saved", None)
    return tournament(
        TournamentSettings(env=rules, **({"games": 8} | settings)),
        people,
        folder,
        say=(said if said is not None else []).append,
        saved=saved,
    )


# Who meets whom


def test_round_robin_is_every_pair_once() -> None:
    assert round_robin(["a", "b", "c"]) == [("a", "b"), ("a", "c"), ("b", "c")]


def test_swiss_pairs_neighbours_who_have_not_met() -> None:
    scores = {"a": 2.0, "b": 2.0, "c": 1.0, "d": 0.0}
    assert swiss_round(scores, NOBODY, NOBODY) == [("a", "b"), ("c", "d")]
    met = frozenset([frozenset("ab")])
    assert swiss_round(scores, met, NOBODY) == [("a", "c"), ("b", "d")]


def test_swiss_goes_back_where_the_last_two_have_met() -> None:
    scores = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0}
    met = frozenset(map(frozenset, ("cd", "ac")))
    assert swiss_round(scores, met, NOBODY) == [("a", "d"), ("b", "c")]


def test_swiss_gives_the_free_round_to_the_last_who_had_none() -> None:
    scores = {"a": 2.0, "b": 1.0, "c": 0.0}
    assert swiss_round(scores, NOBODY, NOBODY) == [("a", "b")]
    assert swiss_round(scores, NOBODY, frozenset("c")) == [("a", "c")]


def test_swiss_of_five_over_five_rounds_never_pairs_two_twice() -> None:
    names, met, rested, pairs = "abcde", NOBODY, NOBODY, []
    for _ in range(5):
        found = swiss_round(dict.fromkeys(names, 0.0), met, rested)
        pairs += [frozenset(pair) for pair in found]
        met = frozenset(pairs)
        rested |= set(names) - {name for pair in found for name in pair}
    assert len(pairs) == len(set(pairs)) == 10
    assert rested == frozenset(names)


# What is played


def test_a_pair_plays_each_deal_from_both_seats(tmp_path: Path) -> None:
    result = held(tmp_path, ["random", "optimal"])
    (file,) = result["episodes"]
    episodes = read_parquet(tmp_path / file)
    assert len(episodes) == 8
    assert [episode.metadata["kind"] for episode in episodes] == ["eval"] * 8
    by_seed: dict[int | None, set[str]] = {}
    for episode in episodes:
        by_seed.setdefault(episode.seed, set()).add(episode.seats["player_0"])
    assert list(by_seed.values()) == [{"random", "optimal"}] * 4
    (pair,) = result["pairs"]
    mine = [
        episode.returns[seat] for episode in episodes for seat, who in episode.seats.items() if who == pair["first"]
    ]
    assert pair["mean_return"] == pytest.approx(np.mean(mine))
    assert (pair["wins"], pair["losses"]) == (sum(value > 0 for value in mine), sum(value < 0 for value in mine))
    assert result["players"][0].keys() == result["players"][1].keys()


def test_all_pairs_play_the_same_deals_whoever_is_named_first(tmp_path: Path) -> None:
    one = held(tmp_path / "one", ["random", "optimal", "first_legal"])
    other = held(tmp_path / "other", ["first_legal", "optimal", "random"])
    seeds = {tuple(e.seed for e in read_parquet(tmp_path / "one" / file)) for file in one["episodes"]}
    assert len(seeds) == 1
    for mine, theirs in zip(one["players"], other["players"], strict=True):
        assert mine["name"] == theirs["name"]
        assert mine["elo"] == pytest.approx(theirs["elo"])
        assert mine["nash_rating"] == pytest.approx(theirs["nash_rating"], abs=1e-6)


def test_a_newcomer_plays_and_the_others_do_not_play_again(tmp_path: Path) -> None:
    said: list[str] = []
    assert held(tmp_path, ["random", "optimal"], said)["games_played_now"] == 8
    assert held(tmp_path, ["random", "optimal"], said)["games_played_now"] == 0
    assert held(tmp_path, ["optimal", "random", "first_legal"], said)["games_played_now"] == 16
    assert held(tmp_path, ["random", "optimal"], said, games=10)["games_played_now"] == 10
    assert held(tmp_path, ["random", "optimal"], said, seed=1)["games_played_now"] == 8
    assert len(said) == 5


def test_a_killed_tournament_goes_on_with_the_pairs_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, real, calls = ["random", "optimal", "first_legal", "constant"], play.play_deals, []

    def killed_at_the_third(*args: Any, **settings: Any) -> list[Episode]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **settings)

    monkeypatch.setattr(play, "play_deals", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        held(tmp_path, words)
    assert not (tmp_path / "tournament.json").exists()
    monkeypatch.setattr(play, "play_deals", real)
    result = held(tmp_path, words)
    assert result["games_played_now"] == 4 * 8
    whole = held(tmp_path.with_name("whole"), words)
    assert {**result, "games_played_now": 0} == {**whole, "games_played_now": 0}


def test_exploitability_is_known_of_those_whose_policy_is(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in held(tmp_path, ["random", "optimal", "first_legal"])["players"]}
    assert rows["random"]["nash_conv"] == pytest.approx(11 / 12)  # 0.917, uniform play in Kuhn poker
    assert rows["random"]["exploitability"] == pytest.approx(11 / 24)
    assert rows["optimal"]["nash_conv"] == pytest.approx(0, abs=1e-9)
    assert rows["first_legal"]["nash_conv"] is None


def test_swiss_leaves_out_what_needs_every_pair_and_says_so(tmp_path: Path) -> None:
    result = held(tmp_path, ["random", "optimal", "first_legal", "constant"], swiss=1)
    assert len(result["pairs"]) == 2
    assert all(row["nash_share"] is None and row["alpha_rank"] is None for row in result["players"])
    assert any("--swiss" in note for note in result["notes"])


def test_a_circle_is_told() -> None:
    wins = [("rock", "scissors"), ("scissors", "paper"), ("paper", "rock")] * 20
    games = [
        Game(first=one, second=two, deal=str(deal), first_return=1.0, second_return=-1.0)
        for deal, (one, two) in enumerate(wins)
    ]
    result = standings(games, ["rock", "paper", "scissors"], seed=0)
    assert result["cycles"] == [("rock", "scissors", "paper")]
    assert result["notes"] == ["nobody is best: rock beats scissors beats paper beats rock"]
    assert [row["nash_share"] for row in result["players"]] == pytest.approx([1 / 3] * 3, abs=1e-6)
    assert [row["alpha_rank"] for row in result["players"]] == pytest.approx([1 / 3] * 3)
    assert {round(row["elo"]) for row in result["players"]} == {1500}


def test_saved_games_of_a_person_count(tmp_path: Path) -> None:
    held(tmp_path / "bots", ["random", "optimal"])
    (file,) = (tmp_path / "bots/episodes").glob("*.parquet")
    person = [
        Episode(**{name: getattr(e, name) for name in e.__slots__} | {"seats": _with_person(e.seats)})
        for e in read_parquet(file)
    ]
    (tmp_path / "play").mkdir()
    write_parquet(tmp_path / "play/games.parquet", person)
    result = held(tmp_path / "bots", ["random", "optimal"], saved=tmp_path / "play")
    (human,) = [row for row in result["players"] if row["name"] == "human"]
    assert (human["kind"], human["games"]) == ("saved", 8)
    assert result["matrix"]["names"] == ["random", "optimal", "human"]
    with pytest.raises(ValueError, match="no finished game"):
        held(tmp_path / "bots", ["random", "optimal"], saved=tmp_path / "bots/played")


def _with_person(seats: Any) -> dict[str, str]:
    return {seat: "human" if name == "optimal" else name for seat, name in seats.items()}


# The command


@pytest.fixture(scope="module")
def result(command: Callable[..., Any], finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A tournament of a run, an earlier checkpoint of it, and two scripted agents, in `folder`."""
    folder = tmp_path_factory.mktemp("tournament")
    words = ("KuhnPoker-LLM", finished_run, f"{finished_run}:4", "random", "optimal", "--games", "8", "--out", folder)
    done = command("tournament", *words, "--json")
    assert done.exit_code == 0, done.stderr
    again = command("tournament", *words)
    assert again.exit_code == 0, again.stderr
    assert "NashConv" in again.stdout and str(folder) in again.stdout.replace("\n", "")
    found: dict[str, Any] = json.loads(done.stdout)
    return {"folder": folder, "again": json.loads((folder / "tournament.json").read_text()), **found}


def test_the_command_rates_checkpoints(result: dict[str, Any], finished_run: Path) -> None:
    rows = {row["name"]: row for row in result["players"]}
    assert rows.keys() == {finished_run.name, f"{finished_run.name}:4", "random", "optimal"}
    assert all(0 < rows[name]["nash_conv"] < 3 for name in (finished_run.name, f"{finished_run.name}:4"))
    assert sum(row["nash_share"] for row in rows.values()) == pytest.approx(1)
    assert result["env_kwargs"]["prompt"] == "compact"
    assert result["games_played_now"] == 6 * 8
    assert result["again"]["games_played_now"] == 0
    assert result["again"]["players"] == json.loads(json.dumps(result["players"]))


def test_the_pictures_are_there(result: dict[str, Any]) -> None:
    assert (result["folder"] / "matrix.png").read_bytes().startswith(b"\x89PNG")
    svg = (result["folder"] / "matrix.svg").read_text()
    assert "<svg" in svg and "</svg>" in svg


def test_a_person_plays_at_the_terminal(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from turnwise.cli import app

    words = ["tournament", "KuhnPoker-LLM", "first_legal", "human", "--games", "2", "--out", str(tmp_path)]
    stopped = CliRunner().invoke(app, words, input="[pass]\n")  # and then nothing more comes
    assert stopped.exit_code == 130
    assert not (tmp_path / "tournament.json").exists()
    done = CliRunner().invoke(app, words, input="[bet]\n" * 4)
    assert done.exit_code == 0, done.stderr
    assert "you are player_0" in done.stderr
    rows = {row["name"]: row for row in json.loads((tmp_path / "tournament.json").read_text())["players"]}
    assert rows["human"]["games"] == 2
    assert rows["human"]["invalid_rate"] == 0.0
    assert rows["human"]["mean_return"] == 1.0  # first_legal always passes, and so loses its ante to a bet


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("KuhnPoker-LLM", "random", "optiml"), "did you mean 'optimal'"),
        (("KuhnPoker-LLM", "random", "random"), "each player is named once"),
        (("KuhnPoker-LLM", "random"), "at least two players"),
        (("KuhnPoker-LLM", "random", "mcts(9)"), "mcts(9) cannot play KuhnPoker-LLM: mcts plays OpenSpiel's games"),
        (("KuhnPokr-LLM", "random", "optimal"), "KuhnPoker-LLM"),
        (("Sudoku-LLM", "random", "empty"), "games between two players: Sudoku-LLM has 1"),
        (("KuhnPoker-LLM", "random", "empty", "env.kwargs.x=1"), "does not fit KuhnPoker-LLM"),
        (("KuhnPoker-LLM", "random", "optimal", "--games", "7"), "even"),
        (("KuhnPoker-LLM", "random", "optimal", "--swiss", "0"), "swiss"),
    ],
)
def test_what_cannot_be_asked(refused: Callable[..., str], tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    assert why in refused("tournament", *words, "--out", tmp_path)


def test_a_step_that_is_not_there_names_those_that_are(refused: Callable[..., str], finished_run: Path) -> None:
    assert "has no checkpoint of step 5; it has: 4, 8, 12" in refused(
        "tournament", "KuhnPoker-LLM", f"{finished_run}:5", "random"
    )
