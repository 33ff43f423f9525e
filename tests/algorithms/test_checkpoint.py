"""Checkpoints: whole or not there, checked, pruned, and found by the folder that is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
from turnwise.algorithms import checkpoint
from turnwise.algorithms.checkpoint import (
    CheckpointError,
    check,
    load_checkpoint,
    newest,
    prune,
    save_checkpoint,
    save_weights,
    steps_saved,
    weights_of,
)
from turnwise.algorithms.files import RunFolderError

STATE = {"counter": 3, "nested": {"weights": torch.arange(3.0), "none": None, "list": [1, 2.5, "x"]}}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer(["[bet]"], 300)


@pytest.fixture(scope="module")
def model(tokenizer: Any) -> Any:
    return build_model(TinyModel(layers=1, hidden=8, heads=1, intermediate=8), tokenizer, seed=0)


def test_what_is_saved_is_loaded(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    folder = save_checkpoint(tmp_path, 7, STATE, model, tokenizer)
    assert folder == tmp_path / "checkpoints/step-000007"
    state = load_checkpoint(folder)
    assert state["step"] == 7
    assert state["counter"] == 3
    assert state["nested"]["weights"].tolist() == [0.0, 1.0, 2.0]
    assert state["nested"]["list"] == [1, 2.5, "x"]
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "model", "state.pt"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_transformers_loads_the_model_folder(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    save_weights(tmp_path / "model", model, tokenizer)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), loaded.parameters(), strict=True))
    again = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert again.encode("[bet]") == tokenizer.encode("[bet]")
    assert again.chat_template == tokenizer.chat_template


def test_saving_a_step_again_replaces_it(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    save_checkpoint(tmp_path, 1, {"x": 1}, model, tokenizer)
    (tmp_path / "checkpoints/.step-000001.tmp").mkdir()  # what a kill left behind
    folder = save_checkpoint(tmp_path, 1, {"x": 2}, model, tokenizer)
    assert load_checkpoint(folder)["x"] == 2
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_failed_save_leaves_the_earlier_ones_whole(
    tmp_path: Path, model: Any, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, STATE, model, tokenizer)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_model", fail)
    with pytest.raises(RunFolderError, match=r"step-000002 could not be written: No space left on device; free some"):
        save_checkpoint(tmp_path, 2, STATE, model, tokenizer)
    with pytest.raises(RunFolderError, match="No space left on device"):
        save_weights(tmp_path / "model", model, tokenizer)
    assert steps_saved(tmp_path) == [1]
    check(tmp_path / "checkpoints/step-000001")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-000001"]


@pytest.mark.parametrize("name", ["state.pt", "model/model.safetensors", "model/tokenizer.json", "model/config.json"])
def test_a_single_changed_byte_is_found(name: str, tmp_path: Path, model: Any, tokenizer: Any) -> None:
    folder = save_checkpoint(tmp_path, 1, STATE, model, tokenizer)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 3] ^= 4
    (folder / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=f"is damaged: {name} changed since it was written"):
        load_checkpoint(folder)
    with pytest.raises(CheckpointError, match="is damaged"):
        weights_of(folder)


def test_files_more_and_less_are_found(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    folder = save_checkpoint(tmp_path, 1, STATE, model, tokenizer)
    (folder / "extra").write_text("?")
    (folder / "state.pt").unlink()
    with pytest.raises(CheckpointError, match=r"is damaged: extra, state\.pt changed"):
        check(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}'])
def test_a_manifest_that_is_none_is_found(text: str, tmp_path: Path, model: Any, tokenizer: Any) -> None:
    folder = save_checkpoint(tmp_path, 1, STATE, model, tokenizer)
    (folder / "manifest.json").write_text(text)
    with pytest.raises(
        CheckpointError, match=r"is no whole checkpoint .*; turnwise train --resume goes on from the one before it"
    ):
        check(folder)


def test_another_version_is_named(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    folder = save_checkpoint(tmp_path, 1, STATE, model, tokenizer)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 2}))
    with pytest.raises(CheckpointError, match="is a checkpoint of version 2; this turnwise reads version 1"):
        check(folder)


@pytest.mark.parametrize(
    ("kept", "best", "left"), [(2, None, [30, 200]), (1, 2, [2, 200]), (3, 30, [2, 30, 200]), (1, 200, [200])]
)
def test_the_newest_and_the_best_are_kept(kept: int, best: int | None, left: list[int], tmp_path: Path) -> None:
    for step in (1, 2, 30, 200):
        (tmp_path / f"checkpoints/step-{step:06d}").mkdir(parents=True)
    prune(tmp_path, kept, best)
    assert steps_saved(tmp_path) == left


def test_steps_are_numbers_and_nothing_else(tmp_path: Path) -> None:
    for name in ("step-000010", "step-2000000", "step-000009.bad", ".step-000011.tmp", "step-", "other"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
    assert steps_saved(tmp_path) == [10, 2_000_000]
    assert newest(tmp_path) == tmp_path / "checkpoints/step-2000000"
    assert newest(tmp_path / "nowhere") is None


def test_a_folder_stands_for_its_weights(tmp_path: Path, model: Any, tokenizer: Any) -> None:
    save_checkpoint(tmp_path, 1, STATE, model, tokenizer)
    last = save_checkpoint(tmp_path, 5, STATE, model, tokenizer)
    assert weights_of(tmp_path) == weights_of(last) == last / "model"
    assert weights_of(last / "model") == last / "model"
    (tmp_path / "young/checkpoints").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="is a run without a checkpoint; let it get to its first one"):
        weights_of(tmp_path / "young")
