"""How far vLLM's log-probs are from the trainer's own forward pass over the same tokens, in both precisions.

    .venv-vllm/bin/python benchmarks/agreement.py                       # the tiny model, made on the spot
    python benchmarks/agreement.py --model Qwen/Qwen3-0.6B              # a real one

One row per precision of the sampler and of the trainer, with d = log-prob of the trainer - of the sampler in nats:
mean and maximum of |d|, the mean of k3 = e^d - d - 1 (an estimate of KL(sampler || trainer)) and its 99.9th percentile,
the maximum of |sum of d| over a reply, and the effective share of tokens (sum w)^2 / (n sum w^2) at weights w = e^d.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import torch

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.engine import Completion
from turnwise.agents.precision import computing_in
from turnwise.agents.pretrained import load_pretrained, pick_device
from turnwise.agents.sampling import Sampling
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
from turnwise.agents.vllm.settings import VllmSettings
from turnwise.agents.vllm.start import start_vllm

PRECISIONS = (torch.float32, torch.bfloat16)
COLUMNS = ("mean |d|", "max |d|", "mean k3", "99.9% k3", "max |sum d|", "effective")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or hub id; default: a tiny one")
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--tokens", type=int, default=32, help="of each reply")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--share", type=float, default=0.3, help="of a GPU's memory for vLLM")
    options = parser.parse_args(words)
    model, tokenizer = _model(options.model)
    device = model.device
    print(f"{'sampler / trainer':22}" + "".join(f"{name:>13}" for name in COLUMNS))
    for sampler in PRECISIONS:
        prompts, replies = _sampled(model, tokenizer, sampler, options)
        for trainer in PRECISIONS:
            with computing_in(trainer, device), torch.no_grad():
                gaps = [_gaps(model, p, r, options.temperature) for p, r in zip(prompts, replies, strict=True)]
            name = " / ".join(str(dtype).removeprefix("torch.") for dtype in (sampler, trainer))
            *nats, effective = _figures(gaps)
            print(f"{name:22}" + "".join(f"{value:13.2g}" for value in nats) + f"{effective:13.5f}", flush=True)


def _model(path: str | None) -> tuple[Any, Any]:
    if path is not None:
        return load_pretrained(path, device=pick_device("auto"))
    texts = [f"{a} {b}" for a, b in product(("go", "take", "open", "look at"), ("the lamp", "the door", "north", "42"))]
    tokenizer = build_tokenizer(texts, 512)
    sizes = TinyModel(hidden=128, heads=2, head_dim=64, intermediate=256, init_std=0.1)
    return build_model(sizes, tokenizer, 0), tokenizer


def _sampled(
    model: Any, tokenizer: Any, dtype: torch.dtype, options: argparse.Namespace
) -> tuple[list[tuple[int, ...]], list[Completion]]:
    """Random prompts of 50 to 150 tokens, a third of them with the same beginning, and a reply to each."""
    draw = torch.Generator().manual_seed(1)

    def ids(low: int, high: int) -> tuple[int, ...]:
        count = int(torch.randint(low, high, (1,), generator=draw))
        return tuple(torch.randint(3, len(tokenizer), (count,), generator=draw).tolist())

    shared = ids(60, 61)
    prompts = [(shared if k % 3 == 0 else ()) + ids(50, 90) for k in range(options.prompts)]
    settings = VllmSettings(gpu_memory_utilization=options.share, deadline_s=600)
    context = ChatContext(tokenizer, ContextSettings(max_context=1024, layout="per_turn"), None)
    engine = start_vllm(settings, model=model, tokenizer=tokenizer, context=context, path=options.model, dtype=dtype)
    sampling = Sampling(max_tokens=options.tokens, temperature=options.temperature)
    replies = engine.generate(prompts, range(len(prompts)), sampling)
    engine.close()
    return prompts, replies


def _gaps(model: Any, prompt: tuple[int, ...], reply: Completion, temperature: float) -> torch.Tensor:
    ids = torch.tensor([[*prompt, *reply.ids]], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
    own = torch.log_softmax(logits / temperature, dim=-1).gather(1, ids[0, len(prompt) :, None])[:, 0]
    return own.double().cpu() - torch.tensor(reply.logprobs, dtype=torch.float64)


def _figures(gaps: Sequence[torch.Tensor]) -> Iterator[float]:
    every = torch.cat(list(gaps))
    k3, weights = every.expm1() - every, every.exp()
    yield from (float(every.abs().mean()), float(every.abs().max()), float(k3.mean()), float(k3.quantile(0.999)))
    yield max(float(reply.sum().abs()) for reply in gaps)
    yield float(weights.sum() ** 2 / (len(every) * (weights**2).sum()))


if __name__ == "__main__":
    main()
