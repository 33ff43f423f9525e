"""One part of what is measured on a GPU, in this process: `python parts.py PART [--cpu-test]`, a line per row.

Models have random weights and the sizes of Qwen3's, products run in bfloat16 as in a run on a GPU.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from turnwise.agents.clock import ModelClock
from turnwise.agents.local import LocalEngine
from turnwise.agents.precision import computing_in
from turnwise.agents.sampling import Sampling
from turnwise.algorithms.batch import Batch, Sample, pack_samples
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.memory_plan import per_choice
from turnwise.algorithms.model_shape import ModelShape, shape_of_config
from turnwise.algorithms.recipes import AlgorithmSettings, Magnet, Objective, Optimisation

Row = dict[str, Any]
QWEN = {
    "0.6B": {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16},
    "4B": {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2},
}


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    small: str
    """The model that every part takes."""
    large: str
    matrix: int
    """Side of a square matrix."""
    copied: int
    """Bytes."""
    requests: tuple[int, ...]
    """At once."""
    prompt: int
    reply: int
    batches: tuple[tuple[int, int, int], ...]
    """(rows, tokens of a row, trained ones among them) of an update."""


FULL = Sizes("0.6B", "4B", 8192, 1 << 32, (1, 64, 256), 512, 128, ((8, 2048, 716), (4, 4096, 1433), (1, 16384, 5734)))
TINY = Sizes("tiny", "tiny", 64, 1 << 20, (1, 4), 16, 4, ((2, 32, 10),))


class Place:
    """The device, and how time and memory are read on it."""

    def __init__(self, cpu: bool) -> None:
        self.device = torch.device("cpu" if cpu else "cuda")
        self.name = "cpu" if cpu else torch.cuda.get_device_name()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def seconds(self, work: Callable[[], Any], repeats: int = 3) -> float:
        """The shortest of some repeats; one before them does not count."""
        spent = []
        for _ in range(repeats + 1):
            self.wait()
            before = time.perf_counter()
            work()
            self.wait()
            spent.append(time.perf_counter() - before)
        return min(spent[1:])

    def peak(self) -> int | None:
        """Most bytes allocated since the last time; None on a CPU."""
        if self.device.type == "cpu":
            return None
        most = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return most


def config_of(name: str) -> Any:
    from transformers import Qwen3Config

    tiny = name == "tiny"
    return Qwen3Config(
        vocab_size=320 if tiny else 151_936,
        num_key_value_heads=2 if tiny else 8,
        head_dim=32 if tiny else 128,
        tie_word_embeddings=True,
        max_position_embeddings=40_960,
        **QWEN[name],
    )


def model_of(name: str, place: Place) -> Any:
    """With random float32 weights, made where they lie."""
    from transformers import Qwen3ForCausalLM

    torch.manual_seed(0)
    with place.device:
        return Qwen3ForCausalLM(config_of(name)).eval()


# --- the parts --------------------------------------------------------------------------------------------------------


def ceilings(place: Place, sizes: Sizes) -> Iterator[Row]:
    """What the card does at best: a product of bfloat16 matrices, and a copy."""
    side = sizes.matrix
    left, right = (torch.randn(side, side, device=place.device, dtype=torch.bfloat16) for _ in range(2))
    spent = place.seconds(lambda: left @ right, 10)
    yield {"what": f"bf16 matmul {side}", "seconds": spent, "rate": 2 * side**3 / spent / 1e12, "note": "TFLOP/s"}
    source = torch.zeros(sizes.copied, dtype=torch.uint8, device=place.device)
    target = torch.empty_like(source)
    spent = place.seconds(lambda: target.copy_(source), 10)
    yield {"what": "copy", "seconds": spent, "rate": 2 * sizes.copied / spent / 1e12, "note": "TB/s read and written"}


def prompts_of(count: int, length: int, vocabulary: int) -> list[tuple[int, ...]]:
    """Distinct ones."""
    generator = torch.Generator().manual_seed(0)
    return [tuple(row) for row in torch.randint(3, vocabulary, (count, length), generator=generator).tolist()]


def decode(place: Place, sizes: Sizes) -> Iterator[Row]:
    """The local engine: prompts read and replies sampled, no two of them alike."""
    model = model_of(sizes.small, place)
    engine = LocalEngine(model, end_id=-1, pad_id=0, decode=str, batch_tokens=1 << 20)
    sampling = Sampling(max_tokens=sizes.reply)
    for count in sizes.requests:
        prompts = prompts_of(count, sizes.prompt, model.config.vocab_size)
        place.peak()
        with computing_in(torch.bfloat16, place.device):
            spent = place.seconds(lambda p=prompts: engine.generate(p, range(len(p)), sampling), 1)  # type: ignore[misc]
        what = f"{sizes.small}, {count} requests of {sizes.prompt} + {sizes.reply}"
        yield {"what": what, "seconds": spent, "tokens_per_s": count * sizes.reply / spent} | in_gb(peak=place.peak())


def train(place: Place, sizes: Sizes) -> Iterator[Row]:
    """Updates of the smaller model: every token of the rows counts, the trained ones are a third of them."""
    for checkpointing in (False, True):
        yield from updates(place, sizes.small, sizes.batches, checkpointing)


def train_large(place: Place, sizes: Sizes) -> Iterator[Row]:
    """Updates of the larger model, which fits with its layers' inputs alone."""
    yield from updates(place, sizes.large, sizes.batches[:2], True)


