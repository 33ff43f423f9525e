"""One part of what is measured on a GPU, in this process: `python parts.py PART [--cpu-test]`, a line per row.

Models have random weights and the sizes of Qwen3's, products run in bfloat16 as in a run on a GPU.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from typing import Any

if "--cpu-test" in sys.argv:  # before anything imports triton
    os.environ.setdefault("TRITON_INTERPRET", "1")

import kernel_figures
import torch
from device import Place, read_ceilings
from gates import gates as kernel_gates
from gates import held
from workloads import FULL, TINY, Sizes, batch_of, config_of, distinct_tokens, model_of, prompts_of, tree_batch

from turnwise.agents.clock import ModelClock
from turnwise.agents.local import LocalEngine
from turnwise.agents.precision import computing_in
from turnwise.agents.sampling import Sampling
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.memory_plan import held_logits
from turnwise.algorithms.model_shape import ModelShape, shape_of_config
from turnwise.algorithms.recipes import AlgorithmSettings, Magnet, Objective, Optimisation

Row = dict[str, Any]


def ceilings(place: Place, sizes: Sizes) -> Iterator[Row]:
    """What the card does at best: a product of bfloat16 matrices, and a copy."""
    found, product, copy = read_ceilings(place, sizes.matrix, sizes.copied, torch.bfloat16)
    yield {"what": f"bf16 matmul {sizes.matrix}", "seconds": product, "rate": found.flops / 1e12, "note": "TFLOP/s"}
    yield {"what": "copy", "seconds": copy, "rate": found.bytes / 1e12, "note": "TB/s read and written"}


def gates(place: Place, sizes: Sizes) -> Iterator[Row]:
    """Each kernel against its torch reference, an update of a small model in either layout, and what it samples."""
    yield from kernel_gates(place, place.cuda)
    yield from same_update(place)
    yield from same_logprobs(place)


def same_update(place: Place) -> Iterator[Row]:
    """Loss and gradient of a tree and of its rows, in float32."""
    found = []
    for layout in ("rows", "tree"):
        learner, batch = learner_of("tiny", place, False, layout), tree_batch(4, 16, 4, 5, 1, 320)
        metrics = learner.update(batch, 0.0)
        found.append([torch.tensor([metrics["loss"], metrics["grad_norm"], metrics["entropy"]])])
    yield held("an update of a tree and of its rows", *reversed(found), 1e-4)


def same_logprobs(place: Place) -> Iterator[Row]:
    """The engine's log-probs of what it sampled, by graphs on a card, and the model's own, in float32."""
    model = model_of("tiny", place)
    engine = LocalEngine(model, end_id=-1, pad_id=0, decode=str)
    prompts = [prompt[: 5 + number % 7] for number, prompt in enumerate(prompts_of(20, 12, 320))]
    replies = engine.generate(prompts, range(len(prompts)), Sampling(max_tokens=9))
    told, wanted = [], []
    for prompt, reply in zip(prompts, replies, strict=True):
        ids = torch.tensor([[*prompt, *reply.ids]], device=place.device)
        with torch.no_grad():
            log_p = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        wanted.append(log_p.gather(1, ids[0, len(prompt) :, None])[:, 0].cpu())
        told.append(torch.tensor(reply.logprobs))
    yield held("log-probs of sampled replies", [torch.cat(told)], [torch.cat(wanted)], 1e-4)


def kernels(place: Place, sizes: Sizes) -> Iterator[Row]:
    """Every kernel beside the plain way and the peers that are here; see benchmarks/kernel_figures.py."""
    for row in kernel_figures.rows_of(list(kernel_figures.KERNELS), place, sizes.kernels):
        rate = {"rate": row["share"], "note": "of the floor's speed"} if "share" in row else {}
        yield {**rate, **row, "what": f"{row['kernel']}: {row['what']}"}


def decode(place: Place, sizes: Sizes) -> Iterator[Row]:
    """The local engine, prompts read and replies sampled, no two of them alike: its weights those of a trainer, in
    float32 with products in bfloat16, or a copy of its own in bfloat16."""
    model, sampling = model_of(sizes.small, place), Sampling(max_tokens=sizes.reply)
    for weights in (torch.float32, torch.bfloat16):
        model = model.to(weights)
        shared = weights == torch.float32
        engine = LocalEngine(model, end_id=-1, pad_id=0, decode=str, batch_tokens=1 << 20, shares_model=shared)
        for count in sizes.requests:
            prompts = prompts_of(count, sizes.prompt, model.config.vocab_size)
            place.peak()
            with computing_in(torch.bfloat16 if shared else torch.float32, place.device):
                spent = place.seconds(lambda p=prompts, e=engine: e.generate(p, range(len(p)), sampling), 1)  # type: ignore[misc]
            row = in_gb(peak=place.peak()) | sampled(sizes, count, spent, read_s(place, sizes, count, model))
            yield row | {"what": f"{row['what']}, weights in {str(weights)[6:]}"}
        engine.close()


def sampled(sizes: Sizes, count: int, spent: float, floor: float) -> Row:
    """A row of sampling."""
    what = f"{sizes.small}, {count} requests of {sizes.prompt} + {sizes.reply}"
    row = {"what": what, "seconds": spent, "tokens_per_s": count * sizes.reply / spent}
    return row | {"floor_s": floor, "rate": floor / spent, "note": "of the speed of reading weights and cache"}


def read_s(place: Place, sizes: Sizes, count: int, model: Any) -> float:
    """Seconds to read the prompts (a product) and then, a token at a time, the bfloat16 weights and all caches."""
    found, *_ = read_ceilings(place, sizes.matrix, sizes.copied, torch.bfloat16)
    config, weights = model.config, sum(p.numel() for p in model.parameters())
    cached = 4 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    tokens = sizes.reply * sizes.prompt + sizes.reply * (sizes.reply - 1) // 2
    moved = sizes.reply * 2 * weights + count * tokens * cached
    return moved / found.bytes + 2 * weights * count * sizes.prompt / found.flops


def generate(place: Place, sizes: Sizes) -> Iterator[Row]:
    """transformers' own `generate` over the same requests, all of one length, which is its best case."""
    model = model_of(sizes.small, place).to(torch.bfloat16)
    count = max(sizes.requests)
    ids = torch.tensor(prompts_of(count, sizes.prompt, model.config.vocab_size), device=place.device)
    limits = {"max_new_tokens": sizes.reply, "min_new_tokens": sizes.reply, "do_sample": True, "top_k": 0}
    place.peak()
    with torch.inference_mode():
        spent = place.seconds(lambda: model.generate(ids, attention_mask=torch.ones_like(ids), **limits), 1)
    yield in_gb(peak=place.peak()) | sampled(sizes, count, spent, read_s(place, sizes, count, model))


