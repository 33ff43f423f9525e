"""The races against peers: their game is one game on both sides, and turnwise's side runs and says what is true."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(FOLDER))
race_assets, race_game, race_rules, race_table, race_trl = (
    import_module(name) for name in ("race_assets", "race_game", "race_rules", "race_table", "race_trl")
)


def test_a_game_is_won_lost_drawn_or_forfeited() -> None:
    won = race_rules.Board(lambda count: 0)  # the opponent takes the lowest free cell
    assert won.play(8) == "O 1 2\n3 4 5\n6 7 X"
    assert won.play(7) == "O O 2\n3 4 5\n6 X X"
    assert won.play(6) == "You win."
    assert (won.over, won.score) == (True, 1.0)
    assert won.play(2) == "The game is over."
    lost = race_rules.Board(lambda count: 0)
    assert [lost.play(cell) for cell in (3, 8, 5)][-1] == "You lose."
    assert lost.score == -1.0
    for wrong in (9, "1", True, None):
        board = race_rules.Board(lambda count: 0)
        assert board.play(wrong) == "That cell is not free. You lose."
        assert (board.over, board.score) == (True, -1.0)
    replies = iter((3, 0, 3, 1))  # O takes 4, 1, 6 and 5
    drawn = race_rules.Board(lambda count: next(replies))
    assert [drawn.play(cell) for cell in (0, 8, 7, 2, 3)][-1] == "It is a draw."


@pytest.mark.parametrize(
    ("reply", "cells"),
    [
        (race_rules.call(4), [4]),
        ("I think.\n" + race_rules.call(4) + "\n" + race_rules.call(5), [4, 5]),
        ("Game over.", []),
        ('<tool_call>\n{"name": "play", "arguments": {"cell": 4}\n</tool_call>', []),
        ("<tool_call>\n[4]\n</tool_call>", []),
        ('<tool_call>\n{"arguments": {"cell": 4}}\n</tool_call>' + race_rules.call(1), []),
    ],
)
def test_calls_are_read_all_or_none(reply: str, cells: list[int]) -> None:
    assert [one["arguments"]["cell"] for one in race_rules.calls(reply)] == cells


class Lowest:
    def integers(self, count: int) -> int:
        return 0


@pytest.mark.parametrize("ends", [False, True])
def test_turnwise_plays_the_game_that_trl_plays(ends: bool) -> None:
    game, environment = race_game.CalledTicTacToe(ends), race_rules.Environment()
    game.start(Lowest())
    assert game.observe("player_0") == race_rules.RULES + environment.reset()
    returned = 0.0
    for cell in (8, 7, 6):
        step = game.play(race_rules.call(cell))
        returned += step.rewards["player_0"]
        assert game.observe("player_0") == environment.play(cell)
    assert returned == environment.get_reward() == 1.0
    assert (game.seat is None) == ends
    if not ends:
        assert game.play("Game over.").terminated


def test_a_call_of_another_tool_is_told_so_and_costs_nothing() -> None:
    game = race_game.CalledTicTacToe()
    game.start(np.random.default_rng(0))
    step = game.play('<tool_call>\n{"name": "peek", "arguments": {}}\n</tool_call>')
    assert (step.rewards, step.terminated) == ({"player_0": 0.0}, False)
    assert game.observe("player_0") == "{'error': 'Tool peek not found.'}"


def test_figures_are_medians_and_ratios_of_the_same_repeat() -> None:
    def result(cpu_s: float, tokens: int, memory: float) -> dict[str, Any]:
        sizes = {"memory_start_mb": 100.0, "memory_peak_mb": memory, "memory_above_mb": memory - 100}
        return {"cpu_s": cpu_s, "tokens": tokens, "turns": 128, **sizes, "worst": 2e-6}

    peer = [result(6.0, 200, 500), result(8.0, 200, 500), result(4.0, 200, 500)]
    ours = [result(1.0, 100, 300), result(2.0, 100, 300), result(2.0, 100, 300)]
    row = race_trl.row(32, "turnwise", ours, peer)
    assert (row["cpu_s"], row["turns_per_rollout"], row["us_per_token"]) == (2.0, 4.0, 20_000)
    assert (row["times_faster"], row["times_faster_low"], row["times_faster_per_token"]) == (4.0, 2.0, 2.0)
    assert (row["memory_peak"], row["memory_above"]) == (0.6, 0.5)
    with pytest.raises(SystemExit, match=r"off by 2\.0e-05 nats"):
        race_trl.row(32, "turnwise", [{**ours[0], "worst": 2e-5}], None)
    with pytest.raises(SystemExit, match="script_ids differ"):
        race_trl._require_same_ids(
            {"trl": {"prompt_ids": [1], "script_ids": [1]}, "turnwise": {"prompt_ids": [1], "script_ids": [2]}}
        )


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned nothing, and what trl would say of the prompt."""
    folder = tmp_path_factory.mktemp("assets")
    tokenizer = race_assets.make_tokenizer(race_assets.OUR_TEMPLATE)
    race_assets.make_model(tokenizer).save_pretrained(folder / "turnwise")
    tokenizer.save_pretrained(folder / "turnwise")
    (folder / "about.json").write_text(json.dumps({"system": "# Tools\n\n<tools>play</tools>", "prompt_tokens": 100}))
    return folder


