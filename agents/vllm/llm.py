"""`Running`: vLLM itself, started and stepped, in this process or beside it."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Overdue
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from turnwise.agents.engine import EngineDied
from turnwise.agents.vllm import environ, worker
from turnwise.agents.vllm.settings import VllmSettings

GIB = 1 << 30
SHARD_BYTES = GIB
"""Most bytes of weights that lie in shared memory at once, on their way to processes of vLLM's."""
_PEEK_S = 0.5
_HERE: set[int] = set()
"""The engines that run in this process, by id."""


class Running:
    """A started vLLM."""

    def __init__(
        self,
        folder: str,
        settings: VllmSettings,
        *,
        vocabulary: int,
        max_context: int,
        dtype: torch.dtype,
        seed: int,
        trust_remote_code: bool,
    ) -> None:
        """Raises ValueError where vLLM is not installed, or cannot run this model."""
        self.on_cpu = not torch.cuda.is_available()
        self.settings, self.dtype = settings, dtype
        crowd = torch.distributed.is_initialized() and torch.distributed.get_world_size() > 1
        gpu = 0 if self.on_cpu else torch.cuda.current_device()
        apart = settings.own_process or settings.tensor_parallel > 1 or crowd or gpu > 0
        environ.prepare(on_cpu=self.on_cpu)
        # vLLM takes the first GPU that it sees: where this process has another one, that is the only one it sees.
        sight = environ.seeing(gpu) if gpu and settings.tensor_parallel == 1 else nullcontext()
        with environ.starting(own_process=apart), sight:
            self._llm = _start(
                model=folder,
                dtype=str(dtype).removeprefix("torch."),
                max_model_len=max_context,
                seed=seed,
                trust_remote_code=trust_remote_code,
                **_arguments(settings, max_context, on_cpu=self.on_cpu),
            )
        self._engine = self._llm.llm_engine
        client = self._engine.engine_core
        if hasattr(client, "engine_core"):
            _HERE.add(id(self))
        if self.on_cpu:
            self._require_head_size()
        self.shares_memory = hasattr(client, "engine_core") and settings.tensor_parallel == 1
        """vLLM's worker is an object of this process: tensors are handed to it as they are."""
        self._outputs = getattr(client, "outputs_queue", None)
        self._adapter = _adapter(settings)
        self._asleep = False
        self._engine.set_weight_version("0")
        if self._engine.model_config.get_vocab_size() > vocabulary:
            self._in_workers("turnwise_vocabulary", vocabulary)

    # Requests

    def add(self, name: str, prompt: Sequence[int], parameters: Any) -> str:
        """Hand in a request; returns vLLM's name of it. Raises ValueError where it takes no such prompt."""
        from vllm.inputs import TokensPrompt

        self.wake()
        with _death_told():
            given: str = self._engine.add_request(
                name, TokensPrompt(prompt_token_ids=[*prompt]), parameters, lora_request=self._adapter
            )
        return given

    def step(self, timeout_s: float) -> list[Any]:
        """Go on with all requests by a token or so; the outputs of those that are done, none after `timeout_s`.

        Raises EngineDied.
        """
        if not self._engine.has_unfinished_requests() or not self._await_output(timeout_s):
            return []
        with environ.undisturbed(), _death_told():
            outputs: list[Any] = self._engine.step()
        return outputs

    def abort(self, names: Sequence[str]) -> int:
        """Forget these requests; how many tokens they had been given."""
        states = self._engine.output_processor.request_states
        given: int = sum(states[name].detokenizer.num_output_tokens() for name in names if name in states)
        self._engine.abort_request([*names], internal=True)
        return given

    def _await_output(self, timeout_s: float) -> bool:
        """Where steps run in another process, their outputs are awaited here: vLLM itself would wait for ever."""
        queue = self._outputs
        if queue is None:
            return True
        deadline = time.monotonic() + timeout_s
        while not queue.qsize():
            self._require_life()
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            with queue.not_empty:
                if not queue._qsize():
                    queue.not_empty.wait(min(left, _PEEK_S))
        return True

    def _require_life(self) -> None:
        resources = getattr(self._engine.engine_core, "resources", None)
        if resources is not None and resources.engine_dead:
            raise EngineDied("vLLM's process is gone: what it said before is above, or nothing if it was killed")

    # Weights

    def load(self, weights: Iterable[tuple[str, Tensor]], version: int) -> None:
        """Take these weights, in place; nothing that was cached under the old ones is used again.

        Requests that run go on: what they have cached is computed again, and tokens from now on are of `version`.
        """
        with self._paused(), environ.undisturbed():
            self._in_workers("turnwise_begin")
            if self.shares_memory:
                self._in_workers("turnwise_take", ((name, weight.detach()) for name, weight in weights))
            else:
                for path in _shards(weights, self.dtype):
                    self._in_workers("turnwise_take", str(path))
            self._in_workers("turnwise_finish")
            self._call(lambda: self._engine.set_weight_version(str(version)), "set a version")
            if not self._call(lambda: self._llm.reset_prefix_cache(reset_running_requests=True), "clear its cache"):
                raise RuntimeError("vLLM kept a prefix cache of the weights before: replies would be of neither")

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """No step runs in another process meanwhile; in this one nobody else takes any."""
        self.wake()
        if self._outputs is None:
            yield
            return
        self._call(lambda: self._llm.sleep(level=0, mode="keep"), "pause")
        try:
            yield
        finally:
            self._call(lambda: self._llm.wake_up(tags=["scheduling"]), "go on")

    def sleep(self) -> None:
        """Give the GPU's memory away until `wake`, or the next thing that is asked of it."""
        if not self._asleep:
            self._call(lambda: self._llm.sleep(level=1, mode="keep"), "sleep")
            self._asleep = True

    def wake(self) -> None:
        if self._asleep:
            if not self.on_cpu:
                torch.cuda.empty_cache()  # what the trainer holds back and does not use
            self._call(self._llm.wake_up, "wake up")
            self._asleep = False

    def close(self) -> None:
        """Stop it and free what it holds."""
        _HERE.discard(id(self))
        with environ.stopping(last=not _HERE):
            self._engine.engine_core.shutdown()

    def _require_head_size(self) -> None:
        from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

        size, known = self._engine.model_config.get_head_size(), CPUAttentionBackend.get_supported_head_sizes()
        if size not in known:
            self.close()
            raise ValueError(
                f"vLLM on a CPU runs heads of width {', '.join(map(str, known))}: this model's are {size} wide; of the "
                "tiny model set model.tiny.head_dim=64"
            )

    def _in_workers(self, method: str, *arguments: Any) -> list[Any]:
        found: list[Any] = self._call(lambda: self._llm.collective_rpc(method, args=arguments), method)
        return found

    def _call(self, call: Callable[[], Any], what: str) -> Any:
        """Do it; where another process has to answer, not for ever. Raises EngineDied."""
        if self._outputs is None:
            return call()
        answer: Future[Any] = Future()

        def ask() -> None:
            try:
                answer.set_result(call())
            except BaseException as error:  # whatever it is, it is raised to whoever waits
                answer.set_exception(error)

        # A daemon: where vLLM dies meanwhile, it waits for an answer for ever.
        threading.Thread(target=ask, name="turnwise-vllm", daemon=True).start()
        deadline = time.monotonic() + self.settings.deadline_s
        while True:
            try:
                with _death_told():
                    return answer.result(timeout=_PEEK_S)
            except Overdue:
                self._require_life()
                if time.monotonic() > deadline:
                    text = f"vLLM was asked to {what}: no answer in {self.settings.deadline_s:g} seconds"
                    raise EngineDied(text) from None


