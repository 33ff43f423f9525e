"""One training step, taken apart: seconds and tokens of each part, memory, and what is spent outside the model.

    python benchmarks/train_step.py --json benchmarks/results/train_step.json

Each game is measured in a process of its own, with the default recipe (further words are settings, as for
`turnwise train`): some steps to warm up, then `--repeats` times `--steps` steps. Figures are means over the steps of a
repeat, and the median of the repeats. Beside them, on the same tokens and in the same process, what plain transformers
take: one `generate` over the step's prompts, and a forward and a backward pass per epoch, each sample a row of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import print_table, save_result

PARTS = ("rollout", "credit", "pack", "update")
COLUMNS = (
    ("games", "turns", "tokens", "step_s", *(f"{part}_s" for part in PARTS), "model_s", "step_cpu_s"),
    ("outside_model", "outside_us_per_turn", "sampled_tokens_per_s", "trained_tokens_per_s", "peak_memory_mb"),
    ("rollout_s", "plain_generate_s", "update_s", "plain_update_s"),
)
NOTES = {
    "tokens": "tokens that the policy sampled in a step; all of them are trained",
    "sampled_tokens_per_s": "tokens over rollout_s",
    "trained_tokens_per_s": "tokens over update_s",
    "model_s": "forward and backward passes, of rollout and update together",
    "step_cpu_s": "processor time of a step: less than step_s where other work shares the machine",
    "outside_model": "share of step_s that is not model_s",
    "plain_generate_s": "transformers' generate over the step's prompts in one batch, a row a prompt",
    "plain_update_s": "forward and backward over the same samples, a row a sample, as many epochs, in blocks as large",
    "peak_memory_mb": "resident set of the process at its largest, with libraries and warm start",
}


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    steps: int
    warmup: int
    repeats: int
    overrides: tuple[str, ...]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--envs", default="kuhn_poker,tic_tac_toe", help="options of the config group env")
    parser.add_argument("--steps", type=int, default=20, help="steps per repeat")
    parser.add_argument("--warmup", type=int, default=5, help="steps before the first repeat")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="further settings, as for turnwise train")
    given = parser.parse_args(arguments)
    size = Size(given.steps, given.warmup, given.repeats, tuple(given.overrides))
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        rows = [pool.apply(measure, (env, size)) for env in given.envs.split(",")]
    for columns in COLUMNS:
        print_table(rows, ("env", *columns))
        print()
    if given.json:
        packages = ("torch", "transformers", "numpy", "open-spiel")
        save_result(given.json, rows, packages=packages, steps=size.steps, repeats=size.repeats, notes=NOTES)


def measure(env: str, size: Size) -> dict[str, Any]:
    """The row of one game."""
    import torch

    from turnwise.algorithms.collector import quiet_collector
    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.evaluation.exams import exams_of
    from turnwise.algorithms.run import Run
    from turnwise.algorithms.startup import fresh_policy, precision

    settings = run_settings(compose([f"env={env}", "tensorboard=false", "recording.every=0", *size.overrides]))
    with tempfile.TemporaryDirectory() as folder, precision(settings):
        run = Run(settings, Path(folder), fresh_policy(settings), exams_of(settings))
        with quiet_collector():  # as in a run
            for _ in range(size.warmup):
                run.step()
            repeats = [repeat(run, size.steps) for _ in range(size.repeats)]
        figures = {name: statistics.median(one[name] for one in repeats) for name in repeats[0]}
        figures["step_s_spread"] = max(one["step_s"] for one in repeats) / min(one["step_s"] for one in repeats)
        memory = peak_memory_mb()
        figures |= plain(run, max(3, size.repeats))
        run.log.close()
    return {
        "env": settings.env.id,
        "games": settings.games_per_step,
        "parameters": sum(p.numel() for p in run.policy.model.parameters()),
        "device": str(run.policy.model.device),
        "threads": torch.get_num_threads(),
        "peak_memory_mb": memory,
        **figures,
    }


def repeat(run: Any, steps: int) -> dict[str, float]:
    """Means over some steps."""
    turns, processor = run.turns, time.process_time()
    records = [run.step() for _ in range(steps)]
    seconds = {name: statistics.fmean(r["time"][name] for r in records) for name in ("step", "model", *PARTS)}
    tokens = statistics.fmean(
        r["reply_tokens"] * (r["turns"] - before) for r, before in zip(records, _before(turns, records), strict=True)
    )
    turns_per_step = (run.turns - turns) / steps
    processor_s = (time.process_time() - processor) / steps
    outside = seconds["step"] - seconds["model"]
    return {
        "turns": turns_per_step,
        "step_cpu_s": processor_s,
        "tokens": tokens,
        **{f"{name}_s": spent for name, spent in seconds.items()},
        "sampled_tokens_per_s": tokens / seconds["rollout"],
        "trained_tokens_per_s": tokens / seconds["update"],
        "outside_model": outside / seconds["step"],
        "outside_us_per_turn": 1e6 * outside / turns_per_step,
    }


def _before(turns: int, records: Sequence[dict[str, Any]]) -> list[int]:
    """Turns played before each step."""
    return [turns, *(record["turns"] for record in records[:-1])]


def plain(run: Any, repeats: int) -> dict[str, float]:
    """What transformers take for the tokens of one step when no two rows share anything."""
    from turnwise.algorithms.samples import samples_of

    episodes = run.player.play(run.steps_done).episodes
    prompts = [turn.prompt_ids for episode in episodes for turn in episode.turns]
    samples = [sample for episode in episodes for sample in samples_of(episode, [1.0] * len(episode.turns))]
    epochs = run.settings.algorithm.optimisation.epochs
    return {
        "plain_generate_s": timed(lambda: generate(run, prompts), repeats),
        "plain_update_s": epochs * timed(lambda: forward_and_backward(run, samples), repeats),
    }


def timed(work: Callable[[], None], repeats: int) -> float:
    """Median seconds; the first time does not count."""
    import torch

    spent = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent[1:])


def generate(run: Any, prompts: Sequence[tuple[int, ...]]) -> None:
    """One call of transformers' `generate`, padded on the left."""
    import torch

    pad, model, sampling = run.policy.tokenizer.pad_token_id, run.policy.model, run.settings.agent.sampling
    width = max(map(len, prompts))
    ids = torch.tensor([(pad,) * (width - len(prompt)) + prompt for prompt in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    with torch.inference_mode():
        model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=True,
            temperature=sampling.temperature,
            top_k=0,
            max_new_tokens=sampling.max_tokens,
            eos_token_id=run.policy.context.end_id,
            pad_token_id=pad,
        )


def forward_and_backward(run: Any, samples: Sequence[Any]) -> None:
    """Cross-entropy of every token of every sample, in blocks of as many tokens as the trainer's."""
    import torch

    pad, model = run.policy.tokenizer.pad_token_id, run.policy.model
    rows = sorted((sample.ids for sample in samples), key=len)
    size = max(1, run.settings.algorithm.optimisation.micro_batch_tokens // len(rows[-1]))
    for start in range(0, len(rows), size):
        block = rows[start : start + size]
        width = len(block[-1])
        ids = torch.tensor([row + (pad,) * (width - len(row)) for row in block], device=model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in block], device=model.device)
        model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss.backward()
    model.zero_grad(set_to_none=True)


def peak_memory_mb() -> float:
    """Of this process, so far; of the GPU where there is one."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main(sys.argv[1:])
