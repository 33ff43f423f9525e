"""Which replies a model can give at an information state, and how likely each is: listed in full, or sampled.

A voice turns scenes (a prompt and the legal actions) into utterances (a reply, the action it plays, its mass).
`LeadIns` lists every reply of the form lead-in, `[action]`, end of turn: nothing is random. `Sampled` draws one reply
per scene, takes it for a form with a blank where the action stands, and scores every legal action in that blank: the
average over draws is unbiased, and less noisy than counting actions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from turnwise.agents.context import ChatContext
from turnwise.agents.engine import Completion
from turnwise.agents.sampling import derive_seed
from turnwise.algorithms.evaluation.scorer import Ids, Scorer
from turnwise.envs.parsing import read_action, write_action

Generate = Callable[[Sequence[Ids], Sequence[int]], list[Completion]]
"""Prompts and one seed each -> one sampled reply each, in order."""


class Scene(NamedTuple):
    """A prompt that awaits a reply."""

    prompt: Ids
    names: tuple[str, ...]
    """Legal action names."""
    stream: tuple[int, int]
    """(information state, chain): tells the random draws of scenes apart."""


class Utterance(NamedTuple):
    """A reply that plays a legal action."""

    action: int
    """Index into the scene's names."""
    ids: Ids
    """Tokens of the reply, its end-of-turn token included."""
    mass: float
    """Its probability; from a sampled form, its share of the form's legal replies."""


class Voice(Protocol):
    """How replies are found. `chains`: how many independent lines of replies start at a seat's first decision."""

    chains: int

    def __call__(self, scenes: Sequence[Scene]) -> list[list[Utterance]]: ...


class LeadIns:
    """Every reply that is one of the lead-ins, then `[action]`, then the end of the turn."""

    chains = 1

    def __init__(self, score: Scorer, context: ChatContext, lead_ins: Sequence[str], *, max_tokens: int) -> None:
        """`max_tokens`: a longer reply would be cut in play, so it has no mass."""
        self.score, self.context, self.lead_ins, self.max_tokens = score, context, tuple(lead_ins), max_tokens

    def __call__(self, scenes: Sequence[Scene]) -> list[list[Utterance]]:
        """Per scene one utterance for every lead-in and action; its mass is the probability of exactly these tokens."""
        listed = [list(self._replies(scene)) for scene in scenes]
        pairs = [(scene.prompt, ids) for scene, replies in zip(scenes, listed, strict=True) for _, ids in replies]
        masses = iter(np.exp(self.score(pairs)).tolist())
        return [[Utterance(action, ids, next(masses)) for action, ids in replies] for replies in listed]

    def _replies(self, scene: Scene) -> Sequence[tuple[int, Ids]]:
        written = [
            (action, self.context.encode_reply(lead_in + write_action(name, scene.names)))
            for action, name in enumerate(scene.names)
            for lead_in in self.lead_ins
        ]
        return [(action, ids) for action, ids in written if len(ids) <= self.max_tokens]


class Sampled:
    """One sampled reply per scene, every legal action scored in its place."""

    def __init__(
        self, generate: Generate, score: Scorer, context: ChatContext, *, draws: int, max_tokens: int, seed: int
    ) -> None:
        """`draws`: replies per information state. `max_tokens`: the limit that `generate` keeps to."""
        self.generate, self.score, self.context = generate, score, context
        self.chains, self.max_tokens, self.seed = draws, max_tokens, seed

    def __call__(self, scenes: Sequence[Scene]) -> list[list[Utterance]]:
        """Per scene the replies of one form, their masses summing to 1; none where the sampled reply was not legal."""
        seeds = [derive_seed(self.seed, *scene.stream) for scene in scenes]
        drawn = self.generate([scene.prompt for scene in scenes], seeds)
        forms = [self._form(scene, completion) for scene, completion in zip(scenes, drawn, strict=True)]
        pairs = [
            (scene.prompt, ids) for scene, form in zip(scenes, forms, strict=True) if len(form) > 1 for _, ids in form
        ]
        logprobs = dict(zip(pairs, self.score(pairs), strict=True))
        return [_shared_out(scene, form, logprobs) for scene, form in zip(scenes, forms, strict=True)]

    def _form(self, scene: Scene, completion: Completion) -> list[tuple[int, Ids]]:
        """The replies that differ from the sampled one in the action alone; itself only where it has no such form."""
        if not completion.finished:
            return []
        text = self.context.decode(completion.ids)
        action = read_action(text, scene.names)
        if action not in scene.names:
            return []
        alone = [(scene.names.index(action), completion.ids)]
        blank = action_blank(text, action, scene.names)
        if blank is None or self.context.encode_reply(text) != completion.ids:
            return alone
        before, after = blank
        form = [(index, self.context.encode_reply(before + name + after)) for index, name in enumerate(scene.names)]
        return [(index, ids) for index, ids in form if len(ids) <= self.max_tokens]


def action_blank(text: str, action: str, names: Sequence[str]) -> tuple[str, str] | None:
    """What stands before and after the action in a reply, such that every legal name in its place is read as played.

    The action in its last brackets or box is replaced, or its last mention where it has none. None where that does not
    work: a name in other letters, an action mentioned again after its brackets.
    """
    bracketed = list(re.finditer(rf"(?:\[|\\boxed\{{)\s*({re.escape(action)})\s*[\]}}]", text))
    start = bracketed[-1].start(1) if bracketed else text.rfind(action)
    if start < 0:
        return None
    before, after = text[:start], text[start + len(action) :]
    if all(read_action(before + name + after, names) == name for name in names):
        return before, after
    return None


def _shared_out(
    scene: Scene, form: Sequence[tuple[int, Ids]], logprobs: dict[tuple[Ids, Ids], float]
) -> list[Utterance]:
    """The utterances of one form, each with its share of the form's probability."""
    if len(form) < 2:
        return [Utterance(action, ids, 1.0) for action, ids in form]
    nats = np.array([logprobs[scene.prompt, ids] for _, ids in form])
    shares = np.exp(nats - nats.max())
    shares /= shares.sum()
    return [Utterance(action, ids, share) for (action, ids), share in zip(form, shares.tolist(), strict=True)]
