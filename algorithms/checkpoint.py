"""Checkpoints: whole or not there, and checked before they are used.

A checkpoint is a folder `checkpoints/step-000100` with `state.pt` (all that a run needs to go on), `model/` (the
reported weights, as transformers and vLLM load them), `adapter/` where adapters are trained, and `manifest.json` (a
version and the SHA-256 of the rest). Several ranks put the learner's state into `shards/`, each its part, which any
number of ranks can go on from. It is written beside its place and moved there when it is complete.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from turnwise.agents.lora import has_adapters, save_adapter
from turnwise.agents.tiny import save_model
from turnwise.algorithms.files import RunFolderError, reported, sync_folder, write_atomically
from turnwise.algorithms.shards import save_shards
from turnwise.algorithms.world import ALONE, World

VERSION = 1
FOLDER = "checkpoints"
SHARDS = "shards"


class CheckpointError(RunFolderError):
    """A checkpoint is damaged, of another version, or not there."""


class OtherVersion(CheckpointError):
    """A checkpoint was written by a turnwise of another version. It may be as good as new."""


def save_checkpoint(
    run_dir: Path, step: int, state: dict[str, Any], model: Any, tokenizer: Any, world: World = ALONE
) -> Path:
    """Write a checkpoint; returns its folder. Raises RunFolderError, leaving the earlier ones whole.

    world: all of its ranks call it, and see the same folder; `state["learner"]` is each one's part.
    """
    folder = run_dir / FOLDER / f"step-{step:06d}"
    with _drafted(folder) if world.is_first else nullcontext(_draft_of(folder)) as draft:
        if world.size > 1:
            world.barrier("a folder for the checkpoint")
            with world.waiting("all parts of the checkpoint"):
                save_shards(draft / SHARDS, state["learner"])
            state = {name: value for name, value in state.items() if name != "learner"}
        if world.is_first:
            _fill(draft, step, state, model, tokenizer)
            shutil.rmtree(folder, ignore_errors=True)
    world.barrier("the checkpoint's last files")
    return folder


def _fill(draft: Path, step: int, state: dict[str, Any], model: Any, tokenizer: Any) -> None:
    """Write all that is written once."""
    save_model(model, tokenizer, draft / "model")
    if has_adapters(model):
        save_adapter(model, draft / "adapter")
    buffer = io.BytesIO()
    torch.save({"step": step, **state}, buffer)
    write_atomically(draft / "state.pt", buffer.getvalue())
    manifest = {"version": VERSION, "step": step, "sha256": _digests(draft)}
    write_atomically(draft / "manifest.json", json.dumps(manifest, indent=1))


def save_weights(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write a model folder, whole or not at all. Raises RunFolderError."""
    with _drafted(folder) as draft:
        save_model(model, tokenizer, draft)


def _draft_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.tmp")


@contextmanager
def _drafted(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to fill, which takes its place when the block ends without an error."""
    draft = _draft_of(folder)
    with reported(folder):
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            yield draft
            draft.rename(folder)
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def load_checkpoint(folder: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The state in a checkpoint; of a learner that several ranks saved, the folder of its parts.

    Raises CheckpointError where a byte of it changed.
    """
    check(folder)
    state: dict[str, Any] = torch.load(folder / "state.pt", map_location=map_location, weights_only=True)
    return state | {"learner": folder / SHARDS} if (folder / SHARDS).is_dir() else state


def check(folder: Path) -> None:
    """Compare every file with the manifest. Raises CheckpointError."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        version, wanted = manifest["version"], manifest["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} is no whole checkpoint ({error}); {_REMEDY}") from None
    if version != VERSION:
        raise OtherVersion(f"{folder} is a checkpoint of version {version}; this turnwise reads version {VERSION}")
    found = _digests(folder)
    damaged = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if damaged:
        raise CheckpointError(f"{folder} is damaged: {', '.join(damaged)} changed since it was written; {_REMEDY}")


_REMEDY = "turnwise train --resume goes on from the one before it, and weights can be read from that one too"


def steps_saved(run_dir: Path) -> list[int]:
    """Steps of the checkpoints, ascending."""
    names = [path.name.removeprefix("step-") for path in (run_dir / FOLDER).glob("step-*")]
    return sorted(int(name) for name in names if name.isdigit())


def checkpoint_path(run_dir: Path, step: int) -> Path:
    """Where the checkpoint of a step stands."""
    return run_dir / FOLDER / f"step-{step:06d}"


def newest(run_dir: Path) -> Path | None:
    """The newest checkpoint, or None."""
    steps = steps_saved(run_dir)
    return checkpoint_path(run_dir, steps[-1]) if steps else None


def newest_whole(run_dir: Path, say: Callable[[str], None]) -> Path | None:
    """The newest checkpoint that is whole, or None in a run without any. What is damaged is moved aside, and said.

    Raises CheckpointError where there are only damaged ones, and where the newest is of another version.
    """
    steps = steps_saved(run_dir)
    for step in reversed(steps):
        folder = checkpoint_path(run_dir, step)
        try:
            check(folder)
        except OtherVersion:
            raise
        except CheckpointError as error:
            aside, what = _moved_aside(folder), str(error).removesuffix(f"; {_REMEDY}")
            say(f"{what}: it stands in {aside.name} now, and the one before it is used")
        else:
            return folder
    if steps:
        raise CheckpointError(
            f"{run_dir} has no whole checkpoint left; what there was stands in {run_dir / FOLDER}/*.damaged, and the "
            "run can only be begun again with another run_dir"
        )
    return None


def _moved_aside(folder: Path) -> Path:
    """Rename a folder to `<name>.damaged`, or `<name>.damaged-2` and so on where that is taken."""
    for number in itertools.count(1):
        aside = folder.with_name(f"{folder.name}.damaged" + (f"-{number}" if number > 1 else ""))
        if not aside.exists():
            break
    with reported(folder):
        folder.rename(aside)
        sync_folder(folder.parent)
    return aside


def prune(run_dir: Path, kept: int, best: int | None) -> None:
    """Remove all but the newest `kept` checkpoints and the best one."""
    for step in steps_saved(run_dir)[:-kept]:
        if step != best:
            shutil.rmtree(checkpoint_path(run_dir, step))


def weights_of(path: Path) -> Path:
    """The folder to load weights from: a run folder stands for its newest checkpoint, a checkpoint for its model."""
    if (path / FOLDER).is_dir():
        last = newest(path)
        if last is None:
            raise CheckpointError(f"{path} is a run without a checkpoint; let it get to its first one")
        path = last
    if (path / "manifest.json").exists():
        check(path)
        return path / "model"
    return path


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            found[os.fspath(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
