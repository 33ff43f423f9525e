"""Recipes that do not fit are refused in one line before a game is played or a file written; numbers that are not
finite stop a run and leave behind what caused them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from turnwise.algorithms import startup
from turnwise.algorithms.checkpoint import steps_saved
from turnwise.algorithms.corrections import CORRECTIONS
from turnwise.algorithms.credit import CREDITS
from turnwise.algorithms.explore import EXPLORERS
from turnwise.algorithms.guards import GUARDS
from turnwise.algorithms.method import Method
from turnwise.algorithms.needs import NEEDS, able
from turnwise.algorithms.reporting.runlog import read_metrics
from turnwise.algorithms.rewards import REWARDS
from turnwise.algorithms.run import Run
from turnwise.algorithms.shaping import SHAPINGS
from turnwise.envs.registry import make_game
from turnwise.records import Episode

Refused = Callable[..., str]

UNFIT = {
    "igpo": ("kuhn_poker", "KuhnPoker-LLM", "credit 'igpo' needs the right answer of each episode", "Bifurcation-LLM"),
    "gigpo": (
        "simple_negotiation",
        "SimpleNegotiation-LLM",
        "credit 'gigpo' needs a canonical key of the state before each turn",
        "KuhnPoker-LLM",
    ),
    "aspo_tool": ("kuhn_poker", "KuhnPoker-LLM", "shapings 'aspo_tool' needs tools to call", "SearchQA-LLM"),
    "toolrl": ("tool_chain", "ToolChain-LLM", "rewards 'toolrl' needs tools to call", "McpTools-LLM"),
    "hpt": ("kuhn_poker", "KuhnPoker-LLM", "explore 'demonstrate' needs a solution to show", "Wordle-LLM"),
}
"""Recipe -> option and id of a game that cannot give what it asks for, what that is, and a game that can."""
SETTINGS = [
    # groups
    (("algorithm=grpo", "algorithm.group_size=1"), "set algorithm.group_size to 2 or more, got 1"),
    (("algorithm=arpo", "algorithm.explore_settings.roots=9"), "got a budget of 8 and 9 roots; raise group_size"),
    (("algorithm=arpo", "algorithm.group_size=2"), "got a budget of 2 and 4 roots; raise group_size or lower roots"),
    (("algorithm=spo_tree", "algorithm.group_size=1"), "set algorithm.group_size to 2 or more, got 1"),
    (("algorithm=grpo", "games_per_step=12"), "games_per_step is a multiple of algorithm.group_size: got 12 and 8"),
    # entropies of a reply's first tokens
    (("algorithm=arpo", "agent.sampling.entropy_tokens=10"), "first 20 tokens, and the engine records 10: set agent."),
    (("algorithm=aepo", "algorithm.explore_settings.first_k=21"), "first 21 tokens, and the engine records 20"),
    # critics
    (("algorithm=ppo", "algorithm.critic.kind=none"), "credit 'gae' needs a critic: set algorithm.critic.kind to"),
    (("algorithm=tppo", "algorithm.critic.kind=none"), "credit 'tppo' needs a critic"),
    (("algorithm=grpo", "algorithm.critic.kind=own"), "nothing in the recipe grpo asks for values: set it to none"),
    # values of states that nobody finds out
    (
        ("algorithm=grpo", "algorithm.shapings={pav: {}}"),
        "shapings 'pav' needs values of states by playing on from them",
    ),
    (("algorithm=dapo", "algorithm.shapings={pav: {}}"), "set algorithm.explore to spo_chain, pav, got dynamic"),
    # corrections
    (("algorithm=tis", "algorithm.optimisation.old_logprobs=sampler"), "the gap would be corrected twice"),
    (("algorithm=grpo", "algorithm.objective.corrections={mis: {cap: 2}}"), "Choose old_logprobs=trainer and keep"),
    # rewards and agents
    (
        ("algorithm=grpo", "algorithm.rewards={sparse: {}}"),
        "rewards before the last turn, which ToolChain-LLM does not",
    ),
    (
        ("algorithm=grpo", "agent=league"),
        "needs games of several seats: ToolChain-LLM has one; set agent.opponent=self",
    ),
    (("algorithm=pav", "algorithm.explore_settings.prover=opponent"), "random, first_legal, optimal, expert, mcts"),
    (("algorithm=pav", "algorithm.explore_settings.prover=optimal"), "optimal play is known for"),
    (("algorithm=hpt", "algorithm.explore_settings.teacher=export"), "did you mean 'expert'?"),
    # vLLM
    (("engine=vllm", "engine.vllm.in_flight=abort"), "vllm.in_flight is one of drain, continue"),
    (("engine=vllm", "engine.vllm.gpu_memory_utilization=1.5"), "gpu_memory_utilization lies in (0, 1]: got 1.5"),
    (("engine=vllm", "engine.vllm.kv_cache_gb=0"), "vllm.kv_cache_gb is a finite number above 0: got 0"),
    (("engine=vllm", "engine.vllm.deadline_s=inf"), "vllm.deadline_s is a finite number above 0: got inf"),
    (("engine=vllm", "engine.vllm.tensor_parallel=0"), "vllm.tensor_parallel is at least 1: got 0"),
    (
        ("engine=vllm", "engine.vllm.lora=/some/adapter"),
        "would sample with other weights than those that are trained",
    ),
    (
        ("engine=vllm", "engine.vllm.grammar=true", "algorithm=reinforce"),
        "a distribution without illegal moves, not the trainer's; set algorithm.optimisation.old_logprobs=trainer",
    ),
    (("algorithm=sec", "env=kuhn_poker"), "a curriculum chooses between games or levels: got KuhnPoker-LLM alone"),
]
"""Settings of a run on the chain of look-ups -> what is said of them."""


@pytest.fixture
def nothing_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that comes as far as its first scripted game fails."""

    def too_late(*_: Any) -> Any:
        raise AssertionError("a game is about to be played")

    monkeypatch.setattr(startup, "scripted_games", too_late)
    monkeypatch.setattr(startup, "build_model", too_late)


