"""What the kernels cost: bytes and FLOPs counted, time measured, and the share of what the machine can do at all.

    python benchmarks/kernel_figures.py [--kernels head,scan,...] [--tiny] [--json FILE]

On a GPU Triton's kernels, on a CPU torch's paths, each beside the plain way. `floor_s` is max(FLOPs / rate of a matrix
product, bytes / rate of a copy), both rates read at the start of the same run, of the least that has to be computed
and moved; `share` is floor / time. With --tiny the sizes are those of a test.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from common import print_table, save_result
from device import Ceilings, Place, read_ceilings
from torch import Tensor

from turnwise.kernels.logprobs import token_scores
from turnwise.kernels.loss import clipped_token_loss
from turnwise.kernels.loss import reference as loss_reference
from turnwise.kernels.scan import reference as scan_reference
from turnwise.kernels.scan import reverse_scan

Row = dict[str, Any]
COLUMNS = ("kernel", "what", "seconds", "floor_s", "share", "gflop", "gb", "peak_gb", "rate", "note")


@dataclass(frozen=True)
class Sizes:
    side: int
    """Of the square matrices whose product is timed."""
    copied: int
    """Bytes."""
    scans: tuple[tuple[int, int], ...]
    """(rows, length)."""
    head: tuple[int, int]
    """(hidden size, vocabulary)."""
    trained: tuple[int, ...]
    """Tokens that go through the head."""
    trees: tuple[tuple[int, int, int], ...]
    """(members of a group, tokens all share, tokens of its own)."""
    heads: tuple[int, int, int]
    """(query heads, key heads, size) of the attention over trees."""


QWEN_06B = Sizes(
    8192, 1 << 32, ((64, 16384), (2048, 512)), (1024, 151_936), (4096, 16384, 65536),
    ((8, 2048, 1024), (16, 2048, 512)), (16, 8, 128),
)  # fmt: skip
ON_CPU = Sizes(
    1024, 1 << 26, ((64, 16384), (500, 300)), (128, 1024), (2048,), ((8, 256, 64), (16, 256, 32)), (4, 2, 32)
)
TINY = Sizes(64, 1 << 16, ((3, 100),), (16, 50), (20,), ((3, 16, 5),), (2, 1, 16))


@dataclass(frozen=True)
class Work:
    """Something to time."""

    kernel: str
    what: str
    run: Callable[[], Any]
    flops: float
    moved: float
    """Bytes, the least that have to be read and written."""


def measured(place: Place, ceilings: Ceilings, work: Work) -> Row:
    """The row of one piece of work; one that does not fit says so."""
    floor = ceilings.floor(work.flops, work.moved)
    row: Row = {"kernel": work.kernel, "what": work.what, "floor_s": floor}
    row |= {"gflop": work.flops / 1e9, "gb": work.moved / 1e9}
    place.peak()
    before = torch.cuda.memory_allocated() if place.cuda else 0
    try:
        spent = place.kernel_seconds(work.run)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return row | {"note": "does not fit"}
    except Exception as error:
        if not work.what.startswith(TRIED):
            raise
        return row | {"note": f"failed: {str(error).strip().splitlines()[0][:150]}"}
    peak = place.peak()
    return row | {"seconds": spent, "share": floor / spent, "peak_gb": None if peak is None else (peak - before) / 1e9}


# --- the kernels ------------------------------------------------------------------------------------------------------


def scans(place: Place, sizes: Sizes) -> Iterator[Work]:
    """12 bytes and 2 FLOPs an element."""
    for rows, length in sizes.scans:
        count = rows * length
        values = place.random(rows, length)
        decay = torch.where(place.random(rows, length) > 1.5, 0.0, 0.95)
        ways: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"": reverse_scan}
        if place.cuda:
            from turnwise.kernels.scan_triton import CONFIGS, scan

            ways |= {f"{config}: ": partial(scan, config=config) for config in CONFIGS} | {"torch: ": scan_reference}
        for name, way in ways.items():
            yield Work("scan", f"{name}{rows} x {length}", partial(way, values, decay), 2 * count, 12 * count)


def loss(place: Place, sizes: Sizes) -> Iterator[Work]:
    """23 bytes a token forwards and 12 backwards, about 20 FLOPs."""
    rows, length = sizes.scans[0]
    new, old, advantages = (place.random(rows, length, dtype=torch.float32) * 0.3 for _ in range(3))
    new = (old + 0.1 * new.roll(1)).requires_grad_()
    mask = place.random(rows, length) < 1.0
    count, bounds = rows * length, (0.8, 1.28, 3.0)

    def step(make: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(make().per_token.sum(), new)

    def fused() -> Any:
        return clipped_token_loss(new, old, advantages, mask, clip_low=0.2, clip_high=0.28, dual_clip=3.0)

    yield Work("loss", f"{count} tokens", step(fused), 20 * count, 35 * count)
    if place.cuda:
        from turnwise.kernels.loss_triton import CONFIGS, clipped

        for config in CONFIGS:
            forward = partial(clipped, new.detach(), old, advantages, mask, bounds, config=config)
            yield Work("loss", f"{config}: forwards, {count} tokens", forward, 20 * count, 23 * count)
        plain = step(lambda: loss_reference(new, old, advantages, mask, bounds))
        yield Work("loss", f"torch: {count} tokens", plain, 20 * count, 35 * count)


def head(place: Place, sizes: Sizes) -> Iterator[Work]:
    """Log-probs and entropies forwards, both gradients backwards: four products, one of them twice; fp32 logits no."""
    hidden_size, vocabulary = sizes.head
    dtype = torch.bfloat16 if place.cuda else torch.float32
    weight = (0.05 * place.random(vocabulary, hidden_size, dtype=dtype)).requires_grad_()
    for count in sizes.trained:
        hidden = place.random(count, hidden_size, dtype=dtype).requires_grad_()
        tokens = torch.arange(count, device=place.device) * 7919 % vocabulary
        products = 8 * count * hidden_size * vocabulary
        moved = dtype.itemsize * (4 * vocabulary * hidden_size + 4 * count * hidden_size) + 12 * count
        ways = {"": _ours, **_other_heads(place)}
        if place.cuda and count == 16384:
            ways |= {f"{tile}: ": partial(_ours, tile=tile) for tile in TILES}
        for name, logprobs in ways.items():
            run = _head_step(logprobs, hidden, weight, tokens)
            yield Work("head", f"{name}{count} tokens", run, products, moved)


def _head_step(
    logprobs: Callable[[Tensor, Tensor, Tensor], Tensor], hidden: Tensor, weight: Tensor, tokens: Tensor
) -> Callable[[], Any]:
    return lambda: torch.autograd.grad(logprobs(hidden, weight, tokens).sum(), (hidden, weight))


TILES = ((4096, 2048), (8192, 2048), (4096, 4096), (16384, 4096), (8192, 8192))
"""(tokens, choices) of a tile of logits that are tried beside the head's own: the smaller ones fit a cache of 50 MB."""