def train(place: Place, sizes: Sizes) -> Iterator[Row]:
    """Updates of the smaller model: every token of the rows counts, the trained ones are a third of them."""
    for checkpointing in (False, True):
        for name in ("tree", "rows"):
            yield from updates(place, sizes, sizes.small, checkpointing, name)


def train_large(place: Place, sizes: Sizes) -> Iterator[Row]:
    """Updates of the larger model, which fits with its layers' inputs alone."""
    for name in ("tree", "rows"):
        yield from updates(place, sizes, sizes.large, True, name)


def compiled(place: Place, sizes: Sizes) -> Iterator[Row]:
    """The smaller model's updates with its layers compiled; `train` has the same without."""
    if not place.cuda:
        yield {"what": "compiled layers", "note": "skipped: layers are compiled for a GPU"}
        return
    for name in ("tree", "rows"):
        yield from updates(place, sizes, sizes.small, False, name, compile=True)


def layout(place: Place, sizes: Sizes) -> Iterator[Row]:
    """Groups whose prompt and first turns are shared, forwarded once as a tree and each row on its own."""
    for members, prompt, turns, length, forks in sizes.trees:
        seconds = {}
        batch = tree_batch(members, prompt, turns, length, forks, config_of(sizes.small).vocab_size)
        distinct, tokens = distinct_tokens(batch), int(batch.lengths.sum())
        for name in ("rows", "tree"):
            learner = learner_of(sizes.small, place, True, name, micro_batch_tokens=32_768)
            place.peak()
            with computing_in(torch.bfloat16, place.device):
                seconds[name] = place.seconds(lambda w=learner, b=batch: w.update(b, 0.0), 2)  # type: ignore[misc]
            what = f"{sizes.small}, {members} rows of {prompt} + {turns} x {length} as {name}"
            row = {"what": what, "seconds": seconds[name], "tokens_per_s": tokens / seconds[name]}
            yield row | in_gb(peak=place.peak())
            del learner
        ratio, faster = tokens / distinct, seconds["rows"] / seconds["tree"]
        yield {"what": f"{what}: {faster:.2f} times as fast", "seconds": seconds["tree"], "rate": faster / ratio} | {
            "note": f"of the ratio of tokens, {ratio:.2f}"
        }


