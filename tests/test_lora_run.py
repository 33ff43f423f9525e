"""A run that trains adapters: it improves, goes on to the bit, and its checkpoints are plain models and adapters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from turnwise.algorithms.checkpoint import checkpoint_path, load_checkpoint

STEPS = 30


@pytest.fixture(scope="module")
def lora_run(command: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lora") / "run"
    words = (
        *("env=kuhn_poker", "model.lora.rank=8", f"steps={STEPS}", "games_per_step=128", "checkpoint_every=15"),
        *("evaluation.every=0", "evaluation.final_games=20", "model.sft.steps=60", "engine.device=cpu"),
        "algorithm.optimisation.learning_rate=0.004",
    )
    done = command("train", *words, f"run_dir={folder}")
    assert done.exit_code == 0, done.output
    return folder


def test_it_comes_nearer_to_the_equilibrium(lora_run: Path) -> None:
    summary = json.loads((lora_run / "summary.json").read_text())
    assert summary["nash_conv_last"] < summary["nash_conv_start"] - 0.1


def test_it_goes_on_to_the_bit(
    lora_run: Path, tmp_path: Path, command: Callable[..., Any], fingerprint: Callable[[Path], dict[str, Any]]
) -> None:
    run = shutil.copytree(lora_run, tmp_path / "run")
    shutil.rmtree(checkpoint_path(run, STEPS))
    done = command("train", "--resume", run)
    assert done.exit_code == 0, done.output
    assert fingerprint(run) == fingerprint(lora_run)


def test_a_checkpoint_holds_a_plain_model_and_the_adapters(lora_run: Path) -> None:
    """What the frozen weights and the saved adapters say together is what the saved model says."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    last = checkpoint_path(lora_run, STEPS)
    plain = AutoModelForCausalLM.from_pretrained(last / "model").eval()
    base = AutoModelForCausalLM.from_pretrained(last / "model").eval()
    trained = load_checkpoint(last)["learner"]["model"]
    frozen = {name.replace(".base_layer", ""): tensor for name, tensor in trained.items() if ".lora_" not in name}
    base.load_state_dict(frozen)
    adapted = PeftModel.from_pretrained(base, str(last / "adapter")).eval()
    ids = torch.arange(1, 17)[None]
    with torch.no_grad():
        found, expected = adapted(input_ids=ids).logits, plain(input_ids=ids).logits
        with adapted.disable_adapter():
            before = adapted(input_ids=ids).logits
    assert torch.allclose(found, expected, atol=1e-4)
    assert float((before - expected).abs().max()) > 0.1


def test_it_can_be_begun_from(lora_run: Path, tmp_path: Path, command: Callable[..., Any]) -> None:
    """As from any other model; fresh adapters stand on what has been merged."""
    words = (
        "env=kuhn_poker",
        f"model={lora_run}",
        "model.lora.rank=4",
        "steps=1",
        "games_per_step=8",
        "agent.sampling.max_tokens=8",
    )
    run = tmp_path / "next"
    done = command("train", *words, "evaluation.final_games=20", "engine.device=cpu", f"run_dir={run}")
    assert done.exit_code == 0, done.output
    mine, theirs = (
        load_file(path / "model/model.safetensors")
        for path in (checkpoint_path(run, 0), checkpoint_path(lora_run, STEPS))
    )
    assert all(torch.equal(mine[name], theirs[name]) for name in mine | theirs)