def _ours(hidden: Tensor, weight: Tensor, tokens: Tensor, tile: tuple[int, int] | None = None) -> Tensor:
    """tile: in place of the kernel's own, until it is given another."""
    if hidden.is_cuda:
        from turnwise.kernels import logprobs_triton

        _OWN_TILE.append(logprobs_triton.TILE)
        logprobs_triton.TILE = tile or _OWN_TILE[0]
    return token_scores(hidden, weight, tokens, entropy=True).logprobs


_OWN_TILE: list[tuple[int, int]] = []


def _stored(hidden: Tensor, weight: Tensor, tokens: Tensor) -> Tensor:
    """All logits, in float32 for the softmax."""
    logits = (hidden @ weight.t()).float()
    return torch.log_softmax(logits, -1).gather(1, tokens[:, None])[:, 0]


TRIED = ("trl", "Liger", "(")
"""How the names of work begin that may fail: that of peers, and of configurations in brackets."""


def _other_heads(place: Place) -> dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]]:
    """The plain way, and the peers' kernels that are here."""
    found: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"stored logits: ": _stored}
    if place.cuda and importlib.util.find_spec("trl"):
        found["trl: "] = _trl
    if place.cuda and importlib.util.find_spec("liger_kernel"):
        found["Liger: "] = _liger
    return found


def _trl(hidden: Tensor, weight: Tensor, tokens: Tensor) -> Tensor:
    """Its backward pass looks one helper up in `trl.trainer.utils`, which needs packages that nothing here calls."""
    try:
        importlib.import_module("trl.trainer.utils")
    except ImportError:
        stand_in: Any = types.ModuleType("trl.trainer.utils")
        stand_in.maybe_gather_lm_head_ctx = lambda *parameters: contextlib.nullcontext()  # gathers shards of DeepSpeed
        sys.modules["trl.trainer.utils"] = stand_in
    from trl.kernels.chunked_logprob import ChunkedLogProbFunction

    found: Tensor = ChunkedLogProbFunction.apply(hidden, weight, None, tokens, 1.0, 8192, None, 1.0, ("entropy",))[0]
    return found


def _liger(hidden: Tensor, weight: Tensor, tokens: Tensor) -> Tensor:
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

    found: Tensor = LigerFusedLinearCrossEntropyLoss(reduction="sum")(weight, hidden, tokens)
    return found


