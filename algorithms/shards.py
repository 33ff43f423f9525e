"""A learner's state in parts, each written by the rank that holds it (torch's distributed checkpoints)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from turnwise.algorithms.files import RunFolderError


def save_shards(folder: Path, state: dict[str, Any]) -> None:
    """Write the parts of `Learner.state()`; every rank does. Raises RunFolderError on all of them if one cannot."""
    from torch.distributed.checkpoint.api import CheckpointException
    from torch.distributed.checkpoint.state_dict_saver import save

    try:
        save(state, checkpoint_id=folder)
    except CheckpointException as error:
        rank, (reason, _) = next(iter(error.failures.items()))
        raise RunFolderError(f"{folder} could not be written by rank {rank}: {reason}") from error


def load_shards(folder: Path, state: dict[str, Any]) -> dict[str, Any]:
    """Fill a learner's state, which says where each part goes, from the shards of any number of ranks."""
    from torch.distributed.checkpoint.state_dict_loader import load

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # one process reads them all
        load(state, checkpoint_id=folder)
    return state
