"""Training on groups that share their prompt and half of their turns: each distinct token once, against padded rows.

    python benchmarks/shared_prefix.py --json benchmarks/results/shared_prefix.json

Synthetic groups (one prompt, `--turns` turns, the first half of them on a trunk, then G forks), one small Qwen3 and a
learner for each layout; whole updates (tree and batch cut, forward, loss, backward, optimiser) in one process and one
thread, the layouts in turn, in processor time. `of_ratio` is the speed-up over the ratio of tokens, padding left out: 1
is reached by a tree whose tokens cost what tokens cost in rows.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import print_table, save_result

COLUMNS = (
    *("prompt", "group", "rows_tokens", "padded_tokens", "tree_tokens", "token_ratio"),
    *("rows_s", "tree_s", "speed_up", "of_ratio", "loss_apart"),
)
NOTES = {
    "rows_tokens": "of all rows, without padding",
    "tree_tokens": "distinct ones",
    "token_ratio": "rows_tokens over tree_tokens",
    "rows_s": "processor seconds of one update, median of the repeats",
    "speed_up": "median over the repeats of rows_s over tree_s, measured side by side",
    "of_ratio": "speed_up over token_ratio; the goal is 0.8, and 0.9 beyond",
    "loss_apart": "of the two layouts' losses at the same weights, in units of the advantage",
}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", default="512", help="tokens of the prompt")
    parser.add_argument("--groups", default="8,16", help="rows that share it")
    parser.add_argument("--turns", type=int, default=4, help="turns of a row; the first half of them is shared")
    parser.add_argument(
        "--turn-tokens", type=int, default=150, help="tokens of a turn on average, a third of them sampled"
    )
    parser.add_argument("--hidden", type=int, default=192, help="width of the model")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    rows = [
        measure(int(prompt), int(group), given)
        for prompt in given.prompts.split(",")
        for group in given.groups.split(",")
    ]
    print_table(rows, COLUMNS)
    if given.json:
        save_result(given.json, rows, packages=("torch", "transformers"), repeats=given.repeats, notes=NOTES)


def measure(prompt: int, group: int, given: Any) -> dict[str, Any]:
    """Both layouts on one group's batch."""
    import torch

    from turnwise.algorithms.tree import tree_of

    torch.set_num_threads(1)
    batch = new_batch(prompt, group, given.turns, given.turn_tokens)
    model = new_model(given.hidden, given.layers)
    learners = {layout: new_learner(copy.deepcopy(model), layout) for layout in ("rows", "tree")}
    losses = {layout: learner.update(batch, 0.0)["loss"] for layout, learner in learners.items()}
    spent: dict[str, list[float]] = {layout: [] for layout in learners}
    for _ in range(given.repeats):
        for layout, learner in learners.items():
            started = time.process_time()
            learner.update(batch, 0.0)
            spent[layout].append(time.process_time() - started)
    speed_up = statistics.median(rows / tree for rows, tree in zip(spent["rows"], spent["tree"], strict=True))
    tokens, distinct = int(batch.lengths.sum()), len(tree_of(batch.ids, batch.lengths).ids)
    return {
        "prompt": prompt,
        "group": group,
        "parameters": sum(p.numel() for p in model.parameters()),
        "rows_tokens": tokens,
        "padded_tokens": batch.ids.numel(),
        "tree_tokens": distinct,
        "token_ratio": tokens / distinct,
        "rows_s": statistics.median(spent["rows"]),
        "tree_s": statistics.median(spent["tree"]),
        "speed_up": speed_up,
        "of_ratio": speed_up * distinct / tokens,
        "loss_apart": abs(losses["rows"] - losses["tree"]),
    }


def new_batch(prompt: int, group: int, turns: int, turn_tokens: int) -> Any:
    """One group: its prompt, half of the turns on a trunk, then every row by itself; a third of a turn is sampled."""
    import numpy as np

    from turnwise.algorithms.batch import pack_samples
    from turnwise.algorithms.samples import Sample

    draw = np.random.default_rng(0)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(draw.integers(1, 1024, count).tolist())

    def turn() -> tuple[tuple[int, ...], tuple[int, ...]]:
        size = int(turn_tokens * draw.uniform(0.7, 1.3))
        return ids(size - size // 3), ids(size // 3)

    opening, trunk = ids(prompt), [turn() for _ in range(turns // 2)]
    samples = []
    for _ in range(group):
        sample, so_far = Sample(), opening
        for observation, reply in [*trunk, *(turn() for _ in range(turns - turns // 2))]:
            so_far += observation
            sample.add(so_far, reply, [-7.0] * len(reply), float(draw.normal()))
            so_far += reply
        samples.append(sample)
    return pack_samples(samples, pad_id=0)


def new_model(hidden: int, layers: int) -> Any:
    """A Qwen3 of random weights, heads of 32, two query heads to a key head, 1,024 words."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=1024,
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 32,
        num_key_value_heads=hidden // 64,
        head_dim=32,
        tie_word_embeddings=True,
    )
    return Qwen3ForCausalLM(config).eval()


def new_learner(model: Any, layout: str) -> Any:
    from turnwise.agents.clock import ModelClock
    from turnwise.algorithms.learner import Learner
    from turnwise.algorithms.recipes import Magnet, Objective, Optimisation

    optimisation = Optimisation(layout=layout, micro_batch_tokens=32_768)
    clock = ModelClock(model.device)
    return Learner(model, optimisation, Objective(), Magnet(), temperature=1.0, clock=clock)


if __name__ == "__main__":
    main(sys.argv[1:])
