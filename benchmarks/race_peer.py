"""trl's side of `race_trl.py`: `GRPOTrainer` with `environment_factory`, in a process of its own.

    python benchmarks/race_peer.py FOLDER --rollouts 32 --steps 6 --seed 0

Prints one line of JSON. Needs trl; turnwise is not imported.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from pathlib import Path
from typing import Any

from race_clock import Lap, Memory, report
from race_rules import MOST_TOKENS, RULES, Board, Environment, call

GROUP, MICRO_BATCH = 8, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assets", type=Path)
    parser.add_argument("--rollouts", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6, help="timed ones; one more comes before them")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    import torch
    import transformers
    import trl

    torch.set_num_threads(1)
    Environment.draw = staticmethod(random.Random(given.seed).randrange)
    with tempfile.TemporaryDirectory() as folder:
        trainer, watch = make_trainer(given, folder)
        memory = Memory()
        trainer.train()
        rest = memory.read()
    Environment.draw = staticmethod(lambda count: 0)
    versions = {"trl": trl.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
    report(watch.laps, **rest, **script(trainer), versions=versions, reward=watch.rewards)


def make_trainer(given: argparse.Namespace, folder: str) -> tuple[Any, Any]:
    """The trainer and what watches it."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    micro = min(MICRO_BATCH, given.rollouts)
    steps = given.steps + 1
    settings = GRPOConfig(
        output_dir=folder,
        max_steps=steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=given.rollouts // micro,
        num_generations=GROUP,
        max_completion_length=MOST_TOKENS,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        learning_rate=1e-4,
        lr_scheduler_type="constant",
        weight_decay=0.0,
        max_grad_norm=1.0,
        beta=0.0,
        loss_type="dr_grpo",
        logging_steps=1,
        report_to=[],
        save_strategy="no",
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        seed=given.seed,
        disable_tqdm=True,
        chat_template_kwargs={"enable_thinking": False},
    )
    rows = [{"prompt": [{"role": "user", "content": RULES}]}] * (given.rollouts // GROUP * (steps + 1))
    watch = make_watch()
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(given.assets / "trl", dtype=torch.float32),
        processing_class=AutoTokenizer.from_pretrained(given.assets / "trl"),
        args=settings,
        train_dataset=Dataset.from_list(rows),
        environment_factory=Environment,
        callbacks=[watch],
    )
    watch.count(trainer)
    return trainer, watch


def make_watch() -> Any:
    """A callback that times steps and counts what is sampled in them."""
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def __init__(self) -> None:
            self.laps: list[dict[str, float]] = []
            self.rewards: list[float] = []

        def count(self, trainer: Any) -> None:
            inner = trainer._generate_single_turn

            def counted(*words: Any, **more: Any) -> Any:
                ids, logprobs = inner(*words, **more)
                self.turns += len(ids)
                self.tokens += sum(map(len, ids))
                return ids, logprobs

            trainer._generate_single_turn = counted

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.turns = self.tokens = 0
            self.lap = Lap()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.laps.append({**self.lap.read(), "turns": self.turns, "tokens": self.tokens})

        def on_log(self, *_: Any, logs: Any = None, **__: Any) -> None:
            if "reward" in (logs or {}):
                self.rewards.append(float(logs["reward"]))

    return Watch()


def script(trainer: Any) -> dict[str, list[int]]:
    """Ids of the first prompt, and of a whole game of cells 8, 7, 6 against the lowest free cell, as trl makes them."""
    environment, board = Environment(), Board(Environment.draw)
    message = {"role": "user", "content": RULES + environment.reset()}
    trainer._batch_environments = [None]
    prompt = list(trainer._tokenize_prompts([[message]])[0][0])
    whole, tokenizer = list(prompt), trainer.processing_class
    for cell in (8, 7, 6):
        answer = {"role": "tool", "name": "play", "content": board.play(cell)}
        whole += [*tokenizer.encode(call(cell), add_special_tokens=False), tokenizer.eos_token_id]
        whole += trainer._get_tool_suffix_ids([answer])
    return {"prompt_ids": prompt, "script_ids": whole}


if __name__ == "__main__":
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TRL_EXPERIMENTAL_SILENCE": "1"}
    main()
