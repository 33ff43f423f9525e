"""Which measure a run is judged by, and the measuring.

Exact where the game can be enumerated, else win rates; the mean return where there is nobody to win against.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, Literal

from turnwise.agents.api.start import api_agent
from turnwise.agents.language import LanguageAgent
from turnwise.agents.rollout import Agent, Rollout, plans
from turnwise.agents.sampling import derive_seed
from turnwise.algorithms.credit.episodes import is_finished
from turnwise.algorithms.evaluation.exact import ExactResult, PolicyRow, evaluate_exactly
from turnwise.algorithms.evaluation.exact_tree import information_states
from turnwise.algorithms.evaluation.winrate import WinRate, win_rates
from turnwise.algorithms.settings import RunSettings
from turnwise.envs.core import TextGame
from turnwise.envs.registry import make_game
from turnwise.records import Episode

EXACT_LIMIT = 1_000
"""Information states up to which `auto` measures exactly during training."""
ROUNDING = 1e-9
"""By which a sum of rewards may miss the most that a game pays, in task units."""
HELD_OUT, FINAL = 2, 3
"""Streams of seeds that training never sees: of the evaluations, and of the last games."""


def method_for(settings: RunSettings, game: TextGame) -> str:
    """`exact`, `win_rate`, or `return` for one seat. Raises ValueError where the game cannot give what is asked."""
    method = settings.evaluation.method
    if len(game.seats) == 1:
        if method != "auto":
            raise ValueError(f"evaluation.method={method} needs two seats: {settings.env.id} has one; use auto")
        return "return"
    if method == "win_rate":
        return method
    try:
        information_states(game, EXACT_LIMIT if method == "auto" else 20_000)  # type: ignore[arg-type]  # it checks
    except ValueError:
        if method == "exact":
            raise
        return "win_rate"
    return "exact"


def exact_evaluation(
    settings: RunSettings,
    agent: LanguageAgent,
    model: Any,
    game: TextGame,
    *,
    prefixes: Literal["finite"] | int = "finite",
) -> ExactResult:
    """NashConv and the policy behind it, prompted and sampled as in the run."""
    sampling = settings.agent.sampling
    return evaluate_exactly(
        model,
        agent.context,
        game,  # type: ignore[arg-type]  # `method_for` has seen that it is one of OpenSpiel's
        temperature=sampling.temperature,
        prefixes=prefixes,
        max_tokens=sampling.max_tokens,
        seed=settings.seed,
        batch_tokens=settings.engine.batch_tokens,
    )


def win_rate_evaluation(
    settings: RunSettings, agent: Agent, games: int, opponents: Sequence[str | Agent] | None = None
) -> list[WinRate]:
    """Games against each opponent (None: those of the settings) from held-out seeds, seats swapped."""
    named = settings.evaluation.opponents if opponents is None else opponents
    asked = {name: api_agent(name, settings.agent.api) for name in named if isinstance(name, str)}
    try:
        return win_rates(
            agent,
            settings.env.id,
            [(asked[name] or name) if isinstance(name, str) else name for name in named],
            games=games,
            seed=derive_seed(settings.seed, HELD_OUT),
            env_kwargs=settings.env.kwargs,
            invalid=settings.env.invalid,
            max_turns=settings.env.max_turns,
        )
    finally:
        for made in asked.values():
            if made is not None:
                made.close()


def self_play(settings: RunSettings, agent: Agent, games: int, stream: int) -> list[Episode]:
    """Games with the agent in every seat, from the seeds of a stream that training never sees."""
    rollout = Rollout({agent.name: agent}, invalid=settings.env.invalid, max_turns=settings.env.max_turns)
    seats = dict.fromkeys(make_game(settings.env.id, **settings.env.kwargs).seats, agent.name)
    seeds = (derive_seed(settings.seed, stream, i) for i in range(games))
    return rollout.collect(plans("final", settings.env.id, settings.env.kwargs, seats, seeds))


def return_figures(episodes: Sequence[Episode]) -> dict[str, float]:
    """Of a game of one seat: mean return per episode, in task units, its standard error, and the share of episodes
    that earned all there is to earn; episodes that failed are left out, and counted.

    Raises ValueError, with what failed, where none is left.
    """
    played = [episode for episode in episodes if is_finished(episode)]
    if not played:
        raise ValueError(f"no episode could be played to its end ({episodes[0].metadata.get('failure')})")
    returns = [value for episode in played for value in episode.returns.values()]
    error = statistics.stdev(returns) / len(returns) ** 0.5 if len(returns) > 1 else 0.0
    _, most = make_game(played[0].env_id, **played[0].env_kwargs).utility_bounds
    solved = statistics.fmean(value >= most - ROUNDING for value in returns)
    return {
        "mean_return": statistics.fmean(returns),
        "mean_return_stderr": error,
        "solved_rate": solved,
        "failed": len(episodes) - len(played),
    }


def exact_to_report(result: ExactResult) -> dict[str, Any]:
    """The evaluation as evaluation.json holds it."""
    found = result.to_dict()
    found["policy"] = [_row(row) for row in result.policy]
    return found


def _row(row: PolicyRow) -> dict[str, Any]:
    found: dict[str, Any] = {
        "key": row.key,
        "seat": row.seat,
        "observation": row.observation,
        "actions": dict(row.probabilities),
        "illegal_mass": row.illegal_mass,
    }
    if row.equilibrium is not None:
        found["equilibrium"] = {action: list(ends) for action, ends in row.equilibrium.items()}
    return found


def headline(method: str) -> tuple[str, bool]:
    """(name of the measure in `eval`, whether lower is better)."""
    return {"exact": ("nash_conv", True), "win_rate": ("not_lost", False), "return": ("mean_return", False)}[method]


def win_rate_figures(rates: list[WinRate]) -> dict[str, float]:
    """The figures of each opponent, and `not_lost` against the first as the headline."""
    figures: dict[str, float] = {"not_lost": rates[0].total.not_lost_rate}
    for rate in rates:
        figures[f"not_lost/{rate.opponent}"] = rate.total.not_lost_rate
        figures[f"win_rate/{rate.opponent}"] = rate.total.win_rate
        figures[f"return/{rate.opponent}"] = rate.total.mean_return
    return figures
