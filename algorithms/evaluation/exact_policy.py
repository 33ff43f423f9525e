"""The policy of a voice at every information state, as it is in play: in the context that the seat's own replies made.

In an append-only layout what a seat has said stays in its prompt, so one information state has many contexts. Each is
kept as a particle (the replies so far, and their probability w), and
pi(a | I) = sum_c w_c P(a | c) / sum_c,b w_c P(b | c), the policy given that every reply of the seat was legal.
In a per-turn layout the prompt holds actions only, and one context stands for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnwise.agents.context import ChatContext, Transcript
from turnwise.algorithms.evaluation.exact_tree import InformationState
from turnwise.algorithms.evaluation.scorer import Ids
from turnwise.algorithms.evaluation.voices import Scene, Utterance, Voice
from turnwise.envs.parsing import write_action

MOST_CONTEXTS = 200_000


class Particle(NamedTuple):
    """One way to have come to an information state: what the seat has said."""

    weight: float
    replies: tuple[Ids, ...]
    chain: int


@dataclass(frozen=True, slots=True)
class Opinion:
    """What was heard at one information state, from P particles, about A actions."""

    chains: NDArray[np.int64]
    """[P]: the chain of each particle."""
    weights: NDArray[np.float64]
    """[P]: summing to 1, unless P is 0."""
    masses: NDArray[np.float64]
    """[P, A]: probability of a reply that plays the action."""
    cluster: str
    """Opinions of one cluster share their chains, so their errors go together."""

    def policy(self, counts: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """[A] probabilities of the actions, uniform where nothing legal was heard. `counts`: weight of each chain."""
        weights = self.weights if counts is None else self.weights * counts[self.chains]
        heard = weights @ self.masses
        total = heard.sum()
        return heard / total if total > 0 else np.full(len(heard), 1 / len(heard))

    @property
    def heard(self) -> bool:
        """Whether any legal reply has mass."""
        return bool((self.weights @ self.masses).sum() > 0)

    @property
    def illegal_mass(self) -> float | None:
        """Probability of any other reply; None where the seat never comes here by its own replies."""
        if not len(self.weights):
            return None
        return min(max(1.0 - float((self.weights @ self.masses).sum()), 0.0), 1.0)  # rounding may step outside

    def stderr(self) -> NDArray[np.float64] | None:
        """[A] standard errors of `policy`, a ratio of means, by the delta method; None below two legal replies."""
        count, totals = len(self.weights), self.masses.sum(1)
        if (totals > 0).sum() < 2:
            return None
        residuals = self.weights[:, None] * (self.masses - totals[:, None] * self.policy())
        spread: NDArray[np.float64] = np.sqrt((residuals**2).sum(0) * count / (count - 1)) / (self.weights @ totals)
        return spread


def hear(
    states: Sequence[InformationState], context: ChatContext, voice: Voice, *, max_tokens: int
) -> dict[str, Opinion]:
    """One opinion per information state. Raises ValueError where a prompt leaves no room for `max_tokens`.

    Also where lead-ins times depth make more contexts than `MOST_CONTEXTS`.
    """
    remembers = context.settings.layout == "append_only"
    known = {state.key: state for state in states}
    opinions: dict[str, Opinion] = {}
    heirs: dict[tuple[str, str], list[Particle]] = {}
    for wave in _waves(states) if remembers else [states]:
        asked = []
        for state in wave:
            born = [Particle(1.0, ((),) * state.depth, chain) for chain in range(voice.chains)]
            asked.append((state, heirs.get(state.parent, []) if remembers and state.parent else born))
        _require_few(sum(len(particles) for _, particles in asked))
        scenes = [
            scene for state, particles in asked for scene in _scenes(state, particles, known, context, max_tokens)
        ]
        spoken = iter(voice(scenes))
        for state, particles in asked:
            utterances = [next(spoken) for _ in particles]
            cluster = opinions[state.parent[0]].cluster if remembers and state.parent else state.key
            opinions[state.key] = _opinion(particles, utterances, len(state.actions), cluster)
            if remembers:
                heirs |= _heirs(state, particles, utterances)
    return opinions


def _require_few(contexts: int) -> None:
    if contexts > MOST_CONTEXTS:
        raise ValueError(
            f"exact evaluation keeps at most {MOST_CONTEXTS} contexts of one depth: got {contexts}, since every "
            "lead-in of every reply makes another; sample them (prefixes=a number), or use layout=per_turn"
        )


def _waves(states: Sequence[InformationState]) -> Iterator[list[InformationState]]:
    """The states by how often their seat has acted before: what is said in one wave is context in the next."""
    for depth in range(max(state.depth for state in states) + 1):
        yield [state for state in states if state.depth == depth]


def _scenes(
    state: InformationState,
    particles: Sequence[Particle],
    known: Mapping[str, InformationState],
    context: ChatContext,
    max_tokens: int,
) -> Iterator[Scene]:
    """A scene per particle; equal replies give one prompt."""
    prompts: dict[tuple[Ids, ...], Ids] = {}
    chosen = _chosen(state, known)
    for particle in particles:
        prompt = prompts.get(particle.replies)
        if prompt is None:
            prompt = prompts[particle.replies] = _prompt(state, chosen, particle.replies, context, max_tokens)
        yield Scene(prompt, tuple(state.actions), (state.number, particle.chain))


def _chosen(state: InformationState, known: Mapping[str, InformationState]) -> list[str]:
    """The actions that the seat has played before this state, in order."""
    names: list[str] = []
    while state.parent is not None:
        names.append(state.parent[1])
        state = known[state.parent[0]]
    return names[::-1]


def _prompt(
    state: InformationState, chosen: Sequence[str], replies: Sequence[Ids], context: ChatContext, max_tokens: int
) -> Ids:
    """What the rollout would have asked with."""
    transcript = Transcript(context)
    for observation, action, reply in zip(state.observations, chosen, replies, strict=False):
        transcript.observe(observation)
        transcript.reply(reply, write_action(action, ()))
    transcript.observe(state.observations[-1])
    prompt = transcript.prompt(max_tokens)
    if prompt is None:
        raise ValueError(
            f"exact evaluation needs prompts that fit: at information state {state.key!r} no room is left for a reply "
            f"of {max_tokens} tokens within context.max_context={context.settings.max_context}; raise max_context, "
            "lower max_tokens, or set context.overflow=drop_oldest"
        )
    return prompt


def _opinion(
    particles: Sequence[Particle], utterances: Sequence[Sequence[Utterance]], actions: int, cluster: str
) -> Opinion:
    masses = np.zeros((len(particles), actions))
    for row, heard in enumerate(utterances):
        for utterance in heard:
            masses[row, utterance.action] += utterance.mass
    weights = np.array([particle.weight for particle in particles], dtype=np.float64)
    chains = np.array([particle.chain for particle in particles], dtype=np.int64)
    return Opinion(chains, weights / weights.sum() if len(weights) else weights, masses, cluster)


def _heirs(
    state: InformationState, particles: Sequence[Particle], utterances: Sequence[Sequence[Utterance]]
) -> dict[tuple[str, str], list[Particle]]:
    """The particles at what may follow each action. Weights are rescaled, so that long games do not underflow."""
    names = tuple(state.actions)
    heirs: dict[tuple[str, str], list[Particle]] = {}
    for particle, heard in zip(particles, utterances, strict=True):
        for action, ids, mass in heard:
            if particle.weight * mass > 0:
                heir = Particle(particle.weight * mass, (*particle.replies, ids), particle.chain)
                heirs.setdefault((state.key, names[action]), []).append(heir)
    for family in heirs.values():
        largest = max(particle.weight for particle in family)
        family[:] = [particle._replace(weight=particle.weight / largest) for particle in family]
    return heirs
