"""One rank of two: trains as a rank and, beside it, alone, and writes down how far the two are apart.

`python learners.py FOLDER`: the reports go to FOLDER/rank-N.json.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from turnwise.agents.clock import ModelClock
from turnwise.agents.lora import LoraSettings
from turnwise.agents.precision import computing_in
from turnwise.agents.tiny import TinyModel, build_model
from turnwise.algorithms.annotate import examine
from turnwise.algorithms.answers import Question, answer_logprobs
from turnwise.algorithms.batch import Batch, pack_samples
from turnwise.algorithms.checks import NotFinite
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.policy import within
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation
from turnwise.algorithms.samples import Sample
from turnwise.algorithms.sharding import not_finite
from turnwise.algorithms.shards import save_shards
from turnwise.algorithms.world import ALONE, World, world_of_torchrun

STEPS = 3
RATE = {"learning_rate": 0.01, "final_learning_rate": 0.01}
TRAINER = {**RATE, "old_logprobs": "trainer"}
PULL = Magnet(weight=0.3, final_weight=0.3)
MOVING = Magnet(weight=0.3, final_weight=0.3, reference="moving", reference_decay=0.75)
CASES: dict[str, dict[str, Any]] = {
    "plain": {"optimisation": Optimisation(**RATE, mean_decay=0.9)},
    "small pieces": {"optimisation": Optimisation(**RATE, micro_batch_tokens=16, activation_checkpointing=True)},
    "shared critic": {
        "optimisation": Optimisation(**TRAINER, epochs=2),
        "critic": Critic(kind="shared", learning_rate=0.01),
        "magnet": MOVING,
    },
    "own critic, corrections, mask": {
        "optimisation": Optimisation(**RATE, micro_batch_tokens=24),
        "objective": Objective(corrections={"tis": {}, "geometric": {"low": 0.1, "high": 10.0}}, probability_mask=0.9),
        "critic": Critic(kind="own", learning_rate=0.01, clip=None),
    },
    "whole reference": {"optimisation": Optimisation(**TRAINER), "magnet": MOVING, "keep_reference": True},
    "entropies of the batch": {
        "optimisation": Optimisation(**TRAINER, epochs=2, micro_batch_tokens=24),
        "objective": Objective(guard="hapo", aggregation="seq-mean-token-mean", entropy_weight=0.01),
    },
    "adapters": {
        "optimisation": Optimisation(**TRAINER, mean_decay=0.9),
        "magnet": PULL,
        "lora": LoraSettings(rank=4),
    },
    "an adapter beside the head": {
        "optimisation": Optimisation(**TRAINER, micro_batch_tokens=24),
        "magnet": PULL,
        "lora": LoraSettings(rank=4, targets="q_proj,lm_head"),
    },
}


class Letters(SimpleNamespace):
    """What `build_model` asks of a tokenizer."""

    def __len__(self) -> int:
        return 24


def new_learner(world: World, *, hidden: int = 64, **settings: Any) -> Learner:
    """Of a small model whose distributions are far from uniform."""
    sizes = TinyModel(hidden=hidden, heads=2, intermediate=64)
    model = build_model(sizes, Letters(eos_token_id=2, pad_token_id=0), 0)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(10)
    rest: dict[str, Any] = {"objective": Objective(), "magnet": Magnet(), "world": world} | settings
    return Learner(model, temperature=1.0, clock=ModelClock(torch.device("cpu")), **rest)


def new_batch(seed: int, rows: int = 11) -> Batch:
    """Rows of many lengths, one of them a demonstration, with all that an objective may ask for."""
    draw = torch.Generator().manual_seed(seed)

    def ids(least: int, most: int) -> tuple[int, ...]:
        return tuple(
            torch.randint(1, 24, (int(torch.randint(least, most, (1,), generator=draw)),), generator=draw).tolist()
        )

    samples = []
    for row in range(rows):
        sample, completion = Sample(1.0, demonstrated=row == 3), ids(1, 5)
        count = len(completion)
        prompt, advantage = ids(2, 9), float(torch.randn(1, generator=draw))
        known = {
            name: tuple(torch.rand(count, generator=draw).tolist())
            for name in ("token_values", "target", "token_entropy")
        }
        sample.add(prompt, completion, [-2.0] * count, advantage, **known)
        samples.append(sample)
    return pack_samples(samples, pad_id=0)


def apart(mine: dict[str, float], theirs: dict[str, float]) -> float:
    """The largest distance of two sets of figures (relative above 1); infinite where one lacks a figure."""
    if mine.keys() != theirs.keys():
        return float("inf")
    return max(abs(mine[name] - theirs[name]) / max(1.0, abs(theirs[name])) for name in mine)


def weights_apart(mine: Any, theirs: dict[str, torch.Tensor]) -> float:
    return max(float((tensor - theirs[name]).abs().max()) for name, tensor in mine)


@torch.no_grad()
def case(world: World, settings: dict[str, Any]) -> dict[str, Any]:
    """Three updates, the last one of a single row, of which a second rank has nothing."""
    single, spread = new_learner(ALONE, **settings), new_learner(world, **settings)
    with torch.enable_grad():
        batches = [new_batch(step, 1 if step == STEPS - 1 else 11) for step in range(STEPS)]
        steps = [(single.update(batch, 0.0), spread.update(batch, 0.0)) for batch in batches]
    spread.fill_reported()
    names = dict(single.reported.named_parameters())
    own = sum(p.to_local().numel() for p in spread.model.parameters())
    return {
        "losses": [one["loss"] for one, _ in steps],
        "first_loss_apart": apart({"loss": steps[0][1]["loss"]}, {"loss": steps[0][0]["loss"]}),
        "losses_apart": max(apart({"loss": two["loss"]}, {"loss": one["loss"]}) for one, two in steps),
        "figures_apart": max(apart(one, two) for one, two in steps),
        "reported_apart": weights_apart(spread.reported.named_parameters(), names),
        "weights_apart": weights_apart(spread.weights(), dict(single.weights())),
        "share": own / sum(p.numel() for p in single.model.parameters()),
    }


def halves(world: World) -> dict[str, Any]:
    """Products in bfloat16: what is trained and added up stays float32."""
    with computing_in(torch.bfloat16, torch.device("cpu")):
        found = case(world, {"optimisation": Optimisation(**TRAINER)})
        learner = new_learner(world, optimisation=Optimisation(**TRAINER))
        scored = within(learner.model, lambda: str(learner.model.lm_head.weight.dtype))
    return found | {"computed": scored, "kept": str(next(learner.model.parameters()).dtype)}


def judged(world: World) -> dict[str, Any]:
    """What the weights say of episodes, scored by both."""
    settings = CASES["shared critic"] | {"optimisation": Optimisation(**TRAINER, micro_batch_tokens=24)}
    single, spread = new_learner(ALONE, **settings), new_learner(world, **settings)
    for learner in (single, spread):
        learner.update(new_batch(0), 0.0)
    wanted = frozenset({"train_logprobs", "token_entropy", "squared_probs", "reference_logprobs", "token_values"})
    (one, ends), (two, other_ends) = (examine(learner, new_batch(7), wanted) for learner in (single, spread))
    assert ends is not None and other_ends is not None
    questions = [Question(((5, 6), (5, 6, 7, 8)), (9, 3), (4, 2)), Question(((1, 2, 3),), (9,), (7,))]
    answers = [
        answer_logprobs(learner.model, questions, temperature=1.0, pad_id=0, spread=learner.spread)
        for learner in (single, spread)
    ]
    flat = [[value for row in rows for value in row] for rows in answers]
    return {
        "columns": sorted(one),
        "columns_apart": max(float((one[name] - two[name]).abs().max()) for name in one),
        "ends_apart": max(abs(a - b) for a, b in zip(ends, other_ends, strict=True)),
        "answers": flat[0],
        "answers_apart": max(abs(a - b) for a, b in zip(*flat, strict=True)),
    }


def broken(world: World) -> dict[str, Any]:
    """A batch that is not finite: both ranks refuse it, know whose fault it is, and go on as if it had not been."""
    learner, spared = new_learner(world, **CASES["plain"]), new_learner(world, **CASES["plain"])
    batch = new_batch(0)
    poisoned = replace(
        batch, advantages=batch.advantages.masked_fill(batch.mask & (batch.sample_row == 10)[:, None], torch.nan)
    )
    message = ""
    try:
        learner.update(poisoned, 0.0)
    except NotFinite as error:
        message = str(error)
    finite = [learner.is_finite(each) for each in (batch, poisoned)]
    same = learner.update(batch, 0.0) == spared.update(batch, 0.0)
    return {"message": message, "finite": finite, "broken": not_finite(learner.model, learner.world), "same": same}


def resumed(world: World, folder: Path) -> dict[str, Any]:
    """Three updates in a row, and the third of learners that were loaded from what either kind had saved."""
    settings = CASES["shared critic"]
    batches = [new_batch(step) for step in range(3)]
    single, spread = new_learner(ALONE, **settings), new_learner(world, **settings)
    for learner in (single, spread):
        for batch in batches[:2]:
            learner.update(batch, 0.0)
    save_shards(folder / "shards", spread.state())
    torch.save(single.state(), folder / f"state-{world.rank}.pt")
    expected = {1: single.update(batches[2], 0.0), 2: spread.update(batches[2], 0.0)}
    found = {}
    for source, size in ((2, 1), (1, 2), (2, 2)):
        learner = new_learner(ALONE if size == 1 else world, **settings)
        whole: Callable[[], Any] = lambda: torch.load(folder / f"state-{world.rank}.pt", weights_only=True)  # noqa: E731
        learner.load(folder / "shards" if source == 2 else whole())
        found[f"{source} to {size}"] = apart(learner.update(batches[2], 0.0), expected[size])
    return found


def eight_bits(world: World, folder: Path) -> dict[str, Any]:
    """Losses of six updates on one batch, the last one of a learner that was loaded from shards."""
    settings = {"optimisation": Optimisation(**TRAINER, optimiser="adamw8bit"), "hidden": 256}
    first, second = new_learner(world, **settings), new_learner(world, **settings)
    losses = [first.update(new_batch(0), 0.0)["loss"] for _ in range(5)]
    save_shards(folder / "eight", first.state())
    second.load(folder / "eight")
    moments = first.state()["optimiser"]["state"].values()
    quantised = sum(hasattr(state["exp_avg"].to_local(), "codes") for state in moments)
    once, again = (learner.update(new_batch(0), 0.0)["loss"] for learner in (first, second))
    return {"losses": [*losses, once], "again": again, "quantised": quantised}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Converting a tensor with requires_grad")
    world = world_of_torchrun()
    world.open(torch.device("cpu"))
    with torch.compiler.set_stance("force_eager"):  # torchao compiles its step, for half a minute
        report: dict[str, Any] = {"8-bit moments": eight_bits(world, folder)}
    report |= {name: case(world, settings) for name, settings in CASES.items()}
    report |= {
        "bfloat16": halves(world),
        "judged": judged(world),
        "broken": broken(world),
        "resumed": resumed(world, folder),
    }
    world.close()
    (folder / f"rank-{world.rank}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
