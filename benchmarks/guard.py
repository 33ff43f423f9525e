"""A guard against slower code: a few small workloads, each priced in a yardstick of the same process.

    python benchmarks/guard.py            # compare with benchmarks/results/guard.json; exit code 1 where one is slower
    python benchmarks/guard.py --update   # store the prices of now

A price is the processor time of a workload over that of the yardstick (products of torch and plain Python) right before
it, so that machine and load fall out for the most part: workloads take turns, and the median of the rounds counts. One
that costs over 15% more than was stored is slower. On another kind of processor the stored prices are a hint only.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from common import machine, print_table, save_result

STORED = Path(__file__).resolve().parent / "results/guard.json"
MOST = 1.15
"""A price over the stored one that is still all right."""
FLOOR_S = 0.02
"""A workload is repeated until it takes so much processor time."""
RATES = ("algorithm.optimisation.learning_rate=1e-12", "algorithm.optimisation.final_learning_rate=1e-12")
TINY = (
    "tensorboard=false",
    "recording.every=0",
    "engine.device=cpu",
    "engine.threads=1",
    "model.sft.steps=40",
    "model.sft.games=300",
    *RATES,
)
"""A model that has begun to learn its game, and stays as it is: every step has the same work."""
Work = Callable[[], object]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", help="workloads, with commas between them; all unless given")
    parser.add_argument("--update", action="store_true", help="store what is found")
    parser.add_argument("--stored", type=Path, default=STORED)
    given = parser.parse_args(arguments)
    with ExitStack() as stack:
        names = WORKLOADS if given.only is None else given.only.split(",")
        works = {name: WORKLOADS[name](stack) for name in names}
        found = prices(works, given.rounds)
        if given.stored.exists() and not given.update:
            before = {row["workload"]: row["price"] for row in json.loads(given.stored.read_text())["rows"]}
            found = looked_at_again(works, found, before, given.rounds)
    if given.update:
        rows = [{"workload": name, **price} for name, price in found.items()]
        print_table(rows, ("workload", "price", "spread", "ms"))
        save_result(given.stored, rows, packages=("torch", "transformers", "numpy"), rounds=given.rounds)
        return 0
    if not given.stored.exists():
        sys.exit(f"{given.stored} is not there: store prices with --update first")
    return judge(found, json.loads(given.stored.read_text()))


def looked_at_again(
    works: Mapping[str, Work], found: dict[str, dict[str, float]], before: Mapping[str, float], rounds: int
) -> dict[str, dict[str, float]]:
    """The prices, and of workloads that seem slower the lowest of up to three: a burst of other work passes."""
    for _ in range(2):
        slower = [name for name, price in found.items() if price["price"] > MOST * before.get(name, float("inf"))]
        for name, price in prices({name: works[name] for name in slower}, rounds).items() if slower else ():
            found[name] = min(found[name], price, key=lambda one: one["price"])
    return found


def judge(found: Mapping[str, Mapping[str, float]], stored: Mapping[str, Any]) -> int:
    """Print how prices stand to the stored ones; returns 1 where one is higher by more than is allowed."""
    before = {row["workload"]: row["price"] for row in stored["rows"]}
    rows = [
        {"workload": name, "stored": before.get(name), **price, "change": _change(price["price"], before.get(name))}
        for name, price in found.items()
    ]
    for row in rows:
        row["verdict"] = "new" if row["stored"] is None else "slower" if row["change"] > MOST else "ok"
    print_table(rows, ("workload", "stored", "price", "change", "spread", "ms", "verdict"))
    here, there = machine(())["cpu"], stored["machine"]["cpu"]
    if here != there:
        print(f"stored on another processor ({there}; this is {here}): a change may be its doing")
    slower = [row["workload"] for row in rows if row["verdict"] == "slower"]
    if slower:
        print(f"over {MOST - 1:.0%} dearer than at {stored['commit'][:10]}: {', '.join(slower)}")
    return 1 if slower else 0


def _change(price: float, before: float | None) -> float | None:
    return None if before is None else price / before


def prices(workloads: Mapping[str, Work], rounds: int) -> dict[str, dict[str, float]]:
    """Of each workload: its price, the spread of the rounds' middle half over it, and its time in ms."""
    times = {name: _times(work) for name, work in workloads.items()}
    found: dict[str, list[float]] = {name: [] for name in workloads}
    spent: dict[str, list[float]] = {name: [] for name in workloads}
    yardstick()
    for _ in range(rounds):
        for name, work in workloads.items():
            unit = _cpu_s(yardstick, 1)
            spent[name].append(_cpu_s(work, times[name]))
            found[name].append(spent[name][-1] / (unit + _cpu_s(yardstick, 1)) * 2)
    return {
        name: {
            "price": statistics.median(values),
            "spread": _middle_half(values) / statistics.median(values),
            "ms": 1e3 * statistics.median(spent[name]),
        }
        for name, values in found.items()
    }


def _times(work: Work) -> int:
    """How often it takes to be measurable; warms it up."""
    work()
    return max(1, round(FLOOR_S / max(_cpu_s(work, 1), 1e-6)))


def _cpu_s(work: Work, times: int) -> float:
    started = time.process_time()
    for _ in range(times):
        work()
    return time.process_time() - started


