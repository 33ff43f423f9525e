"""`turnwise list`: a line per name, each with something to say; of recipes also their papers, parts and needs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from omegaconf import OmegaConf

from turnwise.agents.scripted import SCRIPTED
from turnwise.algorithms import recipe_list
from turnwise.algorithms.build import SettingsError
from turnwise.algorithms.catalogue import KINDS, catalogue
from turnwise.algorithms.compose import compose, options
from turnwise.algorithms.needs import NEEDS
from turnwise.algorithms.recipe_list import INDENT, read_recipe
from turnwise.envs.registry import GAMES


@pytest.fixture(scope="module")
def recipes() -> dict[str, dict[str, Any]]:
    return {recipe["name"]: recipe for recipe in json.loads(catalogue("algorithms", as_json=True))}


def test_every_environment_with_its_summary() -> None:
    lines = catalogue("envs").splitlines()
    assert [line.split()[0] for line in lines] == list(GAMES)
    assert all(GAMES[line.split()[0]].summary in line for line in lines)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("envs", "algorithms")])
def test_every_option_with_its_headline(kind: str) -> None:
    lines = catalogue(kind).partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == options(kind.removesuffix("s"))
    assert all(len(line.split()) > 2 for line in lines)


def test_agents_name_the_opponents() -> None:
    lines = catalogue("agents").splitlines()
    opposite = [line.split()[0] for line in lines[lines.index("who may sit opposite:") + 1 :]]
    assert {name.removesuffix("(N)") for name in opposite} - {"FOLDER", "openai:MODEL", "anthropic:MODEL"} == set(
        SCRIPTED
    )
    rows = json.loads(catalogue("agents", as_json=True))
    assert [row["name"] for row in rows if row["option"]] == options("agent")
    assert [row["name"] for row in rows if not row["option"]] == opposite


def test_models_are_options_folders_hub_names_and_apis() -> None:
    rows = json.loads(catalogue("models", as_json=True))
    assert [row["name"] for row in rows] == [
        "pretrained",
        "tiny",
        "FOLDER",
        "ORG/NAME",
        "openai:MODEL",
        "anthropic:MODEL",
    ]
    assert all(row["summary"] for row in rows)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"there is no list of 'algorithm'; did you mean 'algorithms'\?"):
        catalogue("algorithm")


def test_every_recipe_with_its_paper_its_parts_and_its_needs(recipes: dict[str, dict[str, Any]]) -> None:
    told, _, legend = catalogue("algorithms").partition("\n\n")
    lines = told.splitlines()
    assert [line.split()[0] for line in lines[::3]] == list(recipes) == options("algorithm")
    for recipe, (first, paper, parts) in zip(recipes.values(), zip(*[iter(lines)] * 3, strict=True), strict=True):
        assert first[INDENT:] == recipe["summary"] != ""
        assert paper.strip() == recipe["cite"] != ""
        assert f"explore {recipe['parts']['explore']}, " in parts
        for name in (*recipe["needs"]["environment"], *recipe["needs"]["run"]):
            assert name in parts.partition(" | needs ")[2]
            assert NEEDS[name].text in legend


def test_parts_and_needs_of_recipes_of_every_kind(recipes: dict[str, dict[str, Any]]) -> None:
    assert recipes["dapo"]["parts"] == {
        "explore": "dynamic",
        "rewards": ["overlong"],
        "credit": "grpo",
        "shapings": [],
        "ratio": "token",
        "guard": "clip",
        "corrections": [],
        "aggregate": "token-mean",
    }
    assert recipes["igpo"]["needs"] == {"environment": ["ground_truth"], "run": ["groups", "answer_logprob"]}
    assert recipes["mis"]["needs"] == {"environment": [], "run": ["groups", "train_logprobs"]}
    assert recipes["toolrl"]["parts"]["rewards"] == ["scale", "toolrl"]  # in their order
    assert (recipes["ppo"]["critic"], recipes["turn_ppo"]["critic"], recipes["rloo"]["critic"]) == (
        "own",
        "shared",
        "none",
    )
    assert [name for name, recipe in recipes.items() if recipe["replay"]] == ["spo_tree"]
    assert [name for name, recipe in recipes.items() if recipe["noise"]] == ["alp"]
    assert [name for name, recipe in recipes.items() if recipe["curriculum"]] == ["sec"]


@pytest.mark.parametrize("name", ["aepo", "sec", "tppo"])
def test_a_recipe_that_is_read_is_the_one_that_trains(name: str) -> None:
    wanted = compose([f"algorithm={name}"])["algorithm"]
    found = read_recipe(name, "").settings
    for field in ("name", "cite", "explore", "explore_settings", "rewards", "credit", "credit_settings", "shapings"):
        assert getattr(found, field) == wanted[field]
    assert (found.group_size, found.objective.guard) == (wanted["group_size"], wanted["objective"]["guard"])
    assert found.objective.constant == wanted["objective"]["constant"]


def test_a_recipe_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = OmegaConf.create("algorithm: {credit: grpo, credit_settings: {eps: -1.0}}")
    monkeypatch.setattr(recipe_list, "_layers", lambda option: (layer,))
    with pytest.raises(SettingsError, match=r"the recipe mine cannot be read: algorithm.credit_settings: eps"):
        read_recipe("mine", "")


def test_listing_loads_neither_torch_nor_hydra() -> None:
    code = (
        "import sys\nfrom turnwise.algorithms.catalogue import catalogue\ncatalogue('algorithms')\n"
        "print([name for name in ('torch', 'hydra', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