@pytest.mark.processes
def test_our_side_runs_and_its_log_probs_are_those_of_transformers(assets: Path) -> None:
    line = [sys.executable, str(FOLDER / "race_ours.py"), str(assets), "--rollouts", "8", "--steps", "1"]
    words = ["agent.sampling.max_tokens=24"]
    done = subprocess.run([*line, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["worst"] < race_trl.MOST_NATS
    assert (found["turns"], found["steps"], len(found["laps"]), len(found["reward"])) == (8, 1, 2, 2)
    assert 8 <= found["tokens"] <= 8 * 24
    assert found["laps"][1] == found["cpu_s"] > 0
    assert found["memory_peak_mb"] - found["memory_start_mb"] == pytest.approx(found["memory_above_mb"])
    assert found["script_ids"][: len(found["prompt_ids"])] == found["prompt_ids"]


def test_what_is_read_may_hold_the_tokens_of_calls_but_not_those_of_messages() -> None:
    tokenizer = race_assets.make_tokenizer(race_assets.OUR_TEMPLATE)
    assert len(tokenizer) <= race_assets.VOCABULARY
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    assert special == {race_assets.PAD, race_assets.START, race_assets.END}
    text = race_rules.call(4)
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True) == text
    assert tokenizer.eos_token == race_assets.END


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_tells_what_was_measured() -> None:
    page = race_table.PAGE.read_text()
    assert page == race_table.filled(page, race_table.read_results()), "python benchmarks/race_table.py --write"
    assert all(f"<!-- race_table: {name} -->" in page for name in race_table.PARTS)


def test_what_was_not_measured_is_said_to_be() -> None:
    lines = race_table.part({}, "summary").splitlines()
    assert lines[2] == (
        "| multi-turn GRPO step, 32 rollouts | not yet measured | not yet measured |  | 4.5 times | 10.0 times |  |"
    )
    assert sum("not yet measured" in line for line in lines) == len(lines) - 2
    assert [race_table.part({}, name) for name in race_table.PARTS if name != "summary"] == (
        ["This is not yet measured.\n"] * 6
    )
    with pytest.raises(KeyError, match="a table is called summary, trl"):
        race_table.part({}, "speed")


def test_a_race_is_short_of_its_goal_meets_it_or_goes_beyond() -> None:
    def verdict(times: float, **rest: bool) -> str:
        return race_table.Line("a", "b", "c", times, "{}", *((0.5, 0.2) if rest else (4.5, 10)), **rest).verdict()

    assert [verdict(times) for times in (4.4, 4.5, 10)] == ["short of it", "met", "beyond"]
    assert [verdict(times, less=True) for times in (0.51, 0.5, 0.2)] == ["short of it", "met", "beyond"]
    rows = [
        {"rollouts": 32, "side": "trl", "cpu_s": 5.5, "memory_peak_mb": 1500.0},
        {
            "rollouts": 32,
            "side": "turnwise",
            "cpu_s": 1.1,
            "times_faster": 5.0,
            "memory_peak_mb": 600.0,
            "memory_peak": 0.4,
        },
    ]
    first, _, memory, *_ = race_table.lines({"race_trl": {"rows": rows}})
    assert first.cells()[1:] == ("trl: 5.50 s", "1.10 s", "5.0 times", "4.5 times", "10.0 times", "met")
    assert memory.cells()[1:] == ("trl: 1,500 MB", "600 MB", "0.40 of it", "0.50 of it", "0.33 of it", "met")