def updates(place: Place, name: str, batches: tuple[tuple[int, int, int], ...], checkpointing: bool) -> Iterator[Row]:
    shape = shape_of_config(config_of(name))
    algorithm = AlgorithmSettings(
        optimisation=Optimisation(activation_checkpointing=checkpointing, micro_batch_tokens=1 << 20)
    )
    clock, parts = ModelClock(place.device), (algorithm.optimisation, Objective(), Magnet())
    with computing_in(torch.bfloat16, place.device):
        learner = Learner(model_of(name, place), *parts, temperature=1.0, clock=clock)
        for rows, length, trained in batches:
            row: Row = {"what": f"{name}, {rows} x {length}{', layers computed again' if checkpointing else ''}"}
            batch = batch_of(rows, length, trained, shape.vocabulary)
            place.peak()
            try:
                spent = place.seconds(lambda b=batch: learner.update(b, 0.0), 3)  # type: ignore[misc]
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                yield row | {"note": "does not fit"} | in_gb(planned=planned(shape, algorithm, rows, length, trained))
                continue
            row |= {"seconds": spent, "tokens_per_s": rows * length / spent}
            yield row | in_gb(peak=place.peak(), planned=planned(shape, algorithm, rows, length, trained))


def batch_of(rows: int, length: int, trained: int, vocabulary: int) -> Batch:
    samples = []
    for ids in prompts_of(rows, length, vocabulary):
        sample = Sample(1.0)
        sample.add(ids[:-trained], ids[-trained:], [-10.0] * trained, 1.0)
        samples.append(sample)
    return pack_samples(samples, pad_id=0)


def planned(shape: ModelShape, algorithm: AlgorithmSettings, rows: int, length: int, trained: int) -> int:
    """What the memory plan says: weights, gradients and moments, and one micro-batch."""
    checkpointed = algorithm.optimisation.activation_checkpointing
    batch = shape.update_bytes(
        rows * length, length, rows * trained, per_choice=per_choice(algorithm), bf16=True, checkpointed=checkpointed
    )
    return 16 * shape.parameters + batch


def sync(place: Place, sizes: Sizes) -> Iterator[Row]:
    """New weights into an engine: nothing for one that shares them, else a copy in bfloat16."""
    for name in dict.fromkeys((sizes.small, sizes.large)):
        model = model_of(name, place)
        engine = LocalEngine(model, end_id=-1, pad_id=0, decode=str)
        spent = place.seconds(lambda m=model, e=engine: e.load(m.named_parameters, 1))  # type: ignore[misc]
        yield {"what": f"{name}, shared with the engine", "seconds": spent}
        weights = [p.detach() for p in model.parameters()]
        copies = [torch.empty_like(p, dtype=torch.bfloat16) for p in weights]
        spent = place.seconds(lambda c=copies, w=weights: torch._foreach_copy_(c, w))  # type: ignore[misc]
        size = sum(copy.nbytes for copy in copies)
        yield {"what": f"{name}, copied on the card", "seconds": spent, "rate": size / spent / 1e9, "note": "GB/s"}
        del model, engine, weights, copies


def vllm(place: Place, sizes: Sizes) -> Iterator[Row]:
    """The vLLM engine over the same requests as the local one."""
    if importlib.util.find_spec("vllm") is None:
        yield {"what": "the vLLM engine", "note": "skipped: vLLM is not installed"}
        return
    from turnwise.agents.context import ChatContext, ContextSettings
    from turnwise.agents.tiny import build_tokenizer
    from turnwise.agents.vllm.settings import VllmSettings
    from turnwise.agents.vllm.start import start_vllm

    tokenizer = build_tokenizer(["nothing"], 300)
    context = ChatContext(tokenizer, ContextSettings(max_context=sizes.prompt + sizes.reply))
    cache = None if place.device.type == "cuda" else 0.0625
    settings = VllmSettings(max_num_seqs=max(sizes.requests), gpu_memory_utilization=0.6, kv_cache_gb=cache)
    model = model_of(sizes.small, place)
    parts = {"model": model, "tokenizer": tokenizer, "context": context, "dtype": torch.bfloat16}
    engine = start_vllm(settings, **parts)
    engine.end_id = model.config.vocab_size - 1  # beyond the tokenizer, and so never sampled
    sampling = Sampling(max_tokens=sizes.reply)
    for count in sizes.requests:
        prompts = prompts_of(count, sizes.prompt, len(tokenizer))
        before = engine.sampled
        spent = place.seconds(lambda p=prompts: engine.generate(p, range(len(p)), sampling), 1)  # type: ignore[misc]
        tokens = (engine.sampled - before) / 2
        what = f"{sizes.small}, {count} requests of {sizes.prompt} + {sizes.reply}"
        yield {"what": what, "seconds": spent, "tokens_per_s": tokens / spent}
    spent = place.seconds(lambda: engine.load(model.named_parameters, 1))
    yield {"what": f"{sizes.small}, new weights", "seconds": spent}
    engine.close()


def in_gb(**sizes: int | None) -> Row:
    return {f"{name}_gb": None if size is None else round(size / 1e9, 3) for name, size in sizes.items()}


PARTS = {"ceilings": ceilings, "decode": decode, "train": train, "train 4B": train_large, "sync": sync, "vllm": vllm}


def main(part: str, cpu_test: bool) -> None:
    if cpu_test:
        torch.set_num_threads(1)
    elif not torch.cuda.is_available():
        raise SystemExit("these figures need a GPU that torch can see; --cpu-test tries the script without one")
    place = Place(cpu_test)
    for row in PARTS[part](place, TINY if cpu_test else FULL):
        print("ROW " + json.dumps({"part": part, "device": place.name, **row}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], "--cpu-test" in sys.argv[2:])