@contextmanager
def _death_told() -> Iterator[None]:
    """vLLM's own word for it is turned into ours."""
    from vllm.v1.engine.exceptions import EngineDeadError

    try:
        yield
    except EngineDeadError as error:
        raise EngineDied(f"vLLM's process is gone: {error}") from error


def _start(**arguments: Any) -> Any:
    try:
        from vllm import LLM
    except ModuleNotFoundError as error:
        raise ValueError(f'engine=vllm needs vLLM: pip install "turnwise[vllm]"; got: {error}') from error
    return LLM(
        worker_extension_cls=worker.NAME,
        generation_config="vllm",  # a model's own file would change how replies are sampled
        logprobs_mode="processed_logprobs",  # of the distribution that was sampled
        enable_prefix_caching=True,
        disable_log_stats=True,
        use_tqdm_on_load=False,
        **arguments,
    )


def _arguments(settings: VllmSettings, max_context: int, *, on_cpu: bool) -> dict[str, Any]:
    """What the settings are called in vLLM."""
    arguments: dict[str, Any] = {
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "max_num_seqs": settings.max_num_seqs,
        "tensor_parallel_size": settings.tensor_parallel,
        "enforce_eager": settings.eager or on_cpu,
        "kv_cache_memory_bytes": None if settings.kv_cache_gb is None else int(settings.kv_cache_gb * GIB),
    }
    if settings.block_size is not None:
        arguments["block_size"] = settings.block_size
    if settings.in_flight == "continue":  # a step that overlaps the next one would be labelled with its version
        arguments["async_scheduling"] = False
    if settings.lora is not None:
        arguments |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _rank(settings.lora)}
    if on_cpu:
        arguments |= {
            "block_size": settings.block_size or 32,
            "kv_cache_memory_bytes": int((settings.kv_cache_gb or 0.25) * GIB),
            "enable_chunked_prefill": False,  # with a seed per request, vLLM on a CPU dies of a prompt read in chunks
            "max_num_batched_tokens": max(8192, max_context),
        }
    else:
        arguments["enable_sleep_mode"] = settings.sleep
    return arguments


def _rank(folder: str) -> int:
    """Of an adapter, rounded up to one that vLLM knows. Raises ValueError where the folder holds none."""
    file = Path(folder).expanduser() / "adapter_config.json"
    if not file.exists():
        raise ValueError(f"engine.vllm.lora is the folder of a PEFT adapter: {folder} has no adapter_config.json")
    rank = int(json.loads(file.read_text())["r"])
    return max(8, 1 << (rank - 1).bit_length())


def _adapter(settings: VllmSettings) -> Any:
    if settings.lora is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("adapter", 1, str(Path(settings.lora).expanduser()))


def _shards(weights: Iterable[tuple[str, Tensor]], dtype: torch.dtype) -> Iterator[Path]:
    """Files with these weights, one at a time: each is gone once the next one is asked for."""
    from safetensors.torch import save_file

    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="turnwise-", dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder) / "weights.safetensors"
        for shard in _batches(weights, dtype):
            save_file(shard, path)
            yield path


def _batches(weights: Iterable[tuple[str, Tensor]], dtype: torch.dtype) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, weight in weights:
        shard[name] = weight.detach().to("cpu", dtype).clone().contiguous()
        size += shard[name].nbytes
        if size >= SHARD_BYTES:
            yield shard
            shard, size = {}, 0
    if shard:
        yield shard
