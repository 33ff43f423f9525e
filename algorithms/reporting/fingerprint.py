"""All that two runs of one seed share: to say whether what befell one of them has left a trace."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from turnwise.algorithms.checkpoint import load_checkpoint, newest
from turnwise.algorithms.reporting.runlog import read_metrics

TIMINGS = frozenset(
    {"seconds", "evaluation_seconds", "model_seconds", "time_outside_model", "us_outside_model_per_turn", "time"}
)
"""What differs between any two runs."""
REPEATED = frozenset({"tokens", "answered", "retried"})
"""What is greater where episodes were begun again: that was sampled too."""


def fingerprint(run_dir: Path) -> dict[str, Any]:
    """Metrics, summary, evaluation, and all that is in the newest checkpoint. Two of them are compared by ==."""
    return {name: _hashed(value) for name, value in contents(run_dir).items()}


def contents(run_dir: Path) -> dict[str, Any]:
    """The same with the tensors themselves."""
    folder = newest(run_dir)
    if folder is None:
        raise ValueError(f"{run_dir} is compared by its newest checkpoint: it has none")
    found = {
        "metrics": read_metrics(run_dir),
        "summary": json.loads((run_dir / "summary.json").read_text()),
        "evaluation": json.loads((run_dir / "evaluation.json").read_text()),
        "state": _whole(load_checkpoint(folder)),
        "weights": hashlib.sha256((folder / "model/model.safetensors").read_bytes()).hexdigest(),
    }
    plain: dict[str, Any] = _timeless(found)
    return plain


def _whole(state: dict[str, Any]) -> dict[str, Any]:
    """The state with the learner's parts put together, where several ranks have saved them."""
    if not isinstance(state["learner"], Path):
        return state
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    with tempfile.TemporaryDirectory() as folder:
        dcp_to_torch_save(state["learner"], Path(folder) / "learner.pt")
        return state | {"learner": torch.load(Path(folder) / "learner.pt", weights_only=False)}


def difference(mine: Any, theirs: Any, tolerance: float = 0.0, apart_from: frozenset[str] = frozenset()) -> str | None:
    """Where two `contents` differ first, or None.

    tolerance: of every float, absolute for small and relative for large ones; whole numbers and words are the same
        whatever it is. Above 0, files of weights are compared by their tensors alone.
    apart_from: names that are left out, such as REPEATED.
    """
    skipped = apart_from | ({"weights"} if tolerance else frozenset())
    return next(_differences(mine, theirs, "", tolerance, skipped), None)


def _differences(mine: Any, theirs: Any, at: str, tolerance: float, skipped: frozenset[str]) -> Iterator[str]:
    if isinstance(mine, torch.Tensor) and isinstance(theirs, torch.Tensor):
        if mine.shape != theirs.shape or not torch.allclose(mine.double(), theirs.double(), tolerance, tolerance):
            yield f"{at} differs"
    elif isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for name in sorted({*map(str, mine), *map(str, theirs)} - skipped):
            ours, others = ({str(key): value for key, value in it.items()} for it in (mine, theirs))
            if name not in ours or name not in others:
                yield f"{at}/{name} is in one of them only"
            else:
                yield from _differences(ours[name], others[name], f"{at}/{name}", tolerance, skipped)
    elif isinstance(mine, list | tuple) and isinstance(theirs, list | tuple) and len(mine) == len(theirs):
        for index, pair in enumerate(zip(mine, theirs, strict=True)):
            yield from _differences(*pair, f"{at}/{index}", tolerance, skipped)
    elif isinstance(mine, float) and isinstance(theirs, float):
        if not math.isclose(mine, theirs, rel_tol=tolerance, abs_tol=tolerance):
            yield f"{at} is {mine!r} and {theirs!r}"
    elif mine != theirs:
        yield f"{at} is {mine!r} and {theirs!r}"


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _timeless(inner) for key, inner in value.items() if key not in TIMINGS}
    return [_timeless(inner) for inner in value] if isinstance(value, list | tuple) else value


def _hashed(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return hashlib.sha256(value.reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
    if isinstance(value, Mapping):
        return {key: _hashed(inner) for key, inner in value.items()}
    return [_hashed(inner) for inner in value] if isinstance(value, list) else value
