"""`turnwise bench learn`: a tiny table from its YAML to its files, its verdicts by hand, and budgets of tokens."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from turnwise.algorithms import sweep
from turnwise.algorithms.bench.definition import read_bench
from turnwise.algorithms.bench.figures import at_calls, curve_mean, sides
from turnwise.algorithms.bench.learn import places, read_seeds, table
from turnwise.algorithms.bench.plan import bases, jobs
from turnwise.algorithms.bench.verdicts import MISSING, NOT_SEEN, ONE_SEED, REVERSED, SEEN, judge
from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.reporting.runlog import read_metrics

pytestmark = pytest.mark.processes

Command = Callable[..., Any]

TINY = """
seeds: [0, 1]
words: [engine.device=cpu, engine.threads=1, evaluation.final_games=8]
tasks:
  tools:
    title: look-ups
    figure: solved_rate
    words: [env=tool_chain, games_per_step=16, steps=2, evaluation.every=1, evaluation.games=8]
    quick: [steps=1]
    base: [model.sft.steps=4, model.sft.games=40, model.sft.batch=32]
    methods:
      grpo: [algorithm=grpo]
      rloo: [algorithm=rloo]
claims:
  - text: RLOO beats GRPO.
    source: nobody
    better: [tools/rloo]
    than: [tools/grpo]
