"""What a GPU is measured with: models of random weights with the sizes of Qwen3's, and batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import kernel_figures
import torch
from device import Place

from turnwise.algorithms.batch import Batch, pack_samples
from turnwise.algorithms.samples import Sample

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
    trees: tuple[tuple[int, int, int, int, int], ...]
    """(members of a group, tokens of the prompt, turns, tokens of a turn, turns after which paths fork in two)."""
    kernels: kernel_figures.Sizes


FULL = Sizes(
    "0.6B", "4B", 8192, 1 << 32, (1, 64, 256), 512, 128, ((8, 2048, 716), (4, 4096, 1433), (1, 16384, 5734)),
    ((8, 2048, 4, 300, 2), (16, 2048, 4, 300, 2), (16, 6144, 8, 200, 1)), kernel_figures.QWEN_06B,
)  # fmt: skip
TINY = Sizes(
    "tiny", "tiny", 64, 1 << 20, (1, 4), 16, 4, ((2, 32, 10),), ((4, 16, 4, 5, 1),), kernel_figures.TINY
)  # fmt: skip


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


def prompts_of(count: int, length: int, vocabulary: int) -> list[tuple[int, ...]]:
    """Distinct ones."""
    generator = torch.Generator().manual_seed(0)
    return [tuple(row) for row in torch.randint(3, vocabulary, (count, length), generator=generator).tolist()]


def batch_of(rows: int, length: int, trained: int, vocabulary: int) -> Batch:
    samples = []
    for ids in prompts_of(rows, length, vocabulary):
        sample = Sample(1.0)
        sample.add(ids[:-trained], ids[-trained:], [-10.0] * trained, 1.0)
        samples.append(sample)
    return pack_samples(samples, pad_id=0)


def tree_batch(members: int, prompt: int, turns: int, length: int, forks: int, vocabulary: int) -> Batch:
    """A group of paths from one prompt, which after `forks` turns in common fork in two at every turn, while they can.

    The first half of each turn is read, the second one sampled and trained.
    """
    generator = torch.Generator().manual_seed(0)

    def tokens(count: int) -> tuple[int, ...]:
        return tuple(torch.randint(3, vocabulary, (count,), generator=generator).tolist())

    start, segments, samples = tokens(prompt), {}, []
    for member in range(members):
        sample, so_far = Sample(1.0), start
        for turn in range(turns):
            alike = max(members >> max(turn + 1 - forks, 0), 1)  # paths that are still one
            said = segments.setdefault((turn, member // alike), tokens(length))
            half = length - length // 2
            sample.add(so_far + said[:half], said[half:], [-10.0] * (length // 2), 1.0 if member % 2 else -1.0)
            so_far += said
        samples.append(sample)
    return pack_samples(samples, pad_id=0)


def distinct_tokens(batch: Batch) -> int:
    """Tokens of a batch whose shared beginnings count once."""
    from turnwise.algorithms.tree import tree_of

    return len(tree_of(batch.ids, batch.lengths).ids)
