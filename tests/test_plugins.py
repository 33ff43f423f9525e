"""Plugins: an example is installed and used in every way, broken ones are refused and spoil nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from turnwise.envs.plugins import Plugin, config_folders, plugin_specs, read_plugins
from turnwise.envs.registry import GAMES

HERE = Path(__file__).resolve().parent


def run(site: Path, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A Python that sees the packages in `site` beside its own."""
    env = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd or site, env=env, capture_output=True, text=True, check=False, timeout=300
    )


def output(site: Path, code: str) -> str:
    done = run(site, "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the example: built as anybody's would be, without the network."""
    root = tmp_path_factory.mktemp("plugin")
    source = shutil.copytree(HERE / "plugin", root / "source", ignore=shutil.ignore_patterns("*.egg-info", "build"))
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(root / "site"))
    done = run(root, "-m", "pip", "install", *options, str(source))
    assert done.returncode == 0, done.stderr
    return root / "site"


def declare(site: Path, package: str, entries: dict[str, str], *, text: str | None = None) -> Path:
    """An installed package as its metadata shows it, and an empty module."""
    folder = site / f"{package.replace('-', '_')}-0.1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\nSummary: Of {package}\n")
    lines = "".join(f"{name} = {place}\n" for name, place in entries.items())
    (folder / "entry_points.txt").write_text(text or f"[turnwise.envs]\n{lines}")
    return folder


# --- the example, in every way -------------------------------------------------------------------------------------


def test_importing_turnwise_knows_the_ids_and_loads_nothing_of_the_plugin(site: Path) -> None:
    code = (
        "import sys, turnwise, gymnasium\n"
        "known = [name for name in gymnasium.registry if name.startswith('acme/')]\n"
        "print(known, 'acme_maze' in sys.modules)"
    )
    assert output(site, code) == "['acme/Crossroads-LLM', 'acme/Maze-LLM'] False"


def test_every_view_of_a_plugin_s_game(site: Path) -> None:
    code = """
import gymnasium as gym, turnwise
env = gym.make("acme/Maze-LLM", level="hard")
text, info = env.reset(seed=0)
print(text.splitlines()[1], info["legal_actions"])
print(turnwise.make_game("acme/Maze-LLM").levels)
vector = gym.make_vec("acme/Maze-LLM", 3)
print(len(vector.reset(seed=0)[0]))
aec = turnwise.aec_env("acme/Crossroads-LLM")
aec.reset(seed=0)
aec.step("[go]"), aec.step("[wait]")
print(aec.rewards)
parallel = turnwise.parallel_env("acme/Crossroads-LLM")
parallel.reset(seed=0)
print(parallel.step({"player_0": "[wait]", "player_1": "[go]"})[1])
"""
    first, *others = output(site, code).splitlines()
    assert first.startswith("Room 0,0 of 4x4. Doors: ")
    assert others == [
        "('easy', 'medium', 'hard')",
        "3",
        "{'player_0': 1.0, 'player_1': 0.0}",
        "{'player_0': 0.0, 'player_1': 1.0}",
    ]


