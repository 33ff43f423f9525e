"""Exact evaluation: a language model's policy at every information state of a small game, and what it is worth.

The result is exact where the replies can be listed (`prefixes="finite"`): nothing is sampled. With `prefixes=m` the
words before the action are sampled, and the policy and its NashConv come with standard errors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from turnwise.agents.context import ChatContext
from turnwise.agents.local import LocalEngine
from turnwise.agents.sampling import Sampling, derive_seed
from turnwise.algorithms.checks import require_between
from turnwise.algorithms.evaluation.exact_policy import Opinion, hear
from turnwise.algorithms.evaluation.exact_tree import InformationState, information_states
from turnwise.algorithms.evaluation.exact_value import (
    Judge,
    equilibrium_ranges,
    nash_conv_stderr,
    optimal_policies,
    spiel_table,
    uniform_policies,
)
from turnwise.algorithms.evaluation.scorer import model_scorer
from turnwise.algorithms.evaluation.voices import LeadIns, Sampled, Voice

if TYPE_CHECKING:
    from turnwise.envs.openspiel.adapter import OpenSpielGame

_REPLY_STREAM, _RESAMPLING_STREAM = 0xE8A, 0xE8B
RESAMPLES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """The policy at one information state."""

    key: str
    """OpenSpiel's information state string."""
    seat: str
    observation: str
    """What the seat reads there; earlier observations are rows of their own."""
    probabilities: Mapping[str, float]
    """Action name -> probability among the legal actions."""
    illegal_mass: float | None
    """Probability of a reply that is none of the legal ones; None where the seat's own replies never lead here."""
    stderr: Mapping[str, float] | None
    """Standard errors of `probabilities`; None where fewer than two legal replies were sampled."""
    equilibrium: Mapping[str, tuple[float, float]] | None
    """(lowest, highest) probability of each action over all equilibria, where they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactResult:
    """What a policy is worth in a two-seat zero-sum game. Values are in task units per game."""

    game: str
    prefixes: str | int
    """`finite`: every lead-in was summed. A number: so many replies were sampled at each information state."""
    information_states: int
    nash_conv: float
    """What both seats together could gain by best responses; 0 at an equilibrium."""
    nash_conv_stderr: float | None
    """Its standard deviation when the sampled replies are resampled; None where nothing was sampled, or some state
    that the replies lead to was not heard, of which resampling knows nothing."""
    nash_conv_uniform: float
    """The same for uniform play over the legal actions, to compare with."""
    exploitability: float
    """Half of `nash_conv`."""
    best_response: Mapping[str, float]
    """Seat -> what a best response gets there against the policy."""
    self_play: Mapping[str, float]
    """Seat -> what the policy gets there against itself."""
    against_optimal: Mapping[str, float] | None
    """Seat -> what the policy gets there against an optimal opponent, where one is known."""
    illegal_mass_mean: float
    """Mean over the information states. With finite prefixes an upper bound: any other form of a reply counts."""
    illegal_mass_max: float
    unheard: int
    """Information states at which no legal reply was heard: their actions are taken to be equally likely."""
    policy: tuple[PolicyRow, ...]
    """By seat, and then by how far the game has gone."""

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, tuples, strings and numbers, fit for JSON."""
        return {**dataclasses.asdict(self), "policy": [dataclasses.asdict(row) for row in self.policy]}


def evaluate_exactly(
    model: Any,
    context: ChatContext,
    game: OpenSpielGame,
    *,
    temperature: float = 1.0,
    prefixes: Literal["finite"] | int = "finite",
    max_tokens: int = 64,
    seed: int = 0,
    max_information_states: int = 20_000,
    batch_tokens: int = 16_384,
) -> ExactResult:
    """The policy of `model` in every information state of `game`, prompted as a rollout with `context` would prompt it.

    Args:
        temperature: of the sampler, above 0. Its top_p and stop texts are taken to be off.
        prefixes: what may stand before the action. "finite": each of `game.lead_ins()`, summed. A number of at least 2:
            so many sampled replies at each information state, every legal action scored in place of the sampled one.
        max_tokens: longest reply in tokens, as in play; a longer one counts as illegal.
        seed: of the sampled replies and their resampling.
        max_information_states: games with more are refused.
        batch_tokens: most tokens, padding included, in one forward pass.

    Raises ValueError if the game is not a two-seat zero-sum game of OpenSpiel with at most so many information states,
    or an argument or a prompt is out of bounds.
    """
    require_between("temperature", temperature, 0.0, open_low=True)
    require_between("max_tokens", max_tokens, 1)
    states = information_states(game, max_information_states)
    voice = _voice(model, context, game, temperature, prefixes, max_tokens, seed, batch_tokens)
    return evaluate_voice(voice, context, game, states, prefixes=prefixes, max_tokens=max_tokens, seed=seed)


