"""A checkpoint as a model folder with a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard
from transformers import AutoModelForCausalLM, AutoTokenizer

from turnwise import __version__
from turnwise.algorithms.checkpoint import steps_saved, weights_of


def test_the_folder_is_the_model_and_its_card_states_what_it_is(
    tmp_path: Path, finished_run: Path, command: Any
) -> None:
    out = tmp_path / "model"
    done = command("export", finished_run, "--to", "hf", "--out", out, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["step"], told["to"]) == (12, "hf")
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(told["files"])
    tokenizer = AutoTokenizer.from_pretrained(out)
    ids = torch.tensor([tokenizer.encode("[check]")])
    with torch.no_grad():
        mine = AutoModelForCausalLM.from_pretrained(out)(ids).logits
        theirs = AutoModelForCausalLM.from_pretrained(weights_of(finished_run))(ids).logits
    assert torch.equal(mine, theirs)

    summary = json.loads((finished_run / "summary.json").read_text())
    card = ModelCard.load(out / "README.md")
    assert card.data.library_name == "transformers"
    assert card.data.pipeline_tag == "text-generation"
    assert {"turnwise", "KuhnPoker-LLM"} <= set(card.data.tags)
    found = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert found["nash_conv"] == summary["nash_conv"]
    for text in ("| recipe | spiral |", "| seed | 0 |", "| updates | 12 |", f"turnwise {__version__}", "KuhnPoker-LLM"):
        assert text in card.text
    assert "games_per_step: 16" in card.text


def test_an_older_checkpoint_claims_no_figures(tmp_path: Path, finished_run: Path, command: Any) -> None:
    step = steps_saved(finished_run)[0]
    assert step < 12
    done = command("export", finished_run, "--to", "hf", "--out", tmp_path / "m", "--step", step)
    assert done.exit_code == 0, done.stderr
    card = ModelCard.load(tmp_path / "m/README.md")
    assert card.data.eval_results is None
    assert "No figures are known of these weights" in card.text
    again = command("export", finished_run, "--to", "hf", "--out", tmp_path / "m")
    assert again.exit_code == 2
    assert "is not empty: give a new folder" in again.stderr


def test_no_run(tmp_path: Path, command: Any) -> None:
    done = command("export", tmp_path, "--to", "hf", "--out", tmp_path / "m")
    assert done.exit_code == 2
    assert "is no run with a checkpoint" in done.stderr
