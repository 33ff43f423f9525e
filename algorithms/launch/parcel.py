"""Models and weights as plain bytes, for machines that share no files."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.tiny import save_model

Packed = dict[str, tuple[Any, str, tuple[int, ...]]]
"""Name of a weight -> (its bytes as a NumPy array, dtype, shape): readers on one machine share the bytes."""


def pack_weights(weights: Iterable[tuple[str, Tensor]], dtype: torch.dtype | None = None) -> Packed:
    """Weights from any device as bytes, which may be the tensors' own: to be passed on before those change.

    dtype: of those who will use them, where they round the weights to it anyway.
    """
    packed: Packed = {}
    for name, tensor in weights:
        flat = tensor.detach().to("cpu", dtype).contiguous().reshape(-1)
        packed[name] = (flat.view(torch.uint8).numpy(), str(flat.dtype).removeprefix("torch."), tuple(tensor.shape))
    return packed


def unpack_weights(packed: Packed) -> Iterator[tuple[str, Tensor]]:
    """The weights again, to be read only: they share memory with the bytes."""
    for name, (content, dtype, shape) in packed.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that nobody may write into these bytes is what we want
            tensor = torch.from_numpy(content)
        yield name, tensor.view(getattr(torch, dtype)).reshape(shape)


def pack_model(model: Any, tokenizer: Any) -> dict[str, bytes]:
    """File name -> content of a plain model folder."""
    with tempfile.TemporaryDirectory(prefix="turnwise-model-") as name:
        folder = Path(name)
        save_model(model, tokenizer, folder)
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def unpacked_model(files: dict[str, bytes]) -> Iterator[Path]:
    """The folder that `pack_model` read, as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="turnwise-model-") as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        yield folder