@pytest.mark.usefixtures("nothing_built")
@pytest.mark.parametrize("dry", [(), ("--dry-run",)], ids=["train", "dry-run"])
@pytest.mark.parametrize("recipe", UNFIT)
def test_a_recipe_that_asks_too_much_of_a_game(
    recipe: str, dry: tuple[str, ...], refused: Refused, tmp_path: Path
) -> None:
    option, env_id, need, other = UNFIT[recipe]
    message = refused("train", f"algorithm={recipe}", f"env={option}", f"run_dir={tmp_path / 'run'}", *dry)
    assert message.startswith(f"recipe {recipe}: {need}, which {env_id} does not have; environments that do: ")
    assert other in message
    assert env_id not in message.partition("environments that do")[2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("nothing_built")
@pytest.mark.parametrize(("words", "reason"), SETTINGS, ids=lambda value: str(value)[:40])
def test_settings_that_do_not_go_together(
    words: tuple[str, ...], reason: str, refused: Refused, tmp_path: Path
) -> None:
    assert reason in refused("train", "env=tool_chain", *words, f"run_dir={tmp_path / 'run'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("need", [name for name, need in NEEDS.items() if need.of_game])
def test_environments_that_are_recommended_can(need: str) -> None:
    given = NEEDS[need].of_game
    assert given is not None
    named = able(given, "KuhnPoker-LLM")
    assert named
    assert "KuhnPoker-LLM" not in named
    assert all(given(make_game(env_id)) for env_id in named)


def test_every_need_is_somebodys() -> None:
    registries: tuple[Mapping[str, Method[Any]], ...] = (EXPLORERS, REWARDS, CREDITS, SHAPINGS, GUARDS, CORRECTIONS)
    entries = [entry for registry in registries for entry in registry.values()]
    asked = {need for entry in entries for need in entry.needs_with(entry.settings())}
    assert asked | {"several_seats"} == NEEDS.keys(), "several seats are asked for by opponents"


# --- numbers that are not finite -------------------------------------------------------------------------------------

QUICK = (
    *("env=tool_chain", "algorithm=grpo", "engine.device=cpu", "steps=3", "games_per_step=16", "evaluation.every=0"),
    *("evaluation.games=4", "evaluation.final_games=4", "tensorboard=false", "model.sft.games=100"),
    *("model.sft.batch=32", "model.sft.steps=30"),
)


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """In the second step the credit of one episode is NaN; its id comes to stand in the list."""
    known, entry = [], CREDITS["grpo"]
    calls = 0

    def poison(episodes: list[Episode], *rest: Any) -> Any:
        nonlocal calls
        calls += 1
        found = entry.function(episodes, *rest)
        if calls == 2:
            known.append(episodes[5].id)
            found.advantages[5][:] = [math.nan for _ in found.advantages[5]]
        return found

    monkeypatch.setitem(CREDITS, "grpo", entry._replace(target=poison))
    yield known


def test_the_episode_that_is_not_finite_is_named_and_kept(
    poisoned: list[str], refused: Refused, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    message = refused("train", *QUICK, f"run_dir={run}")
    folder = run / "failures/step-000001"
    assert message == (
        "the loss is nan and its gradient's norm nan at update 1; no step was made; "
        f"it comes from episode {poisoned[0]}; the batch is in {folder}"
    )
    (guilty,) = [Episode.from_json(line) for line in (folder / "culprits.jsonl").read_text().splitlines()]
    assert guilty.id == poisoned[0]
    everyone = [Episode.from_json(line) for line in (folder / "episodes.jsonl").read_text().splitlines()]
    assert len(everyone) == 16
    assert guilty in everyone
    batch = torch.load(folder / "batch.pt", weights_only=True)
    bad = batch["advantages"].isnan()
    assert int(bad.sum()) == sum(len(turn.completion_ids) for turn in guilty.turns)
    assert bool((batch["mask"] | ~bad).all())
    assert [record["step"] for record in read_metrics(run)] == [0, 1]
    assert steps_saved(run) == [0]


def test_weights_that_are_not_finite_are_named(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They break after the episodes were sampled: all of these are hit."""
    update = Run._update

    def break_first(run: Run, *rest: Any) -> dict[str, float]:
        with torch.no_grad():
            run.policy.model.get_output_embeddings().weight[0] = math.nan
        return update(run, *rest)

    monkeypatch.setattr(Run, "_update", break_first)
    message = refused("train", *QUICK, f"run_dir={tmp_path / 'run'}")
    assert "the weights are not finite themselves, " in message
    assert "0-0, 0-1, 0-2 and 13 more; the batch is in" in message


def test_weights_that_break_before_the_sampling(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Run.step

    def break_first(run: Run) -> Any:
        with torch.no_grad():
            run.policy.model.get_output_embeddings().weight[0] = math.nan
        return step(run)

    monkeypatch.setattr(Run, "step", break_first)
    message = refused("train", *QUICK, f"run_dir={tmp_path / 'run'}")
    assert message == "the model's log-probs are NaN: its weights are broken, go back to an earlier checkpoint"