def _voice(
    model: Any,
    context: ChatContext,
    game: OpenSpielGame,
    temperature: float,
    prefixes: str | int,
    max_tokens: int,
    seed: int,
    batch_tokens: int,
) -> Voice:
    pad = context.tokenizer.pad_token_id
    pad_id: int = context.end_id if pad is None else pad
    score = model_scorer(model, temperature=temperature, pad_id=pad_id, batch_tokens=batch_tokens)
    if prefixes == "finite":
        return LeadIns(score, context, game.lead_ins(), max_tokens=max_tokens)
    if not isinstance(prefixes, int) or prefixes < 2:
        raise ValueError(f"prefixes is 'finite' or a number of sampled replies, at least 2: got {prefixes!r}")
    engine = LocalEngine(model, end_id=context.end_id, pad_id=pad_id, decode=context.decode, batch_tokens=batch_tokens)
    generate = partial(engine.generate, sampling=Sampling(temperature=temperature, max_tokens=max_tokens))
    stream = derive_seed(seed, _REPLY_STREAM)
    return Sampled(generate, score, context, draws=prefixes, max_tokens=max_tokens, seed=stream)


def evaluate_voice(
    voice: Voice,
    context: ChatContext,
    game: OpenSpielGame,
    states: Sequence[InformationState],
    *,
    prefixes: str | int,
    max_tokens: int,
    seed: int,
) -> ExactResult:
    """The result for anything that can say how likely its replies are."""
    opinions = hear(states, context, voice, max_tokens=max_tokens)
    policies = {key: opinion.policy() for key, opinion in opinions.items()}
    judge = Judge(game, states)
    table = spiel_table(states, policies)
    best_response = judge.best_response(policies)
    optimal = optimal_policies(game, states)
    illegal = [opinion.illegal_mass for opinion in opinions.values() if opinion.illegal_mass is not None]
    sampled = voice.chains > 1
    error = None
    if sampled and all(opinion.heard or opinion.illegal_mass is None for opinion in opinions.values()):
        error = nash_conv_stderr(judge, _resampled(opinions, voice.chains, derive_seed(seed, _RESAMPLING_STREAM)))
    return ExactResult(
        game=str(game.spiel_game),
        prefixes=prefixes,
        information_states=len(states),
        nash_conv=sum(best_response.values()),
        nash_conv_stderr=error,
        nash_conv_uniform=judge.nash_conv(uniform_policies(states)),
        exploitability=sum(best_response.values()) / 2,
        best_response=best_response,
        self_play=judge.values(table, table),
        against_optimal=None if optimal is None else judge.against(table, spiel_table(states, optimal)),
        illegal_mass_mean=float(np.mean(illegal)),
        illegal_mass_max=max(illegal),
        unheard=sum(not opinion.heard for opinion in opinions.values()),
        policy=tuple(_row(game, state, opinions[state.key], sampled) for state in sorted(states, key=_place)),
    )


def _place(state: InformationState) -> tuple[str, int, int, str]:
    """The order of the table: by seat, then by how far the game has gone."""
    return state.seat, state.depth, len(state.key), state.key


def _resampled(opinions: Mapping[str, Opinion], chains: int, seed: int) -> Iterator[dict[str, NDArray[np.float64]]]:
    """Policies from replies drawn again with replacement; opinions that share their chains are drawn together."""
    rng = np.random.default_rng(seed)
    clusters = dict.fromkeys(opinion.cluster for opinion in opinions.values())
    for _ in range(RESAMPLES):
        counts = {cluster: np.bincount(rng.integers(chains, size=chains), minlength=chains) for cluster in clusters}
        yield {key: opinion.policy(counts[opinion.cluster]) for key, opinion in opinions.items()}


def _row(game: OpenSpielGame, state: InformationState, opinion: Opinion, sampled: bool) -> PolicyRow:
    stderr = opinion.stderr() if sampled else None
    return PolicyRow(
        key=state.key,
        seat=state.seat,
        observation=state.observations[-1],
        probabilities=dict(zip(state.actions, opinion.policy().tolist(), strict=True)),
        illegal_mass=opinion.illegal_mass,
        stderr=None if stderr is None else dict(zip(state.actions, stderr.tolist(), strict=True)),
        equilibrium=equilibrium_ranges(game, state),
    )
