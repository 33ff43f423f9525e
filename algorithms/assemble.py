"""From settings and a policy to the parts of a run: its learner, its agents, the stage they play on."""

from __future__ import annotations

from functools import partial
from typing import Any

from turnwise.agents.local import LocalEngine
from turnwise.agents.rollout import Agent, Rollout
from turnwise.algorithms.algorithm import Algorithm
from turnwise.algorithms.league import LEARNER, OPPONENT
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.needs import needs_of
from turnwise.algorithms.player import Stage
from turnwise.algorithms.providers import Providers
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.snapshots import League
from turnwise.algorithms.startup import Policy, make_opponent
from turnwise.algorithms.world import ALONE, World


def make_learner(settings: RunSettings, policy: Policy, world: World = ALONE) -> Learner:
    """What trains the policy's weights. Where that is a copy of them, the engine is told to load them."""
    recipe = settings.algorithm
    learner = Learner(
        policy.model,
        recipe.optimisation,
        recipe.objective,
        recipe.magnet,
        temperature=settings.agent.sampling.temperature,
        clock=policy.engine.clock,
        critic=recipe.critic,
        noise=recipe.noise,
        keep_reference=bool(needs_of(recipe) & {"reference_logprobs", "reference_returns"}),
        lora=settings.model.lora,
        seed=settings.seed,
        world=world,
    )
    if isinstance(policy.engine, LocalEngine):
        policy.engine.shares_model = learner.shares_model
    return learner


def invited(settings: RunSettings, policy: Policy) -> tuple[dict[str, Agent], League | None]:
    """(name -> agent of everybody who may sit at a table, the league where there is one, which adds to them)."""
    agents: dict[str, Agent] = {LEARNER: policy.agent}
    if settings.agent.opponent == "league":
        return agents, League(settings.agent.league, policy, agents)
    if settings.agent.opponent != "self":
        agents[OPPONENT] = make_opponent(settings, settings.agent.opponent)
    return agents, None


def make_stage(settings: RunSettings, policy: Policy, learner: Learner | None, agents: dict[str, Agent]) -> Stage:
    """Where the policy plays, and what the recipe asks of its learner there, unless that one trains elsewhere."""
    rules: dict[str, Any] = {
        "invalid": settings.env.invalid,
        "max_turns": settings.env.max_turns,
        "concurrency": settings.engine.concurrency,
        "retries": settings.env.retries,
    }
    recorded = needs_of(settings.algorithm) & {"anchor", "ground_truth"}
    rollout = Rollout(agents, **rules, record_messages=settings.recording.every > 0, record=recorded)
    providers = Providers(settings.algorithm, learner, policy, agents, LEARNER, rules)
    algorithm = Algorithm(settings.algorithm, providers.annotate, LEARNER, settings.seed)
    return Stage(policy, rollout, algorithm, partial(providers.ground, rollout), settings.seed)