def test_check_passes_on_a_plugin(site: Path, tmp_path: Path) -> None:
    done = run(site, "-m", "turnwise", "check", "--family", "plugins", "--json", str(tmp_path / "check.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 environments passed" in done.stdout
    games = json.loads((tmp_path / "check.json").read_text())["games"]
    assert {game["capabilities"]["package"] for game in games} == {"acme-maze"}
    views = [result["figures"]["view"] for game in games for result in game["results"] if "view" in result["figures"]]
    assert sorted(views) == ["TextGameParallel", "turn_based_aec_to_parallel"]


@pytest.mark.processes
def test_two_steps_of_training_under_its_own_config(site: Path, tmp_path: Path) -> None:
    small = ("steps=2", "games_per_step=8", "model.sft.steps=3", "model.sft.games=20", "evaluation.final_games=4")
    done = run(
        site, "-m", "turnwise", "train", "env=acme_maze", *small, "engine.device=cpu", f"run_dir={tmp_path / 'run'}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    config = (tmp_path / "run/config.yaml").read_text()
    assert "max_tokens: 8" in config, "the plugin's own option was read"
    done = run(site, "-m", "turnwise", "train", "env=acme/Crossroads-LLM", "--dry-run")
    assert "max_tokens: 8" in done.stdout, "an id finds the option that is made for it"


def test_lists_show_it(site: Path) -> None:
    done = run(site, "-m", "turnwise", "list", "envs", "--family", "plugins")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["acme/Crossroads-LLM", "acme/Maze-LLM"]
    assert "Corridors to walk and a crossroads to share (acme-maze 1.2.0)" in done.stdout
    done = run(site, "-m", "turnwise", "list", "envs", "--family", "plugins", "--json")
    (crossroads, maze) = json.loads(done.stdout)
    assert (crossroads["simultaneous"], crossroads["seats"]) == (True, ["player_0", "player_1"])
    assert (maze["has_solution"], maze["has_ground_truth"], maze["levels"]) == (True, False, ["easy", "medium", "hard"])
    assert (maze["package"], maze["installed"], maze["utility_bounds"]) == ("acme-maze", True, [0.0, 1.0])


def test_doctor_makes_every_game_of_it(site: Path) -> None:
    done = run(site, "-m", "turnwise", "doctor")
    assert "ok    acme/Maze-LLM                 acme-maze 1.2.0, acme_maze.maze:Maze" in done.stdout, done.stderr
    assert "nothing is wrong" in done.stdout
    assert done.returncode == 0


# --- refusals ------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str | None]:
    """(id, package) -> why it is refused, of a site with packages of every kind."""
    declare(tmp_path, "fine", {"fine/Game-LLM": "fine.game:Game", "fine/Other.v2-LLM": "fine.game:make.other"})
    declare(tmp_path, "bare", {"Bare-LLM": "bare:Game"})
    declare(tmp_path, "deep", {"a/b/c-LLM": "deep:Game", "sp ace/X": "deep:Game", "deep/X-v0": "deep:Game"})
    declare(tmp_path, "ours", {"turnwise/X-LLM": "ours:Game", "openspiel/chess-LLM": "ours:Game"})
    declare(tmp_path, "first", {"shared/Game-LLM": "first:Game"})
    declare(tmp_path, "second", {"shared/Game-LLM": "second:Game"})
    declare(tmp_path, "vague", {"vague/Game-LLM": "vague"})
    declare(tmp_path, "torn", {}, text="[turnwise.envs]\nno equals sign\n")
    monkeypatch.syspath_prepend(tmp_path)
    return {(plugin.id, plugin.package): plugin.problem for plugin in read_plugins(["OpenSpiel/chess-LLM", "Nim-LLM"])}


def test_ids_are_namespaced_well_formed_and_nobody_else_s(crowd: dict[tuple[str, str], str | None]) -> None:
    assert crowd["fine/Game-LLM", "fine"] is None
    assert crowd["fine/Other.v2-LLM", "fine"] is None
    shape = "an id is NAMESPACE/Name-LLM, of letters, digits, _, . and -, without a version: got "
    for env_id, package in (("Bare-LLM", "bare"), ("a/b/c-LLM", "deep"), ("sp ace/X", "deep"), ("deep/X-v0", "deep")):
        assert crowd[env_id, package] == shape + repr(env_id)
    for env_id in ("turnwise/X-LLM", "openspiel/chess-LLM"):
        assert "belongs to turnwise" in (crowd[env_id, "ours"] or "")


def test_of_two_packages_with_one_id_neither_counts(crowd: dict[tuple[str, str], str | None]) -> None:
    for package in ("first", "second"):
        assert "shared/Game-LLM is declared 2 times" in (crowd["shared/Game-LLM", package] or "")


def test_malformed_declarations_are_refused_alone(crowd: dict[tuple[str, str], str | None]) -> None:
    assert crowd["vague/Game-LLM", "vague"] == "an entry point is written module:name: got 'vague'"
    assert (crowd["?", "torn"] or "").startswith("its entry_points.txt cannot be read: ")


def test_refused_games_get_no_spec() -> None:
    plugins = [
        Plugin(id="a/B-LLM", entry_point="a:B", package="a", version="1", summary="Fun"),
        Plugin(id="B-LLM", entry_point="a:B", package="a", problem="no namespace"),
    ]
    (spec,) = plugin_specs(plugins)
    assert (spec.id, spec.entry_point, spec.family, spec.summary) == ("a/B-LLM", "a:B", "plugins", "Fun (a 1)")


def test_config_folders_are_found_without_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud/configs").mkdir(parents=True)
    (tmp_path / "loud/__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    places = ["loud.deep.game:Game", "loud:Other", "nowhere_at_all:Game"]
    assert config_folders(places) == [tmp_path / "loud/configs"]


def test_a_plugin_that_cannot_be_imported_is_isolated_and_named(tmp_path: Path) -> None:
    modules = {
        "raising": "raise RuntimeError('no licence')",
        "leaving": "raise SystemExit(7)",
        "killing": "import os; os.abort()",
        "empty": "",
        "wrong": "Game = dict",
        "good": "from turnwise.envs.negotiation import SimpleNegotiation as Game",
    }
    for name, code in modules.items():
        (tmp_path / f"plug_{name}.py").write_text(code)
        declare(tmp_path, f"plug-{name}", {f"plug-{name}/Game-LLM": f"plug_{name}:Game"})
    declare(tmp_path, "plug-bare", {"Bare-LLM": "plug_good:Game"})
    code = """
import turnwise
print(turnwise.make_game("plug-good/Game-LLM").seats, turnwise.make_game("SimpleNegotiation-LLM").seats)
for name in ("plug-raising/Game", "plug-leaving/Game", "plug-empty/Game", "plug-wrong/Game", "Bare"):
    try:
        turnwise.make_game(f"{name}-LLM")
    except Exception as error:
        print(type(error).__name__, error)
"""
    good, raising, leaving, empty, wrong, bare = output(tmp_path, code).splitlines()
    assert good == "('player_0', 'player_1') ('player_0', 'player_1')"
    begin = "PluginError plug-raising/Game-LLM comes from the package plug-raising 0.1, which cannot be loaded: "
    assert raising == f"{begin}importing plug_raising:Game raised RuntimeError: no licence"
    assert leaving.endswith("importing plug_leaving:Game raised SystemExit: 7")
    assert "raised AttributeError: " in empty
    assert wrong == "TypeError plug_wrong:Game must return a TextGame: got dict"
    assert bare.startswith("UnknownEnv 'Bare-LLM' of the package plug-bare is refused: an id is NAMESPACE/Name-LLM")

    done = run(tmp_path, "-m", "turnwise", "doctor")
    assert done.returncode == 1, done.stdout
    lines = {line.split()[1]: line for line in done.stdout.split("plugins\n")[1].splitlines() if line.startswith("  ")}
    assert lines["plug-good/Game-LLM"].startswith("  ok ")
    assert lines["plug-raising/Game-LLM"].startswith("  FAIL") and "no licence" in lines["plug-raising/Game-LLM"]
    assert lines["plug-killing/Game-LLM"].startswith("  FAIL")
    assert "is refused" not in lines["Bare-LLM"] and "an id is NAMESPACE/Name-LLM" in lines["Bare-LLM"]
    assert "6 of " in done.stdout and "findings are wrong" in done.stdout

    done = run(tmp_path, "-m", "turnwise", "train", "env=plug-raising/Game-LLM", "--dry-run")
    assert (done.returncode, "the package plug-raising 0.1, which cannot be loaded" in done.stderr) == (2, True)
    assert done.stderr.count("\n") == 1
    shutil.rmtree(tmp_path / "plug_killing-0.1.dist-info")  # which would end this process too
    done = run(tmp_path, "-m", "turnwise", "list", "envs", "--family", "plugins", "--json")
    raising_too = next(one for one in json.loads(done.stdout) if one["id"] == "plug-raising/Game-LLM")
    assert raising_too["seats"] is None and "no licence" in raising_too["problem"]


def test_an_option_whose_name_is_taken_is_told_and_not_read(tmp_path: Path) -> None:
    configs = tmp_path / "plug_names/configs/env"
    configs.mkdir(parents=True)
    (tmp_path / "plug_names/__init__.py").write_text("from turnwise.envs.negotiation import SimpleNegotiation as Game")
    (configs / "simple_negotiation.yaml").write_text("# @package _global_\nenv:\n  id: plug-names/Game-LLM\n")
    declare(tmp_path, "plug-names", {"plug-names/Game-LLM": "plug_names:Game"})
    done = run(tmp_path, "-m", "turnwise", "train", "env=simple_negotiation", "--dry-run")
    assert "id: SimpleNegotiation-LLM" in done.stdout, done.stderr
    done = run(tmp_path, "-m", "turnwise", "doctor")
    assert (done.returncode, "simple_negotiation.yaml is never read: the name is taken" in done.stdout) == (1, True)


def test_the_suite_itself_runs_without_plugins() -> None:
    """A plugin in the developer's environment would add ids that the tables of the documentation lack."""
    assert [spec.id for spec in GAMES.values() if spec.family == "plugins"] == []
