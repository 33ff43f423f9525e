"""turnwise's side of `race_trl.py`: steps of a run, in a process of its own.

    python benchmarks/race_ours.py FOLDER --rollouts 32 --steps 6 --seed 0

Prints one line of JSON. `worst` is the largest gap, in nats, between a log-prob that plain transformers give a trained
token and the sampler's or the trainer's.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from race_clock import Lap, Memory, report
from race_rules import MOST_TOKENS, call

GROUP = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assets", type=Path)
    parser.add_argument("--rollouts", type=int, default=32)
    parser.add_argument("--steps", type=int, default=6, help="timed ones; one more comes before them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ends", action="store_true", help="an episode ends with its game")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="further settings, as for turnwise train")
    given = parser.parse_intermixed_args()
    from turnwise.algorithms.collector import quiet_collector

    with tempfile.TemporaryDirectory() as folder:
        run = make_run(given, Path(folder))
        memory = Memory()
        with quiet_collector():  # as in a run
            laps, rewards = zip(*steps(run, given.steps + 1), strict=True)
        rest = memory.read()
        rest |= {"worst": worst(run), "versions": versions()}
        report(laps, **rest, **script(run), reward=rewards)
        run.close()


def make_run(given: argparse.Namespace, folder: Path) -> Any:
    """A run with the settings of the peer's trainer."""
    import race_game

    from turnwise.algorithms.compose import compose, run_settings
    from turnwise.algorithms.evaluation.exams import exams_of
    from turnwise.algorithms.run import Run
    from turnwise.algorithms.settings import RunSettings
    from turnwise.algorithms.startup import fresh_policy

    about = json.loads((given.assets / "about.json").read_text())
    race_game.register()
    quiet = ["recording.every=0"] if hasattr(RunSettings, "recording") else []  # a checkout of before records nothing
    config = compose([*words(given, race_game.ID, about["prompt_tokens"]), *quiet])
    config["agent"]["context"]["system"] = about["system"]
    settings = run_settings(config)
    return Run(settings, folder, fresh_policy(settings), exams_of(settings))


def words(given: argparse.Namespace, env_id: str, prompt_tokens: int) -> list[str]:
    """The settings. A rollout has `MOST_TOKENS` behind its prompt, and its last reply may be as long once more."""
    rate = "algorithm.optimisation.learning_rate"
    return [
        *("env=by_id", f"env.id={env_id}", f"env.kwargs.ends={str(given.ends).lower()}", "env.max_turns=null"),
        *("model=pretrained", f"model.path={given.assets / 'turnwise'}", "algorithm=grpo", "algorithm.group_size=8"),
        *("algorithm.objective.aggregation=seq-mean-token-sum-norm", "algorithm.objective.divide_by_sequences=true"),
        *(f"algorithm.objective.constant={MOST_TOKENS}", "algorithm.credit_settings.eps=0.0001"),
        *(f"{rate}=1e-4", rate.replace("learning", "final_learning") + "=1e-4", "algorithm.magnet.weight=0"),
        *("algorithm.optimisation.beta2=0.999", "algorithm.optimisation.weight_decay=0"),
        *("engine.threads=1", "engine.device=cpu"),
        *(f"agent.sampling.max_tokens={MOST_TOKENS}", f"agent.context.max_context={prompt_tokens + 2 * MOST_TOKENS}"),
        *(f"games_per_step={given.rollouts}", f"seed={given.seed}", "tensorboard=false", *given.overrides),
    ]


def steps(run: Any, count: int) -> Iterator[tuple[dict[str, float], float]]:
    """(time and counts of a step, mean return of its episodes)."""
    for _ in range(count):
        lap, turns, tokens = Lap(), run.turns, run.tokens
        record = run.step()
        parts = {f"{name}_s": record["time"][name] for name in ("rollout", "credit", "pack", "update", "model")}
        yield (
            {**lap.read(), "turns": run.turns - turns, "tokens": run.tokens - tokens, **parts},
            record["return/player_0"],
        )


def worst(run: Any) -> float:
    """Over the episodes of a further step, in nats; each conversation is one row of a plain forward pass."""
    import torch

    from turnwise.algorithms.batch import pack
    from turnwise.algorithms.policy import score

    episodes = run.player.play(run.steps_done).episodes
    advantages = [[1.0] * len(episode.turns) for episode in episodes]
    batch = pack(episodes, advantages, pad_id=run.policy.tokenizer.pad_token_id)
    gap = 0.0
    with torch.no_grad():
        trained = torch.cat(
            [score(run.policy.model, piece, temperature=1.0).logprobs for piece in run.learner.pieces(batch)]
        )
        of_rows = {
            tuple(ids[:length]): plain_logprobs(run.policy.model, ids[:length])
            for ids, length in zip(batch.ids.tolist(), batch.lengths.tolist(), strict=True)
        }
    for position, row, logprob in zip(
        batch.token_position.tolist(), batch.token_row.tolist(), trained.tolist(), strict=True
    ):
        ids = tuple(batch.ids[row, : batch.lengths[row]].tolist())
        gap = max(gap, abs(of_rows[ids][position - 1] - logprob))
    return max(gap, sampler_gap(episodes, run.policy.model))


def sampler_gap(episodes: Sequence[Any], model: Any) -> float:
    """The same for the log-probs that came with the sampled tokens."""
    gap = 0.0
    for turn in (episode.turns[-1] for episode in episodes):
        plain = plain_logprobs(model, [*turn.prompt_ids, *turn.completion_ids])[len(turn.prompt_ids) - 1 :]
        gap = max(gap, *(abs(one - other) for one, other in zip(plain, turn.logprobs, strict=True)))
    return gap


def plain_logprobs(model: Any, ids: Sequence[int]) -> list[float]:
    """Of every token but the first, in nats, from transformers' own logits."""
    import torch

    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, :-1].double()
    return torch.log_softmax(logits, -1).gather(1, torch.tensor(ids)[1:, None])[:, 0].tolist()


def script(run: Any) -> dict[str, list[int]]:
    """Ids of the first prompt, and of a whole game of cells 8, 7, 6 against the lowest free cell."""
    from race_game import SEAT, CalledTicTacToe

    from turnwise.agents.context import Transcript

    class Lowest:
        def integers(self, count: int) -> int:
            return 0

    game, context = CalledTicTacToe(), run.policy.context
    transcript = Transcript(context)
    game.start(Lowest())  # type: ignore[arg-type]
    transcript.observe(game.observe(SEAT))
    prompt = list(transcript.prompt(MOST_TOKENS) or ())
    for cell in (8, 7, 6):
        transcript.reply(context.encode_reply(call(cell)), call(cell))
        game.play(call(cell))
        transcript.observe(game.observe(SEAT))
    return {"prompt_ids": prompt, "script_ids": list(transcript.prompt(MOST_TOKENS) or ())}


def versions() -> dict[str, str]:
    import torch
    import transformers

    from turnwise.algorithms.reporting.provenance import commit

    return {"turnwise": commit()[:10], "transformers": transformers.__version__, "torch": torch.__version__}


if __name__ == "__main__":
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    main()