"""


@pytest.fixture
def commands(command: Command, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that the table gives, each carried out in this process."""
    given: list[list[str]] = []

    def run(words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if words[0] != sys.executable:  # git, uname
            return subprocess.CompletedProcess(words, 0, "c0ffee", "")
        given.append(words[3:])
        done = command(*words[3:])
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    monkeypatch.setattr(sweep.subprocess, "run", run)
    return given


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path


def test_a_table_is_trained_written_and_goes_on(
    tmp_path: Path, definition: Path, commands: list[list[str]], command: Command
) -> None:
    out = tmp_path / "out"
    words = ["bench", "learn", "--table", definition, "--out", out, "--jobs", 1]
    done = command(*words)
    assert done.exit_code == 0, done.output
    assert [given[0] for given in commands] == ["sft", *["train"] * 4]
    found = json.loads((out / "learn.json").read_text())
    assert found["quick"] is False
    assert found["failures"] == []
    assert [(run["method"], run["seed"]) for run in found["runs"]] == [
        ("grpo", 0), ("rloo", 0), ("grpo", 1), ("rloo", 1)
    ]  # fmt: skip
    for run in found["runs"]:
        summary = json.loads((out / f"tools/{run['method']}-seed{run['seed']}/summary.json").read_text())
        assert (run["final"], run["tokens"], run["steps"]) == (summary["solved_rate"], summary["tokens"], 2)
        assert [point[0] for point in run["curve"]] == sorted({point[0] for point in run["curve"]})
        assert run["curve"][-1][:2] == [run["tokens"], run["answered"]]
    starts = {(run["method"], run["seed"]): run["words"] for run in found["runs"]}
    assert all(f"model.path={out / 'tools/warm_start'}" in given for given in starts.values())
    (claim,) = found["claims"]
    assert claim["verdict"] in (SEEN, REVERSED, NOT_SEEN)
    assert claim["verdict"] in done.stdout
    assert (out / "learn_tools.png").read_bytes().startswith(b"\x89PNG")

    # Again, after one run was lost and another stopped before its end.
    commands.clear()
    shutil.rmtree(out / "tools/rloo-seed0")
    (out / "tools/grpo-seed1/summary.json").unlink()
    assert command(*words).exit_code == 0
    assert [given[0] for given in commands] == ["train", "train"]
    assert commands[0][-1] == f"run_dir={out / 'tools/rloo-seed0'}"
    assert commands[1] == ["train", "--resume", str(out / "tools/grpo-seed1")]
    again = json.loads((out / "learn.json").read_text())
    assert [(run["final"], run["curve"]) for run in again["runs"]] == [
        (run["final"], run["curve"]) for run in found["runs"]
    ]

    # The same folder with other settings is not mixed up with it.
    refused = command(*words, "--quick")
    assert refused.exit_code == 2
    assert "runs with other settings, tools/grpo-seed0 for one" in refused.stderr


def test_a_run_that_fails_is_listed_and_the_others_count(
    tmp_path: Path, definition: Path, commands: list[list[str]], command: Command
) -> None:
    definition.write_text(TINY.replace("rloo: [algorithm=rloo]", "rloo: [algorithm=rlo]"))
    done = command("bench", "learn", "--table", definition, "--out", tmp_path / "out", "--quick", "--jobs", 1)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out/learn.json").read_text())
    assert [run["method"] for run in found["runs"]] == ["grpo"]
    assert [failure["run"] for failure in found["failures"]] == ["tools/rloo-seed0"]
    assert "did you mean 'rloo'" in found["failures"][0]["reason"]
    assert found["claims"][0]["verdict"] == MISSING
    assert {row["method"]: row["runs"] for row in found["methods"]} == {"grpo": 1, "rloo": 0}
    assert "FAILED tools/rloo-seed0" in done.stdout
    assert "quick form" in done.stdout


def test_the_table_that_comes_with_turnwise_composes() -> None:
    bench = table()
    for job in jobs(bench, Path("out")):
        if job.seed == 0:
            assert run_settings(compose(job.words)).seed == 0
    for words in bases(bench, Path("out")).values():
        assert run_settings(compose(words)).model.sft.steps > 0
    quick = bench.narrowed((), None, quick=True)
    assert {job.seed for job in jobs(quick, Path("out"))} == set(bench.quick_seeds)


def test_only_some_tasks_keep_their_claims() -> None:
    bench = table()
    assert [claim.text for claim in bench.narrowed(["kuhn"], [5], quick=False).claims] == [
        "RAE beats no baseline at Kuhn poker."
    ]
    with pytest.raises(SettingsError, match="there is no task 'kun'; did you mean 'kuhn'"):
        bench.narrowed(["kun"], None, quick=False)


def test_a_claim_names_methods_that_there_are() -> None:
    with pytest.raises(SettingsError, match=r"got 'tools/ppo'"):
        read_bench(TINY.replace("better: [tools/rloo]", "better: [tools/ppo]"))


def test_verdicts_by_hand() -> None:
    # Means 0.6 and 0.4; s = 0.1 on both sides, so the standard error is sqrt(2 * 0.01 / 3) = 0.0816; 2 of it are 0.163.
    ahead, behind = [0.5, 0.6, 0.7], [0.3, 0.4, 0.5]
    verdict = judge(ahead, behind, lower=False)
    assert verdict == (pytest.approx(0.2), pytest.approx(0.02**0.5 / 3**0.5), SEEN)
    assert judge(behind, ahead, lower=False).verdict == REVERSED
    assert judge(behind, ahead, lower=True).verdict == SEEN
    assert judge(ahead, [0.4, 0.5, 0.6], lower=False).verdict == NOT_SEEN  # 0.1 is less than 0.163
    assert judge(ahead, [0.4, 0.5, 0.6], lower=False, level_is_enough=True).verdict == SEEN
    assert judge([0.4, 0.5, 0.6], ahead, lower=False, level_is_enough=True).verdict == NOT_SEEN
    assert judge([1.0, 1.0], [1.0, 1.0], lower=False).verdict == NOT_SEEN
    assert judge([0.5], [0.3], lower=False) == (pytest.approx(0.2), None, ONE_SEED)
    assert judge([], [0.3], lower=False) == (None, None, MISSING)


def test_curves_by_hand() -> None:
    # (0 + 1) / 2 over 10 tokens, then 1 over 30: (5 + 30) / 40.
    assert curve_mean([0, 10, 40], [0.0, 1.0, 1.0]) == 35 / 40
    assert curve_mean([7], [0.25]) == 0.25
    run = {"curve": [[0, 0, 0.0], [10, 4, 0.5], [20, 8, 1.0]]}
    assert [at_calls(run, calls) for calls in (0, 2, 6, 100)] == [0.0, 0.25, 0.75, 1.0]


def test_half_the_calls_are_half_of_the_others_of_the_same_seed() -> None:
    claim = {"text": "", "source": "", "better": ["t/a"], "than": ["t/b"], "kind": "at_half_the_calls"}
    words = "tasks: {t: {title: t, figure: solved_rate, methods: {a: [], b: []}}}\nclaims: [" + json.dumps(claim) + "]"
    bench = read_bench(words)
    ours = {"task": "t", "method": "a", "answered": 9, "final": 1.0, "curve": [[0, 0, 0.0], [20, 8, 1.0]]}
    others = {"task": "t", "method": "b", "answered": 12, "final": 0.5, "curve": []}
    runs = [ours | {"seed": 0}, others | {"seed": 0}, ours | {"seed": 1}]  # seed 1 has one side only
    assert sides(bench.claims[0], runs, "final") == ([0.75], [0.5])


def test_seeds_and_places() -> None:
    assert read_seeds("0, 2,2") == (0, 2)
    assert read_seeds("") is None
    with pytest.raises(SettingsError, match="whole numbers"):
        read_seeds("0,x")
    home = places(None, None, None, whole=True, quick=False)  # the tests run at the top of the repository
    assert home == (Path("runs/bench_learn"), Path("benchmarks/results/learn.json"), Path("docs"))
    assert places(Path("o"), None, None, whole=False, quick=True) == (Path("o"), Path("o/learn.json"), Path("o"))


BUDGET = (
    *("env=tool_chain", "algorithm=arpo", "games_per_step=16", "checkpoint_every=2", "engine.device=cpu"),
    *("evaluation.every=2", "evaluation.games=8", "evaluation.final_games=8", "tensorboard=false"),
    *("model.sft.steps=4", "model.sft.games=40", "algorithm.magnet.weight=0", "token_budget=900"),
)


def test_a_token_budget_ends_a_run_and_is_kept(
    tmp_path: Path, command: Command, fingerprint: Callable[[Path], dict[str, Any]]
) -> None:
    whole = tmp_path / "whole"
    assert command("train", *BUDGET, f"run_dir={whole}").exit_code == 0
    records = read_metrics(whole)
    tokens = [record["tokens"] for record in records]
    assert tokens[0] == 0
    assert tokens[-2] < 900 <= tokens[-1]
    settings = run_settings(compose(BUDGET))
    for before, record in itertools.pairwise(records):
        share = before["tokens"] / 900
        assert record["learning_rate"] == settings.algorithm.optimisation.learning_rate_at(share, 0)
    summary = json.loads((whole / "summary.json").read_text())
    assert (summary["tokens"], summary["answered"]) == (tokens[-1], records[-1]["answered"])

    stopped = tmp_path / "stopped"
    shutil.copytree(whole, stopped)
    (stopped / "summary.json").unlink()
    last = sorted((stopped / "checkpoints").glob("step-*"))[-1]
    shutil.rmtree(last)
    assert command("train", "--resume", stopped).exit_code == 0
    assert fingerprint(stopped) == fingerprint(whole)


def test_tokens_and_answered_replies_are_counted_without_copies() -> None:
    from turnwise.agents.rollout import Plan, Rollout
    from turnwise.agents.scripted import scripted_agent

    expert = scripted_agent("expert")
    rollout = Rollout({"expert": expert}, record_messages=False)
    plan = Plan(id="a", env_id="ToolChain-LLM", seed=0, seats={"player_0": "expert"}, env_kwargs={"level": "hard"})
    table_ = rollout.seat(plan)
    rollout.play_turn([table_])
    twin = rollout.fork(table_, Plan(**{**_fields(plan), "id": "b"}))
    assert rollout.answered == 1
    while not (table_.over and twin.over):
        rollout.play_turn([one for one in (table_, twin) if not one.over])
    assert rollout.answered == 3  # the second look-up of each; the answers end the games
    rollout.release(table_)
    rollout.release(twin)


def test_solved_is_the_share_of_episodes_that_earned_everything() -> None:
    from turnwise.agents.rollout import Rollout, plans
    from turnwise.agents.scripted import scripted_agent
    from turnwise.algorithms.evaluation.measure import return_figures

    dense = {"dense": True}  # half is paid for the key
    games = [
        *_played(scripted_agent("expert"), dense, Rollout, plans, 3),
        *_played(scripted_agent("random"), dense, Rollout, plans, 1),
    ]
    games[-1] = replace(games[-1], returns={"player_0": 0.5})
    found = return_figures(games)
    assert (found["solved_rate"], found["mean_return"]) == (0.75, 0.875)


def _played(agent: Any, kwargs: dict[str, Any], rollout: Any, plans: Any, games: int) -> list[Any]:
    seats = {"player_0": agent.name}
    return rollout({agent.name: agent}).collect(plans("game", "KeyDoor-LLM", kwargs, seats, range(games)))


def _fields(plan: Any) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in ("env_id", "seed", "seats", "env_kwargs")}
