"""What is left behind when a loss or gradient is not finite: the batch, its episodes, and which of them did it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import torch

from turnwise.algorithms.algorithm import Judged
from turnwise.algorithms.batch import Batch, pack_samples, take_rows
from turnwise.algorithms.files import write_atomically
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.samples import samples_of, together
from turnwise.algorithms.sharding import not_finite

MOST_NAMED = 3
"""Episodes that the sentence names."""


def save_failure(run_dir: Path, step: int, learner: Learner, batch: Batch, judged: Judged) -> str:
    """Write `failures/step-N/` (batch.pt, episodes.jsonl, culprits.jsonl); returns a sentence on what is there.

    All ranks call it, and the first one writes.
    """
    folder = run_dir / "failures" / f"step-{step:06d}"
    first = learner.world.is_first
    if first:
        folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        torch.save({field.name: getattr(batch, field.name) for field in fields(batch)}, buffer)
        write_atomically(folder / "batch.pt", buffer.getvalue())
        write_atomically(folder / "episodes.jsonl", "".join(f"{episode.to_json()}\n" for episode in judged.episodes))
    broken = not_finite(learner.model, learner.world)
    guilty = [judged.episodes[index] for index in culprits(learner, batch, judged)]
    if first:
        write_atomically(folder / "culprits.jsonl", "".join(f"{episode.to_json()}\n" for episode in guilty))
    return f"{_cause(broken, [episode.id for episode in guilty])}; the batch is in {folder}"


def _cause(broken: Sequence[str], guilty: Sequence[str]) -> str:
    more = len(guilty) - MOST_NAMED
    names = f"{', '.join(guilty[:MOST_NAMED])}{f' and {more} more' if more > 0 else ''}"
    source = f"it comes from episode {names}" if guilty else "no episode does it alone"
    return f"the weights are not finite themselves, {broken[0]} for one; {source}" if broken else source


def culprits(learner: Learner, batch: Batch, judged: Judged) -> list[int]:
    """Indices of the episodes that alone make the loss or its gradient infinite or NaN. No weight moves."""
    samples, owners = [], []
    for index, (episode, row) in enumerate(zip(judged.episodes, judged.advantages, strict=True)):
        found = samples_of(episode, row, None if judged.targets is None else judged.targets[index])
        samples += found
        owners += [index] * len(found)
    order, guilty = together(samples).in_batch_order(), set[int]()
    for place in range(len(order.rows)):
        if not learner.is_finite(take_rows(batch, place, place + 1)):
            members = order.samples[order.sample_row == place].tolist()
            alone = [number for number in members if not learner.is_finite(pack_samples([samples[number]], pad_id=0))]
            guilty |= {owners[number] for number in alone or members}
    return sorted(guilty)
