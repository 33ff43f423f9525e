"""Suites from end to end: what is played and kept, null agents, comparisons, the command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms.compose import options
from turnwise.algorithms.evaluation.nulls import NULLS, null_agent
from turnwise.algorithms.evaluation.players import folder_digest, player, players
from turnwise.algorithms.evaluation.store import Store, env_version
from turnwise.algorithms.suites import play
from turnwise.algorithms.suites.definition import Suite, raw_suite, read_suite
from turnwise.algorithms.suites.play import Cell, cells_of
from turnwise.algorithms.suites.suite import run_suite
from turnwise.parquet import read_parquet
from turnwise.records import Episode, Message, Request

SMALL = {
    "name": "small",
    "games": 4,
    "tasks": {
        "kuhn": {"env": "KuhnPoker-LLM", "opponent": "optimal", "measure": "return"},
        "number": {"env": "GuessTheNumber-LLM", "levels": ["easy", "medium"], "attempts": 2, "max_turns": 20},
    },
}


def small(**changes: Any) -> Suite:
    return read_suite({**SMALL, **changes})


def run(folder: Path, words: list[str], suite: Suite | None = None) -> dict[str, Any]:
    return run_suite(suite or small(), players(words), folder, lambda text: None)


# What is played


def test_a_cell_is_a_task_a_level_and_a_seed() -> None:
    found = list(cells_of(small(seeds=[0, 1]), player("random"), "full"))
    assert [(cell.task, cell.level, cell.seed) for cell in found] == [
        *(("kuhn", None, seed) for seed in (0, 1)),
        *(("number", level, seed) for level in ("easy", "medium") for seed in (0, 1)),
    ]
    assert [cell.deals() for cell in found] == [2] * 6  # 4 games: two seats, or two tries
    assert found[-1].kwargs == {"level": "medium", "prompt": "full"}


def test_games_are_rounded_up_to_whole_problems() -> None:
    cell = next(cells_of(small(games=5), player("random"), "full"))
    assert cell.deals() == 3


def test_a_suite_over_null_agents(tmp_path: Path) -> None:
    result = run(tmp_path, ["first_legal"])
    assert [one["name"] for one in result["nulls"]] == list(NULLS)
    (me,) = result["players"]
    assert me["tasks"]["kuhn"]["games"] == 4
    assert me["tasks"]["number"]["games"] == 8
    assert me["tasks"]["number"]["problems"] == 4
    empty = result["nulls"][1]["tasks"]
    assert empty["kuhn"]["invalid_rate"] == 1.0
    assert empty["kuhn"]["value"] == pytest.approx(-2.0)  # it forfeits every game, for the lowest return
    assert empty["number"]["value"] == 0.0
    assert {flag["task"] for flag in result["flags"]} == {"kuhn", "number"}
    assert all("no skill" in flag["text"] for flag in result["flags"])
    assert json.loads(Path(result["file"]).read_text()) == json.loads(json.dumps(result))


def test_skill_is_not_flagged(tmp_path: Path) -> None:
    suite = small(games=8, tasks={"number": SMALL["tasks"]["number"]})  # type: ignore[index]
    result = run(tmp_path, ["expert", "random"], suite)
    assert result["players"][0]["tasks"]["number"]["value"] == 1.0
    assert {flag["player"] for flag in result["flags"]} == {"random"}
    (compared,) = result["comparisons"]
    assert (compared["first"], compared["second"]) == ("expert", "random")
    assert compared["tasks"]["number"]["interval"][0] > 0
    mine, theirs = (one["score"] for one in result["players"])
    assert compared["score"]["mean"] == pytest.approx(mine - theirs)


def test_an_agent_against_itself_is_even(tmp_path: Path) -> None:
    result = run(tmp_path, ["optimal"], small(games=40, nulls=[], tasks={"kuhn": SMALL["tasks"]["kuhn"]}))  # type: ignore[index]
    assert result["players"][0]["tasks"]["kuhn"]["value"] == 0.0
    assert result["flags"] == []


def test_episodes_are_kept_with_their_names(tmp_path: Path) -> None:
    result = run(tmp_path, ["random"], small(nulls=[]))
    (file,) = result["players"][0]["tasks"]["kuhn"]["episodes"]
    episodes = read_parquet(tmp_path / file)
    assert {tuple(sorted(episode.seats.values())) for episode in episodes} == {("optimal", "random")}
    assert {episode.metadata["kind"] for episode in episodes} == {"eval"}


# What is not played again


def test_a_second_call_costs_nothing(tmp_path: Path) -> None:
    first = run(tmp_path, ["first_legal"])
    assert first["games_played_now"] == 5 * 12  # the agent and four null agents
    second = run(tmp_path, ["first_legal"])
    assert second["games_played_now"] == 0
    assert {**second, "games_played_now": 60} == first
    assert (
        run(tmp_path, ["first_legal", "expert"], small(tasks={"number": SMALL["tasks"]["number"]}))[  # type: ignore[index]
            "games_played_now"
        ]
        == 8
    )
    assert run(tmp_path, ["first_legal"], small(seeds=[0, 1]))["games_played_now"] == 60
    assert run(tmp_path, ["first_legal"], small(games=6))["games_played_now"] == 5 * 18


def test_a_killed_suite_goes_on_with_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = play.play_deals, []

    def killed_at_the_third(*args: Any, **settings: Any) -> list[Episode]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*args, **settings)

    monkeypatch.setattr(play, "play_deals", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, ["first_legal"])
    assert len(list((tmp_path / "played").iterdir())) == 2
    monkeypatch.setattr(play, "play_deals", real)
    assert run(tmp_path, ["first_legal"])["games_played_now"] == 60 - 2 * 4


def test_processes_play_the_same_games(tmp_path: Path) -> None:
    alone = run(tmp_path / "alone", ["first_legal"], small(nulls=["empty"]))
    together = run(tmp_path / "together", ["first_legal"], small(nulls=["empty"], jobs=2))
    assert together["games_played_now"] == alone["games_played_now"] == 24
    for name in ("players", "nulls", "flags"):
        assert together[name] == alone[name]


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"games": 8}, {"level": "easy"}, {"prompt": "compact"}, {"task": "renamed"}]
)
def test_games_depend_on_all_but_the_name_of_the_task(changes: dict[str, Any]) -> None:
    task = small().tasks["number"]
    values: dict[str, Any] = {"task": "number", "level": "medium", "seed": 0, "games": 4, "prompt": "full"}
    who = player("random")
    same = Cell(rules=task, **values).parts(who) == Cell(rules=task, **{**values, **changes}).parts(who)
    assert same == ("task" in changes)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path)
    batch = store.add({"a": 1}, [], [], {})
    (tmp_path / "played" / f"{batch.key}.json").write_text("{")
    with pytest.raises(ValueError, match=r"is damaged .*; remove it"):
        store.find({"a": 1})


def test_the_version_of_an_environment_is_that_of_its_family() -> None:
    assert env_version("KuhnPoker-LLM")["id"] == "KuhnPoker-LLM"
    assert env_version("KuhnPoker-LLM")["source"] == env_version("Nim-LLM")["source"]  # files of one family
    assert env_version("KuhnPoker-LLM")["source"] != env_version("Sudoku-LLM")["source"]


def test_the_version_of_a_module_that_stands_alone(flaky: str) -> None:
    source = Path(__file__).parents[1] / "flaky_game.py"
    assert env_version(flaky)["source"] == hashlib.sha256(source.read_bytes()).hexdigest()[:20]


def test_weights_are_known_by_their_bytes_not_their_place(finished_run: Path, tmp_path: Path) -> None:
    model = finished_run / "checkpoints/step-000012/model"
    assert player(str(finished_run)).fingerprint == player(f"{finished_run}:12").fingerprint
    assert player(f"{finished_run}:8").fingerprint != player(f"{finished_run}:12").fingerprint
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in model.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert folder_digest(copy) == folder_digest(model)
    (copy / "config.json").write_text("{}")
    assert folder_digest(copy) != folder_digest(model)


# Null agents


def test_what_null_agents_say() -> None:
    request = Request(seat="player_0", messages=(Message("user", "rules"), Message("user", "read me")), seed=0)
    said = {name: null_agent(name, "KuhnPoker-LLM", {}) for name in NULLS if name != "random"}
    assert said["empty"].act([request])[0].text == ""
    assert said["copy"].act([request])[0].text == "read me"
    assert said["constant"].act([request])[0].text in ("[check]", "[bet]", "[pass]")
    with pytest.raises(ValueError, match="null agents are"):
        null_agent("lazy", "KuhnPoker-LLM", {})


# Definitions


def test_every_suite_can_be_read_and_is_summed_up() -> None:
    assert {"core", "puzzles", "tools", "credit"} <= set(options("suite"))
    for name in ("core", "puzzles", "tools", "credit"):
        suite = read_suite(raw_suite(name, ["suite.games=20"]))
        assert suite.summary and suite.games == 20 and set(suite.nulls) == set(NULLS)


def test_words_change_a_suite() -> None:
    values = raw_suite("core", ["suite.seeds=[3,4]", "suite.tasks.nim=null", "suite.tasks.kuhn_poker.opponent=random"])
    suite = read_suite(values)
    assert suite.seeds == (3, 4)
    assert "nim" not in suite.tasks
    assert suite.tasks["kuhn_poker"].opponent == "random"
    assert read_suite(raw_suite("core", [])).tasks["kuhn_poker"].opponent == "optimal"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("random", "suite=cor"), "did you mean 'core'"),
        (("random", "suite=core", "suite.gmes=3"), "there is no setting suite.gmes; did you mean 'games'"),
        (("random", "suite=core", "suite.games=0"), "games"),
        (("random", "suite=core", "suite.tasks.nmi=null"), "did you mean 'nim'"),
        (("random", "suite=core", "suite.nulls=[lazy]"), "nulls is one of"),
        (("random", "suite=core", "suite.tasks.nim.opponent=null"), "opponent is for games of several"),
        (("random", "suite.games=3"), "give suite=NAME"),
        (("random", "random", "suite=core"), "each player is named once"),
        (("nobody", "suite=core"), "there is no folder nobody with weights"),
        (("optimal", "suite=core"), "optimal cannot play leduc_poker (suite.tasks.leduc_poker=null leaves it out): "),
        (("human", "suite=core", "suite.nulls=[]"), "a person plays in tournaments"),
    ],
)
def test_what_cannot_be_asked(refused: Callable[..., str], tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    assert why in refused("eval", *words, "--out", tmp_path)


# The command


def test_the_command_compares_a_run_with_its_checkpoint(
    command: Callable[..., Any], finished_run: Path, tmp_path: Path
) -> None:
    kept = "suite.tasks.leduc_poker=null suite.tasks.liars_dice=null suite.tasks.nim=null suite.tasks.connect_four=null"
    words = ("eval", finished_run, f"{finished_run}:4", "suite=core", "suite.games=4", *kept.split(), "--out", tmp_path)
    done = command(*words, "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads(done.stdout)
    assert [one["kind"] for one in result["players"]] == ["weights", "weights"]
    assert all(one["tasks"]["kuhn_poker"]["tokens"] > 0 for one in result["players"])
    assert result["comparisons"][0]["tasks"].keys() == {"kuhn_poker", "tic_tac_toe", "tic_tac_toe_mcts"}
    again = command(*words)
    assert again.exit_code == 0
    assert "best null" in again.stdout and "note: " in again.stdout
    assert json.loads(Path(result["file"]).read_text())["games_played_now"] == 0
