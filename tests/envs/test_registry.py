"""Ids, errors, registration with Gymnasium, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import warnings
from importlib.metadata import distribution
from pathlib import Path

import gymnasium as gym
import pytest
from gymnasium.envs.registration import registry

import turnwise
from turnwise.envs.core import TextGame
from turnwise.envs.registry import GAMES, GameSpec, UnknownEnv, make_game, register_gymnasium
from turnwise.envs.requirements import MissingDependency

IDS = {
    "KuhnPoker-LLM",
    "TicTacToe-LLM",
    "LeducPoker-LLM",
    "ConnectFour-LLM",
    "LiarsDice-LLM",
    "Nim-LLM",
    "SimpleNegotiation-LLM",
}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_ids() -> None:
    assert set(GAMES) >= IDS
    assert all(spec.id == env_id and spec.summary for env_id, spec in GAMES.items())


@pytest.mark.parametrize("env_id", sorted(IDS))
def test_every_id_makes_a_game(env_id: str) -> None:
    assert isinstance(make_game(env_id), TextGame)
    assert isinstance(turnwise.make_game(f"turnwise:{env_id}"), TextGame)


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("KuhnPoker", "did you mean 'KuhnPoker-LLM'"),
        ("kuhnpoker-llm", "did you mean 'KuhnPoker-LLM'"),
        ("TikTakToe-LLM", "did you mean 'TicTacToe-LLM'"),
        ("zzz", r"`turnwise list envs` prints all \d+ ids"),
    ],
)
def test_unknown_ids_get_a_hint(env_id: str, message: str) -> None:
    with pytest.raises(UnknownEnv, match=message):
        make_game(env_id)


def test_gymnasium_knows_the_ids_and_hints_at_them() -> None:
    assert set(registry) >= IDS
    with pytest.raises(gym.error.NameNotFound, match="Did you mean: `KuhnPoker-LLM`"):
        gym.make("KunPoker-LLM")


def test_registering_twice_is_quiet() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_gymnasium()


def test_a_missing_package_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = GameSpec(id="Moon-LLM", entry_point="nowhere:Moon", requires=(("no_such_module_x", "moon-rocket"),))
    monkeypatch.setitem(GAMES, "Moon-LLM", spec)
    with pytest.raises(MissingDependency, match=r"'moon-rocket'.*: pip install 'moon-rocket'"):
        make_game("Moon-LLM")


def test_an_entry_point_must_give_a_game(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GAMES, "Dict-LLM", GameSpec(id="Dict-LLM", entry_point="builtins:dict", kwargs={"a": 1}))
    with pytest.raises(TypeError, match="must return a TextGame: got dict"):
        make_game("Dict-LLM")


def test_importing_loads_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "vllm", "triton", "textworld", "ray", "pyspiel", "pettingzoo", "hydra", "pyarrow")
    loaded = run(f"import sys, turnwise; print([name for name in {heavy} if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_make_needs_no_import() -> None:
    code = "import gymnasium as gym; print(type(gym.make('turnwise:KuhnPoker-LLM').unwrapped).__name__)"
    assert run(code).strip() == "TextGameEnv"


def test_games_without_gymnasium() -> None:
    code = """
import sys
sys.modules.update(gymnasium=None, pettingzoo=None)
import turnwise
print(turnwise.make_game('SimpleNegotiation-LLM').seats)
try:
    turnwise.aec_env('SimpleNegotiation-LLM')
except turnwise.MissingDependency as error:
    print(error)
"""
    lines = run(code).splitlines()
    assert lines[0] == "('player_0', 'player_1')"
    assert lines[1].startswith("aec_env needs the package") and "pip install" in lines[1]


def test_a_checkout_without_links_is_told(tmp_path: Path) -> None:
    package = tmp_path / "turnwise"
    package.mkdir()
    source = Path(turnwise.__file__)
    (package / "__init__.py").write_text(source.read_text())
    (package / "envs").write_text("../../envs")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import turnwise"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "ImportError: this checkout of turnwise holds text files where symbolic links belong" in result.stderr


def test_the_version_is_the_packages() -> None:
    pyproject = Path(turnwise.__file__).parents[2] / "pyproject.toml"
    if pyproject.exists():
        assert tomllib.loads(pyproject.read_text())["project"]["version"] == turnwise.__version__
    assert distribution("turnwise").version == turnwise.__version__


def test_the_documented_snippet_runs() -> None:
    page = Path(turnwise.__file__).parents[2] / "docs" / "environments.md"
    code = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    assert "gym.make" in code and "aec_env" in code
    run(code)