def tree(place: Place, sizes: Sizes) -> Iterator[Work]:
    """Attention forwards and backwards, 14 FLOPs a pair and number of a head; beside the same rows on their own."""
    from turnwise.algorithms.tree import tree_of
    from turnwise.kernels.tree_attention import tree_attention

    asking, asked, size = sizes.heads
    dtype = torch.bfloat16 if place.cuda else torch.float32
    for members, shared, own in sizes.trees:
        length = shared + own
        ids = torch.arange(length, device=place.device).repeat(members, 1)
        ids[:, shared:] += length * torch.arange(members, device=place.device)[:, None]
        layout = tree_of(ids, torch.full((members,), length, device=place.device))
        count = len(layout.ids)
        depth = layout.positions.sum().item() + count  # pairs of a token and one that it sees
        columns = [
            place.random(1, heads, count, size, dtype=dtype).requires_grad_() for heads in (asking, asked, asked)
        ]
        flops, moved = 14 * asking * size * depth, dtype.itemsize * size * count * (5 * asking + 6 * asked)
        what = f"{members} rows of {shared} + {own}"
        step = _attention_step(lambda q, k, v, t=layout: tree_attention(q, k, v, t.attention), columns)
        yield Work("tree", what, step, flops, moved)
        for config in TREE_CONFIGS if place.cuda else ():
            yield Work("tree", f"{config}: {what}", partial(_in_blocks, config, step), flops, moved)
        rows = [
            place.random(members, heads, length, size, dtype=dtype).requires_grad_() for heads in (asking, asked, asked)
        ]
        yield Work("tree", f"apart: {what}", _attention_step(_causal, rows), flops, moved)


TREE_CONFIGS = ((64, 64, 4, 3), (128, 64, 8, 2), (64, 64, 8, 2))
"""(queries, keys, warps, stages) that are tried beside the kernel's own."""


def _in_blocks(config: tuple[int, int, int, int], step: Callable[[], Any]) -> Any:
    """The step with other blocks than the kernel's own."""
    from turnwise.kernels import tree_attention_triton

    names = ("QUERIES", "KEYS", "num_warps", "num_stages")
    own = tree_attention_triton._sizes
    tree_attention_triton._sizes = lambda width, dtype: dict(zip(names, config, strict=True))
    try:
        return step()
    finally:
        tree_attention_triton._sizes = own


def _causal(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=True)


def _attention_step(attend: Callable[..., Tensor], columns: Sequence[Tensor]) -> Callable[[], Any]:
    return lambda: torch.autograd.grad(attend(*columns).sum(), columns)


KERNELS = {"scan": scans, "loss": loss, "head": head, "tree": tree}


def rows_of(names: Sequence[str], place: Place, sizes: Sizes) -> Iterator[Row]:
    """The ceilings, then every row of these kernels."""
    dtype = torch.bfloat16 if place.cuda else torch.float32
    ceilings, product, copy = read_ceilings(place, sizes.side, sizes.copied, dtype)
    yield {"kernel": "ceiling", "what": f"{dtype} matmul {sizes.side}", "seconds": product, "rate": ceilings.flops}
    yield {"kernel": "ceiling", "what": "copy", "seconds": copy, "rate": ceilings.bytes}
    for name in names:
        rows = []
        for work in KERNELS[name](place, sizes):
            rows.append(measured(place, ceilings, work))
            yield rows[-1]
        yield from winners(rows)


def winners(rows: Sequence[Row]) -> Iterator[Row]:
    """Of each piece of work that was tried in several configurations: which one was the fastest."""
    tried: dict[str, list[Row]] = {}
    for row in rows:
        config, _, what = row["what"].rpartition(": ")
        if "seconds" in row and (not config or config.startswith("(")):
            tried.setdefault(what, []).append(row | {"config": config or "its own"})
    for what, found in tried.items():
        if len(found) > 1:
            best = min(found, key=lambda row: row["seconds"])
            yield best | {"what": f"fastest: {what}", "note": best["config"]}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kernels", default=",".join(KERNELS), help="which of them")
    parser.add_argument("--tiny", action="store_true", help="sizes of a test, on a CPU")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    names = given.kernels.split(",")
    if unknown := set(names) - set(KERNELS):
        parser.error(f"--kernels takes {', '.join(KERNELS)}: got {', '.join(sorted(unknown))}")
    place = Place(cpu=given.tiny or not torch.cuda.is_available())
    torch.set_num_threads(1)
    rows = list(rows_of(names, place, TINY if given.tiny else QWEN_06B if place.cuda else ON_CPU))
    print_table(rows, COLUMNS)
    if given.json:
        save_result(given.json, rows, packages=("torch", "triton"), device=place.name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
