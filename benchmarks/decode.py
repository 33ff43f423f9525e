"""What the local engine costs: processor time of replies, beside transformers' `generate` and an earlier checkout.

    python benchmarks/decode.py --against ../before --json benchmarks/results/decode.json

Models are small, untrained and the same everywhere; a process per checkout, one thread each, which take turns. Figures
are medians of the repeats, the first of which does not count. Workloads:

    episodes N    tic-tac-toe against itself, N episodes at once; a legal move stands in for replies that are none
    kuhn          one batch of 1,000 requests with the few prompts of Kuhn poker's first two turns
    tools         32 rollouts of 3 to 5 turns on one prompt of 300 tokens: 17 to 23 tokens sampled and 34 read a turn

`gate` is the largest difference of a log-prob to transformers' forward pass over some of the same tokens: a row whose
gate is over 1e-5 counts for nothing, and the command fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from common import print_table, save_result

COLUMNS = ("workload", "engine", "turns", "tokens", "cpu_s", "tokens_per_cpu_s", "model_s", "gate", "times")
NOTES = {
    "tokens": "sampled ones",
    "cpu_s": "processor time of everything, the games included",
    "model_s": "wall time inside forward passes",
    "times": "tokens per second of processor time over those of this checkout's local engine",
    "gate": "largest difference of a log-prob to transformers' forward pass",
}
GATE = 1e-5
EPISODES = ("1", "16", "64", "256")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, help="another checkout, whose local engine is measured too")
    parser.add_argument("--workloads", default="1,16,64,256,kuhn,tools", help="numbers of episodes, kuhn, tools")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the result here")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.worker:
        serve()
        return
    here = Path(__file__).resolve().parents[1]
    checkouts = {"local": here} | ({"before": given.against.resolve()} if given.against else {})
    rows: list[dict[str, Any]] = []
    for workload in given.workloads.split(","):
        rows += measure(workload, checkouts, given.repeats)
    print_table(rows, COLUMNS)
    if given.json:
        save_result(given.json, rows, packages=("torch", "transformers", "numpy"), repeats=given.repeats, notes=NOTES)
    far = [row for row in rows if row["gate"] is not None and not row["gate"] <= GATE]
    if far:
        raise SystemExit(f"log-probs differ by more than {GATE:g} from transformers': {far}")


def measure(workload: str, checkouts: dict[str, Path], repeats: int) -> list[dict[str, Any]]:
    """The rows of one workload: a process per checkout, asked in turn."""
    workers = {name: Worker(folder, workload) for name, folder in checkouts.items()}
    found: dict[str, list[dict[str, Any]]] = {}
    for repeat in range(repeats + 1):
        for name, worker in workers.items():
            print(f"{workload}, repeat {repeat}: {name}", file=sys.stderr)
            ways = {name: worker.ask("local", repeat)}
            if name == "local" and workload != "tools":
                ways["generate"] = worker.ask("generate", repeat)
            for way, figures in ways.items() if repeat else ():
                found.setdefault(way, []).append(figures)
    for worker in workers.values():
        worker.close()
    rows = [{"workload": _title(workload), "engine": way} | _middle(some) for way, some in found.items()]
    for row in rows:
        row["times"] = row["tokens_per_cpu_s"] / rows[0]["tokens_per_cpu_s"]
    return rows


def _title(workload: str) -> str:
    return f"episodes {workload}" if workload.isdigit() else workload


def _middle(found: list[dict[str, Any]]) -> dict[str, Any]:
    row = {name: None if found[0][name] is None else statistics.median(one[name] for one in found) for name in found[0]}
    gates = [one["gate"] for one in found if one["gate"] is not None]
    return row | {"gate": max(gates, default=None), "tokens_per_cpu_s": row["tokens"] / row["cpu_s"]}


class Worker:
    """A process that measures one workload with the turnwise of one checkout."""

    def __init__(self, checkout: Path, workload: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--worker"],
            env=os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._say(workload)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)

    def ask(self, way: str, repeat: int) -> dict[str, Any]:
        assert self._process.stdout is not None
        self._say(f"{way} {repeat}")
        for line in self._process.stdout:
            if line.startswith("FOUND "):
                figures: dict[str, Any] = json.loads(line.removeprefix("FOUND "))
                return figures
        raise SystemExit(f"a worker ended with {self._process.wait()}")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


# --- in the worker ----------------------------------------------------------------------------------------------------


def serve() -> None:
    """Measure what is asked for, line by line."""
    import torch

    torch.set_num_threads(1)
    name = sys.stdin.readline().strip()
    bench = Tools() if name == "tools" else Kuhn() if name == "kuhn" else Games(int(name))
    for line in sys.stdin:
        way, repeat = line.split()
        print("FOUND " + json.dumps(getattr(bench, way)(int(repeat))), flush=True)


class Bench(ABC):
    """A model, its engine, and the turns that it sampled last."""

    def __init__(self, texts: Sequence[str], max_tokens: int) -> None:
        from turnwise.agents.context import ChatContext, ContextSettings
        from turnwise.agents.local import LocalEngine
        from turnwise.agents.sampling import Sampling
        from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer

        self.tokenizer = build_tokenizer(texts, 512)
        self.model = build_model(TinyModel(), self.tokenizer, 0)
        self.context = ChatContext(self.tokenizer, ContextSettings(max_context=2048))
        self.sampling = Sampling(max_tokens=max_tokens)
        self.engine = LocalEngine(self.model, end_id=self.context.end_id, pad_id=0, decode=self.context.decode)
        self.said: list[tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]] = []
        """(prompt, reply, log-probs)."""

    def local(self, repeat: int) -> dict[str, Any]:
        """One repeat with the engine."""
        self.engine.weight_version += 1  # nothing is known from the repeat before
        sampled, model = self.engine.sampled, self.engine.clock.seconds
        cpu = self.cpu(lambda: self.play(repeat))
        tokens, model = self.engine.sampled - sampled, self.engine.clock.seconds - model
        return {"turns": len(self.said), "tokens": tokens, "cpu_s": cpu, "model_s": model, "gate": self.gate()}

    @abstractmethod
    def play(self, repeat: int) -> None:
        """Have the engine answer the requests of the workload."""

    def cpu(self, work: Callable[[], None]) -> float:
        before = time.process_time()
        work()
        return time.process_time() - before

    def gate(self) -> float:
        """Over twenty replies."""
        import torch

        worst = 0.0
        for prompt, ids, logprobs in random.Random(0).sample(self.said, min(20, len(self.said))):
            with torch.inference_mode():
                logits = self.model(input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
            wanted = torch.log_softmax(logits.float(), -1)[range(len(ids)), list(ids)]
            worst = max(worst, float((wanted - torch.tensor(logprobs)).abs().max()))
        return worst

    def generate(self, repeat: int) -> dict[str, Any]:
        """Transformers' own loop over some of the requests of the repeat, in blocks as wide."""
        prompts = [prompt for prompt, _, _ in self.said]
        width = self.width
        some = prompts[:: max(1, len(prompts) // max(32, 2 * width))]
        tokens = 0

        def work() -> None:
            nonlocal tokens
            tokens = sum(self._block(some[start : start + width]) for start in range(0, len(some), width))

        cpu = self.cpu(work)
        return {"turns": len(some), "tokens": tokens, "cpu_s": cpu, "model_s": None, "gate": None}

    width = 1

    def _block(self, prompts: Sequence[tuple[int, ...]]) -> int:
        import torch

        width = max(map(len, prompts))
        ids = torch.tensor([(0,) * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        end = self.context.end_id
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=True,
                top_k=0,
                max_new_tokens=self.sampling.max_tokens,
                eos_token_id=end,
                pad_token_id=0,
            )
        ends = out[:, width:] == end
        return int((ends.cumsum(1) - ends.long() == 0).sum())


class Games(Bench):
    """Episodes of tic-tac-toe, so many at once."""

    def __init__(self, count: int) -> None:
        super().__init__(spoken("TicTacToe-LLM"), 16)
        self.width = count

    def play(self, repeat: int) -> None:
        from turnwise.agents.language import LanguageAgent
        from turnwise.agents.rollout import Rollout, plans

        agent = LanguageAgent(self.engine, self.context, self.sampling)
        rollout = Rollout({"policy": agent}, invalid="random_legal", concurrency=self.width)
        seeds = range(1000 * repeat, 1000 * repeat + max(8, self.width))
        seats = {"player_0": "policy", "player_1": "policy"}
        episodes = rollout.collect(plans("bench", "TicTacToe-LLM", {}, seats, seeds))
        turns = [turn for episode in episodes for turn in episode.turns]
        self.said = [(turn.prompt_ids, turn.completion_ids, turn.logprobs) for turn in turns]


class Kuhn(Bench):
    """A thousand requests at once, of few kinds."""

    width = 1000

    def __init__(self) -> None:
        from turnwise.records import Message

        super().__init__(spoken("KuhnPoker-LLM"), 16)
        texts = [f"Your card: {card}. {said}" for card in ("Jack", "Queen", "King") for said in ("You begin.", "[bet]")]
        self.prompts = [self.context.opening((Message("user", text),)) for text in texts]

    def play(self, repeat: int) -> None:
        prompts = [self.prompts[index % len(self.prompts)] for index in range(1000)]
        replies = self.engine.generate(prompts, range(1000 * repeat, 1000 * repeat + 1000), self.sampling)
        self.said = [(p, reply.ids, reply.logprobs) for p, reply in zip(prompts, replies, strict=True)]


class Tools(Bench):
    """Rollouts of several turns whose other side is scripted, on a model of the width of the races'."""

    def __init__(self) -> None:
        import torch
        from transformers import Qwen3Config, Qwen3ForCausalLM

        super().__init__(["nothing"], 23)
        sizes = {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 2, "num_attention_heads": 4}
        torch.manual_seed(0)
        self.model = Qwen3ForCausalLM(
            Qwen3Config(vocab_size=1024, num_key_value_heads=2, head_dim=32, tie_word_embeddings=True, **sizes)
        ).eval()
        self.engine = type(self.engine)(self.model, end_id=-1, pad_id=0, decode=str)
        rng = random.Random(0)
        self.opening = tuple(rng.randrange(3, 1024) for _ in range(300))
        self.lengths = [[rng.randint(17, 23) for _ in range(rng.choice((3, 4, 4, 5)))] for _ in range(32)]
        self.heard = [[tuple(rng.randrange(3, 1024) for _ in range(34)) for _ in turns] for turns in self.lengths]

    def play(self, repeat: int) -> None:
        self.said, talks = [], [self.opening] * len(self.lengths)
        ready, owed = dict.fromkeys(range(len(talks)), 0), dict[int, int]()
        turn = [0] * len(talks)
        while ready or owed:
            owed |= self._ask(talks, [*ready], turn, repeat)
            ready = {}
            for row, prompt, reply in self._answers(owed):
                self.said.append((prompt, reply.ids, reply.logprobs))
                talks[row] = prompt + reply.ids + self.heard[row][turn[row]]
                turn[row] += 1
                if turn[row] < len(self.lengths[row]):
                    ready[row] = 0

    def _ask(self, talks: list[Any], rows: list[int], turn: list[int], repeat: int) -> dict[Any, Any]:
        """Number of a request -> (row, prompt), or the replies themselves where the engine has no stream."""
        from turnwise.agents.engine import Ask
        from turnwise.agents.sampling import Sampling

        asks = [
            Ask(talks[row], 10_000 * repeat + 100 * row + turn[row], Sampling(max_tokens=self.lengths[row][turn[row]]),
                session=str(row))
            for row in rows
        ]  # fmt: skip
        if hasattr(self.engine, "submit"):
            numbers = self.engine.submit(asks)
            return {number: (row, talks[row]) for number, row in zip(numbers, rows, strict=True)}
        longest = Sampling(max_tokens=max(ask.sampling.max_tokens for ask in asks))  # in one batch: all get the longest
        replies = self.engine.generate([ask.prompt for ask in asks], [ask.seed for ask in asks], longest)
        return {(row, reply): (row, talks[row]) for row, reply in zip(rows, replies, strict=True)}

    def _answers(self, owed: dict[Any, Any]) -> list[tuple[int, tuple[int, ...], Any]]:
        if hasattr(self.engine, "submit"):
            return [(*owed.pop(number), reply) for number, reply in self.engine.receive(1.0)]
        found = [(*where, reply) for (_, reply), where in owed.items()]
        owed.clear()
        return found


def spoken(env: str) -> list[str]:
    """What is said in some games, to make a tokenizer of."""
    from turnwise.algorithms.recipes import SFT
    from turnwise.algorithms.sft import scripted_games, spoken_texts

    return [*spoken_texts(scripted_games(SFT(games=50), [(env, {})], 0))]


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main(sys.argv[1:])
