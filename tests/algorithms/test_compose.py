"""Words of a command line to plain values, and back from config.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.compose import compose, dump_config, load_config, options, quoted, run_settings


def test_the_default_run() -> None:
    settings = run_settings(compose([]))
    assert (settings.env.id, settings.algorithm.name, settings.agent.opponent) == ("KuhnPoker-LLM", "spiral", "self")
    assert (settings.model.path, settings.engine.name) == (None, "local")
    assert settings.title == "kuhnpoker-spiral"


def test_references_are_resolved() -> None:
    config = compose(["agent.sampling.max_tokens=77", "model.prompt=full"])
    assert config["algorithm"]["objective"]["constant"] == 77
    assert config["env"]["kwargs"] == {"prompt": "full"}


def test_a_later_word_wins() -> None:
    assert compose(["steps=3", "steps=4"])["steps"] == 4
    assert compose(["env=nim", "env=tic_tac_toe"])["env"]["id"] == "TicTacToe-LLM"


@pytest.mark.parametrize("value", ["a b", "it's", "x,y", "[z]", "k=v", "{q}", "run (1)", "ümlaut"])
def test_a_quoted_value_is_read_as_it_is(value: str) -> None:
    assert compose([f"name={quoted(value)}"])["name"] == value


def test_ids_with_and_without_the_package_s_name() -> None:
    assert compose(["env=turnwise:Nim-LLM"]) == compose(["env=Nim-LLM"]) == compose(["env=nim"])


def test_composing_leaves_nothing_behind() -> None:
    before = compose(["env=nim"])
    with pytest.raises(SettingsError):
        compose(["env=nim", "stepz=1"])
    assert compose(["env=nim"]) == before
    assert compose([])["env"]["id"] == "KuhnPoker-LLM"


def test_options_are_the_files_of_a_group() -> None:
    configs = Path(__file__).resolve().parents[2] / "configs"
    assert options("algorithm") == sorted(path.stem for path in (configs / "algorithm").glob("*.yaml"))
    assert {"grpo", "reinforce", "rloo", "spiral"} < set(options("algorithm"))


def test_what_is_written_down_is_read_again(tmp_path: Path) -> None:
    config = compose(["name='ü: #1'", "agent.sampling.stop=['\\n']"])
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert load_config(tmp_path) == config
    assert yaml.safe_load(dump_config(config))["agent"]["sampling"]["stop"] == ["\\n"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is no run folder: it has no config\.yaml"):
        load_config(tmp_path)
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SettingsError, match=r"config\.yaml cannot be read: "):
        load_config(tmp_path)
    (tmp_path / "config.yaml").write_text("- a\n- b\n")
    with pytest.raises(SettingsError, match="holds settings, key by key: got list"):
        load_config(tmp_path)