def _middle_half(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    low, _, high = statistics.quantiles(values, n=4)
    return high - low


def yardstick() -> float:
    """About a third each of products, of passes over a few MB, and of plain Python with small tensors."""
    import torch

    generator = torch.Generator().manual_seed(0)
    factor, wide = torch.rand(256, 256, generator=generator) / 128, torch.rand(1024, 1024, generator=generator)
    total, small = 0.0, factor[:16, :16]
    for _ in range(3):
        for _ in range(8):
            factor = factor @ factor * 2
        total += float(torch.log_softmax(wide, -1)[:, 0].sum())
        counts: dict[int, int] = {}
        for number in range(12_000):
            counts[number % 97] = counts.get(number % 97, 0) + 1
        for _ in range(200):
            small = small * 0.5 + 0.1
    return total + float(factor.sum() + small.sum())


def a_step(stack: ExitStack, env: str, games: int) -> Work:
    """A training step of the default recipe."""
    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.evaluation.exams import exams_of
    from turnwise.algorithms.run import Run
    from turnwise.algorithms.startup import fresh_policy

    settings = run_settings(compose([f"env={env}", f"games_per_step={games}", *TINY]))
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    run = Run(settings, Path(folder), fresh_policy(settings), exams_of(settings))
    stack.callback(run.close)
    first = run.step
    for _ in range(3):
        first()
    return first


class Stub:
    """An engine that says `[pass]` at once: what is left is what a rollout costs beside its model."""

    def __init__(self, ids: tuple[int, ...]) -> None:
        from turnwise.agents.engine import Completion

        self.weight_version = 0
        self._said = Completion(ids, (-0.5,) * len(ids), True)

    def generate(self, prompts: Sequence[Any], seeds: Any, sampling: Any, begun: Sequence[Any] = ()) -> list[Any]:
        return [self._said] * len(prompts)


def rollout(stack: ExitStack) -> Work:
    """200 games of Kuhn poker with a stub, each turn a prompt of its own as in the default run."""
    from turnwise.agents.context import ChatContext, ContextSettings
    from turnwise.agents.language import LanguageAgent
    from turnwise.agents.rollout import Rollout, plans
    from turnwise.agents.sampling import Sampling
    from turnwise.agents.tiny import build_tokenizer

    context = ChatContext(build_tokenizer(["[pass] [bet]"], 300), ContextSettings(layout="per_turn", history="last"))
    agent = LanguageAgent(Stub(context.encode_reply("[pass]")), context, Sampling(max_tokens=8))  # type: ignore[arg-type]
    played = Rollout({"policy": agent}, record_messages=False)
    seats = {"player_0": "policy", "player_1": "policy"}
    seeds = itertools.count()
    return lambda: played.collect(plans("guard", "KuhnPoker-LLM", {}, seats, [next(seeds) for _ in range(200)]))


def head(stack: ExitStack) -> Work:
    """Log-probs of 2,048 tokens over a vocabulary of 4,096, forward and backward."""
    import torch

    from turnwise.kernels.logprobs import token_scores

    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2048, 64, generator=generator, requires_grad=True)
    weight = torch.randn(4096, 64, generator=generator, requires_grad=True)
    tokens = torch.randint(4096, (2048,), generator=generator)
    return lambda: token_scores(hidden, weight, tokens).logprobs.sum().backward()


def tree(stack: ExitStack) -> Work:
    """An update on 32 conversations that begin alike: 200 tokens together, then 4 turns of 10 read and 10 said."""
    from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
    from turnwise.algorithms.assemble import make_learner
    from turnwise.algorithms.batch import pack
    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.startup import dress

    settings = run_settings(compose(["env=tic_tac_toe", "agent.context.layout=append_only", *HISTORY, *TINY]))
    tokenizer = build_tokenizer(["[0] [1]"], 300)
    policy = dress(settings, build_model(TinyModel(hidden=128), tokenizer, 0), tokenizer)
    learner = make_learner(settings, policy)
    episodes = [conversation(index) for index in range(32)]
    batch = pack(episodes, [[0.1, -0.1] * 2] * 32, pad_id=tokenizer.pad_token_id)
    assert batch is not None
    return lambda: learner.update(batch, 0.5)


HISTORY = ("agent.context.history=all", "algorithm.magnet.weight=0", "algorithm.optimisation.mean_decay=0")


def conversation(index: int) -> Any:
    """An episode of made-up tokens."""
    import numpy as np

    from turnwise.records import Episode, Turn

    draw = np.random.default_rng(index)
    ids, turns = tuple(range(10, 210)), []
    for _ in range(4):
        prompt = ids + tuple(draw.integers(10, 250, 10).tolist())
        said = tuple(draw.integers(10, 250, 10).tolist())
        turns.append(
            Turn(
                seat="player_0", observation=(), text="", prompt_ids=prompt, completion_ids=said, logprobs=(-5.0,) * 10
            )
        )
        ids = prompt + said
    seats = {"player_0": "policy"}
    return Episode(id=str(index), env_id="TicTacToe-LLM", seats=seats, turns=tuple(turns), returns={"player_0": 0.0})


def stepping(stack: ExitStack) -> Work:
    """100 games each of Kuhn poker and tic-tac-toe by random replies through the referee."""
    import numpy as np

    from turnwise.envs.referee import Referee
    from turnwise.envs.registry import make_game

    referees = [Referee(make_game(name)) for name in ("KuhnPoker-LLM", "TicTacToe-LLM")]
    draw = np.random.default_rng(0)

    def work() -> None:
        for referee, seed in itertools.product(referees, range(100)):
            referee.start(seed)
            while referee.seat is not None:
                referee.observe()
                legal = referee.game.legal() or ("",)
                referee.submit(f"[{legal[int(draw.random() * len(legal))]}]")

    return work


WORKLOADS: dict[str, Callable[[ExitStack], Work]] = {
    "kuhn step": lambda stack: a_step(stack, "kuhn_poker", 64),
    "tic-tac-toe step": lambda stack: a_step(stack, "tic_tac_toe", 16),
    "stub rollout": rollout,
    "head": head,
    "tree update": tree,
    "env stepping": stepping,
}


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
