"""What all commands share: one screen of help, examples, JSON, the nearest name, exit codes, the TAB key."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from turnwise import __version__
from turnwise.algorithms.compose import compose, run_settings
from turnwise.algorithms.explained import explanation, keys_of
from turnwise.algorithms.outlook import outlook
from turnwise.cli import COMMANDS, app

Command = Callable[..., Any]
BIN = Path(sys.executable).parent
WITHOUT_RESULTS = {"view", "play"}
"""Commands that print nothing which a program would read."""


# --- help ----------------------------------------------------------------------------------------------------------


def test_the_help_is_one_screen(command: Command) -> None:
    shown = command("--help").stdout.rstrip().splitlines()
    assert len(shown) <= 24
    assert max(map(len, shown)) <= 80
    assert [line.split()[0] for line in shown if line.startswith("  ")] == list(COMMANDS)
    assert command("--version").stdout == f"turnwise {__version__}\n"


def test_the_page_has_every_command() -> None:
    page = (Path(__file__).resolve().parent.parent / "docs/cli.md").read_text()
    assert dict(re.findall(r"^\| `turnwise (\w+)` \| (.*) \|$", page, re.MULTILINE)) == COMMANDS


def test_the_help_loads_no_command_and_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv = ['turnwise', '--help']\nfrom turnwise.__main__ import main\n"
        "try: main()\nexcept SystemExit: pass\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", f"import json\n{code}"], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert sorted(loaded & {"torch", "transformers", "hydra", "rich.console", "pyarrow", "starlette", "textual"}) == []
    assert sorted(name for name in loaded if name.startswith("turnwise.commands.")) == ["turnwise.commands.completion"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_line_and_examples(command: Command, name: str) -> None:
    group: Any = typer.main.get_command(app)
    found = group.get_command(typer.Context(group), name)
    assert (found.help or "").strip().splitlines()[0] == COMMANDS[name]
    done = command(name, "--help")
    assert done.exit_code == 0
    assert "xamples:\n" in done.stdout
    assert f"  turnwise {name} " in done.stdout or f"  turnwise {name}\n" in done.stdout
    if name not in WITHOUT_RESULTS and not hasattr(found, "list_commands"):
        assert "--json" in done.stdout


def test_help_of_train_lists_groups_and_the_keys_of_the_chosen_ones(command: Command) -> None:
    shown = command("train", "env=leduc_poker", "algorithm=rloo", "--help").stdout
    groups, _, keys = shown.partition("Keys, KEY=VALUE")
    assert " leduc_poker* " in groups
    assert " rloo* " in groups
    assert " kuhn_poker " in groups
    assert "  algorithm.credit_settings.singleton=zero  advantage of a group of one: zero, raw or error\n" in keys
    assert (
        "  agent.sampling.max_tokens=10              longest reply, in tokens, of a model made for this game;\n" in keys
    )
    assert "  env.id=LeducPoker-LLM\n" in keys
    assert "  env.kwargs.prompt=compact                 wording of the observations: full or compact\n" in keys


def test_help_of_train_bears_what_is_not_given_yet_and_refuses_what_there_is_not(
    command: Command, refused: Callable[..., str]
) -> None:
    assert "  model.path=???                            folder or hub id" in explanation(["model=pretrained"])
    done = command("train", "env=leduk_poker", "--help")
    assert (done.exit_code, "did you mean 'leduc_poker'?" in done.stderr) == (2, True)


def test_keys_are_read_with_their_comments() -> None:
    text = "a:\n  b: 1   # one\n         # and more\n  c: [x, 2]  # two\n  d: 3\ne: {}  # none\n"
    assert [tuple(key) for key in keys_of(text)] == [
        ("a.b", "1", "one and more"),
        ("a.c", "[x, 2]", "two"),
        ("e", "{}", "none"),
    ]


# --- misspelt words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("trian", "there is no command trian; did you mean 'train'? (turnwise --help)"),
        ("bench lern", "there is no command lern; did you mean 'learn'? (turnwise bench --help)"),
        ("train --dryrun", "there is no option --dryrun; did you mean '--dry-run'? (turnwise train --help)"),
        ("list envs --famly x", "there is no option --famly; did you mean '--family'?"),
        ("check --famly x", "there is no option --famly; did you mean '--family'? (turnwise check --help)"),
        ("doctor --jsn", "there is no option --jsn; did you mean '--json'?"),
        ("new env x --foldr y", "there is no option --foldr; did you mean '--folder'?"),
        ("new envs x", "KIND is env or algorithm: got 'envs'; did you mean 'env'?"),
        ("list agnts", "there is no list of 'agnts'; did you mean 'agents'?"),
        ("list envs --family puzzels", "there is no family 'puzzels'; did you mean 'puzzles'?"),
        ("check --family puzzels", "there is no family 'puzzels'; did you mean 'puzzles'?"),
        ("check KuhnPokr-LLM", "no environment is called 'KuhnPokr-LLM'; did you mean 'KuhnPoker-LLM'?"),
        ("check --json Nim-LLM", "--json Nim-LLM would write a file of that name: put --json behind the ids"),
        ("train stps=3", "there is no setting 'stps'; did you mean 'steps'?"),
        ("train agent.sampling.temprature=1", "did you mean 'agent.sampling.temperature'?"),
        ("train env=kuhn_pokr", "there is no env called 'kuhn_pokr'; did you mean 'kuhn_poker'?"),
        ("train env.id=KuhnPokr-LLM", "did you mean 'KuhnPoker-LLM'?"),
        ("train env.kwargs.promt=full", "unexpected keyword argument 'promt'; did you mean 'prompt'?"),
        ("train algorithm=spirl", "there is no algorithm called 'spirl'; did you mean 'spiral'?"),
        ("train algorithm.credit=rlo", "got 'rlo'; did you mean 'rloo'?"),
        ("train model=tny", "there is no model called 'tny'; did you mean 'tiny'?"),
        ("train engine.name=vlm", "got 'vlm'; did you mean 'vllm'?"),
        ("train agent.opponent=rndom", "got 'rndom'; did you mean 'random'?"),
        ("train agent.opponent=mtcs(5)", "got 'mtcs(5)'; did you mean 'mcts'?"),
        ("sft --out x modle=tiny", "there is no setting 'modle'; did you mean 'model'?"),
    ],
)
def test_the_nearest_name_is_told(words: str, hint: str, command: Command) -> None:
    done = command(*words.split())
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith("turnwise: ")
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr


def test_what_is_missing_is_told_in_one_line(refused: Callable[..., str]) -> None:
    assert refused("list") == "Missing argument 'what'. (turnwise list --help)"


# --- a dry run -------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_a_step_does(command: Command) -> None:
    done = command("train", "algorithm=grpo", "--dry-run", "engine.device=cpu", "steps=7", "run_dir=/nowhere/x")
    assert done.exit_code == 0, done.output
    for line in (
        "First 150 updates of a warm start on 2,000 games that the scripted agent random plays.",
        "Then 7 steps, 3,584 episodes together.",
        "A step plays 512 episodes in 64 groups of 8 on one seed of KuhnPoker-LLM.",
        "The policy plays every seat.",
        "It learns from them by grpo (credit grpo, guard clip): 1 update of the weights, each over the whole batch.",
        "It is measured before the first step, every 50 steps and at the end: NashConv, exact over every information "
        "state.",
        "A checkpoint is written every 100 steps and at the end; the newest 2 and the best are kept.",
        "All of it goes to /nowhere/x.",
    ):
        assert line in done.stderr.splitlines()
    assert "memory of the run, " in done.stderr


def test_a_plan_as_json(command: Command) -> None:
    done = command("train", "--dry-run", "--json", "engine.device=cpu", "seed=3")
    found = json.loads(done.stdout)
    assert (found["config"]["seed"], found["config"]["env"]["id"]) == (3, "KuhnPoker-LLM")
    assert found["memory"][1].startswith("together ")
    assert found["steps"] == outlook(run_settings(found["config"]))


def test_whom_a_policy_meets() -> None:
    def told(*words: str) -> str:
        return " ".join(outlook(run_settings(compose(words))))

    assert "plays one seat, in turn, against optimal." in told("agent=fixed_opponent", "agent.opponent=optimal")
    league = told("agent=league", "agent.league.keep=3", "agent.league.self_share=0.25", "agent.league.every=9")
    assert "every seat in 25% of the groups, else one seat, in turn, against one of: up to 3 earlier selves" in league
    assert "A copy of it joins them every 9 steps." in league
    assert "win rates, 200 games each against random" in told("evaluation.method=win_rate")
    assert "Then steps until the policy has sampled 5,000 tokens." in told("token_budget=5000")


# --- JSON ------------------------------------------------------------------------------------------------------------


def test_training_and_its_warm_start_as_json(command: Command, tmp_path: Path) -> None:
    words = ("engine.device=cpu", "model.sft.steps=2", "model.sft.games=20", "model.sft.batch=16")
    made = command("sft", "--out", tmp_path / "model", "--json", *words)
    assert json.loads(made.stdout) == {"model": str(tmp_path / "model"), "env": "KuhnPoker-LLM", "steps": 2}
    more = ("steps=1", "games_per_step=4", "evaluation.final_games=2", f"run_dir={tmp_path / 'run'}")
    done = command("train", "--json", *words, *more)
    found = json.loads(done.stdout)
    assert found.pop("run_dir") == str(tmp_path / "run")
    assert found == json.loads((tmp_path / "run/summary.json").read_text())
    assert f"run folder: {tmp_path / 'run'}" in done.stderr


def test_a_report_and_lists_as_json(command: Command, finished_run: Path) -> None:
    page = finished_run / "report.html"
    assert json.loads(command("report", finished_run, "--json").stdout) == {"report": str(page)}
    models = json.loads(command("list", "models", "--json").stdout)
    assert [model["name"] for model in models if model["option"]] == ["pretrained", "tiny"]


def test_a_check_as_json(command: Command) -> None:
    done = command("check", "Nim-LLM", "-k", "clone", "--json")
    assert done.exit_code == 0
    (game,) = json.loads(done.stdout)["games"]
    assert (game["target"], game["passed"]) == ("Nim-LLM", True)
    assert "1 of 1 environments passed" in done.stderr


def test_a_bench_as_json(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def learn(*given: Any, say: Callable[[str], None], **settings: Any) -> dict[str, Any]:
        say("a line")
        return {"runs": []}

    monkeypatch.setattr("turnwise.algorithms.bench.learn.learn", learn)
    done = command("bench", "learn", "--quick", "--out", tmp_path, "--json")
    assert json.loads(done.stdout) == {"runs": []}
    assert done.stderr == "a line\n"


# --- the TAB key -----------------------------------------------------------------------------------------------------


def tab(shell: str, line: str) -> list[str]:
    """What a shell is offered for the end of a line."""
    words = line.split(" ")
    asked = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": line},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    env = {**os.environ, **asked, "_TURNWISE_COMPLETE": f"complete_{shell}"}
    done = subprocess.run([BIN / "turnwise"], env=env, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("shell", "line", "offered"),
    [
        ("bash", "turnwise re", ["report"]),
        ("bash", "turnwise bench l", ["learn"]),
        ("bash", "turnwise train --dr", ["--dry-run"]),
        ("bash", "turnwise train e", ["engine=", "env=", "evaluation=", "experiment="]),
        ("bash", "turnwise train mode", ["model=pretrained", "model=tiny"]),
        ("bash", "turnwise train model =", ["pretrained", "tiny"]),
        ("bash", "turnwise train steps = 3 env = kuh", ["kuhn_poker"]),
        ("bash", "turnwise sft algorithm = spo", ["spo_chain", "spo_tree"]),
        ("bash", "turnwise eval runs/x mode", ["model=pretrained", "model=tiny"]),
        ("bash", "turnwise check KuhnP", ["KuhnPoker-LLM"]),
        ("bash", "turnwise list al", ["algorithms"]),
        ("bash", "turnwise new a", ["algorithm"]),
        ("zsh", "turnwise train env=leduc", ["""_arguments '*: :(("env=leduc_poker"))'"""]),
        ("zsh", "turnwise rep", ["""_arguments '*: :(("report":"Write the report page of a run again."))'"""]),
        ("fish", "turnwise train algorithm=spo", ["algorithm=spo_chain", "algorithm=spo_tree"]),
        ("fish", "turnwise rep", ["report\tWrite the report page of a run again."]),
    ],
)
def test_what_the_tab_key_offers(shell: str, line: str, offered: list[str]) -> None:
    assert tab(shell, line) == offered


def test_bash_itself_completes_a_setting() -> None:
    """The script that --show-completion prints, in a real bash, with the words that its line editor makes."""
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    source = {**env, "_TURNWISE_COMPLETE": "source_bash"}
    script = subprocess.run([BIN / "turnwise"], env=source, capture_output=True, text=True, check=True).stdout
    line = 'COMP_WORDS=(turnwise train env = kuh); COMP_CWORD=4; _turnwise_completion turnwise; echo "${COMPREPLY[*]}"'
    done = subprocess.run(["bash", "-c", f"{script}\n{line}"], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "kuhn_poker"
