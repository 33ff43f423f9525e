"""`RemoteWeights`: new weights for a vLLM server on this machine, by files, through its development endpoints.

They are open to whoever reaches the server, so that only a loopback address will do. The files lie in memory where the
machine has a folder for that, in a folder that this user alone can read, and go one after the other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnwise.agents.engine import AgentFailure, Weights

if TYPE_CHECKING:
    from torch import Tensor

_MEMORY = Path("/dev/shm")
_FILE_BYTES = 1 << 30
"""A file is sent once it holds so much."""
ADVICE = (
    "start it on this machine with VLLM_SERVER_DEV_MODE=1 and --worker-extension-cls "
    "turnwise.agents.vllm.worker.Extension, or train with engine=vllm or engine=local"
)

Command = Callable[[str, Mapping[str, Any]], Any]
"""Sends one command, (path from the root of the server, body), and returns the reply. Raises AgentFailure."""


class RemoteWeights:
    """The weights of one server."""

    def __init__(self, command: Command) -> None:
        self._command = command

    def require(self, vocabulary: int) -> None:
        """The server takes weights, and from now on samples no id from `vocabulary` on. Else raises ValueError."""
        try:
            self._work("turnwise_vocabulary", vocabulary)
        except AgentFailure as failure:
            raise ValueError(
                f"training needs a server that takes new weights, and this one does not; {ADVICE} ({failure})"
            ) from None

    def put(self, weights: Weights) -> None:
        """Replace the weights and forget what was computed with the old ones. Raises AgentFailure."""
        self._command("/pause?mode=keep", {})
        try:
            self._work("turnwise_begin")
            with tempfile.TemporaryDirectory(prefix="turnwise-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
                for path in _files(weights, Path(folder)):
                    self._work("turnwise_take", str(path))
                    path.unlink()
            self._work("turnwise_finish")
            done = self._command("/reset_prefix_cache?reset_running_requests=true", {})
            if not done.get("success"):
                raise AgentFailure("the server kept its cache of what it read with the old weights")
        finally:
            self._command("/resume", {})

    def _work(self, method: str, *arguments: Any) -> None:
        self._command("/collective_rpc", {"method": method, "args": [*arguments]})


def _files(weights: Weights, folder: Path) -> Iterator[Path]:
    """Files with all weights, one at a time."""
    from safetensors.torch import save_file

    held: dict[str, Tensor] = {}
    path = folder / "weights.safetensors"
    for name, weight in weights():
        held[name] = weight.detach().cpu().contiguous()
        if sum(tensor.nbytes for tensor in held.values()) >= _FILE_BYTES:
            save_file(held, path)
            held = {}
            yield path
    if held:
        save_file(held, path)
        yield path