def learner_of(name: str, place: Place, checkpointing: bool, layout: str = "tree", **options: Any) -> Learner:
    """An update of a whole batch at once, unless `options` say otherwise."""
    place.clear()
    options = {"micro_batch_tokens": 1 << 20} | options
    chosen = Optimisation(activation_checkpointing=checkpointing, layout=layout, **options)
    clock = ModelClock(place.device)
    return Learner(model_of(name, place), chosen, Objective(), Magnet(), temperature=1.0, clock=clock)


def updates(
    place: Place, sizes: Sizes, name: str, checkpointing: bool, layout: str, compile: bool = False
) -> Iterator[Row]:
    """Rows with nothing in common: in either layout each is forwarded whole."""
    shape = shape_of_config(config_of(name))
    ceilings, *_ = read_ceilings(place, sizes.matrix, sizes.copied, torch.bfloat16)
    algorithm = AlgorithmSettings(
        optimisation=Optimisation(activation_checkpointing=checkpointing, micro_batch_tokens=1 << 20)
    )
    with computing_in(torch.bfloat16, place.device):
        learner = learner_of(name, place, checkpointing, layout, compile=compile)
        for rows, length, trained in sizes.batches:
            again = ", layers computed again" if checkpointing else ", layers compiled" if compile else ""
            row: Row = {"what": f"{name}, {rows} x {length} as {layout}{again}"}
            batch = batch_of(rows, length, trained, shape.vocabulary)
            place.peak()
            try:
                spent = place.seconds(lambda b=batch: learner.update(b, 0.0), 3)  # type: ignore[misc]
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                yield row | {"note": "does not fit"} | in_gb(planned=planned(shape, algorithm, rows, length, trained))
                continue
            floor = update_flops(config_of(name), rows, length, trained, checkpointing) / ceilings.flops
            row |= {"seconds": spent, "tokens_per_s": rows * length / spent, "floor_s": floor, "rate": floor / spent}
            yield (
                row
                | {"note": "of the speed of its products"}
                | in_gb(peak=place.peak(), planned=planned(shape, algorithm, rows, length, trained))
            )


def update_flops(config: Any, rows: int, length: int, trained: int, checkpointing: bool) -> float:
    """Products of an update: of the layers and their causal attention, and of the head at trained tokens."""
    heads, groups, size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
    width, inner = config.hidden_size, config.intermediate_size
    weights = width * size * (2 * heads + 2 * groups) + 3 * width * inner
    attention = 2 * heads * size * length  # two products, half of the pairs
    layers = config.num_hidden_layers * (2 * weights + attention) * rows * length
    head = 2 * width * config.vocab_size * rows * trained
    return (4 if checkpointing else 3) * layers + 4 * head


def planned(shape: ModelShape, algorithm: AlgorithmSettings, rows: int, length: int, trained: int) -> int:
    """What the memory plan says: weights, gradients and moments, and one micro-batch."""
    checkpointed = algorithm.optimisation.activation_checkpointing
    logits = held_logits(algorithm, shape, rows * trained, "cuda")
    batch = shape.update_bytes(
        rows * length, length, rows * trained, logits=logits, bf16=True, checkpointed=checkpointed
    )
    return 16 * shape.parameters + batch


def sync(place: Place, sizes: Sizes) -> Iterator[Row]:
    """New weights into an engine: nothing for one that shares them, else a copy in bfloat16."""
    for name in dict.fromkeys((sizes.small, sizes.large)):
        place.clear()
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


PARTS = {
    "ceilings": ceilings,
    "gates": gates,
    "kernels": kernels,
    "layout": layout,
    "decode": decode,
    "generate": generate,
    "train": train,
    "train 4B": train_large,
    "sync": sync,
    "compile": compiled,
    "vllm": vllm,
}


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
