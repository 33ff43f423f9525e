"""Supervised warm start on scripted play: the model learns the format of a reply and nothing of strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from turnwise.agents.context import ChatContext, Transcript
from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.agents.sampling import derive_seed
from turnwise.agents.scripted import scripted_agent
from turnwise.algorithms.batch import Batch, pack_samples, to_device
from turnwise.algorithms.layouts import choose_layout
from turnwise.algorithms.pieces import cut, in_order
from turnwise.algorithms.policy import score
from turnwise.algorithms.recipes import SFT
from turnwise.algorithms.samples import Sample, samples_of
from turnwise.algorithms.schedule import scheduled
from turnwise.envs.registry import make_game
from turnwise.records import Episode, Turn

_STREAM = 0x5F7
_MOST_TOKENS = 16_384
"""Of a forward and backward pass."""


def scripted_games(settings: SFT, games: Sequence[tuple[str, Mapping[str, Any]]], seed: int) -> list[Episode]:
    """The teacher against itself, at each (id, arguments) in turn; its replies open with the game's lead-in."""
    teacher = scripted_agent(settings.teacher, talk=True)
    seats = [dict.fromkeys(make_game(env_id, **kwargs).seats, teacher.name) for env_id, kwargs in games]
    plans = []
    for index in range(settings.games):
        turn = index % len(games)
        env_id, kwargs = games[turn]
        own = derive_seed(seed, _STREAM, index)
        plans.append(Plan(id=f"sft-{index}", env_id=env_id, env_kwargs=kwargs, seed=own, seats=seats[turn]))
    return Rollout({teacher.name: teacher}, max_turns=200).collect(plans)


def spoken_texts(episodes: Sequence[Episode]) -> list[str]:
    """Every observation and reply, for the making of a tokenizer."""
    return [
        text for episode in episodes for turn in episode.turns for text in (turn.observation[-1].content, turn.text)
    ]


def samples(episodes: Sequence[Episode], context: ChatContext) -> list[Sample]:
    """Every reply as this context would have prompted for it, encoded; every token counts alike (advantage 1)."""
    spoken = [in_tokens(episode, context, tuple(episode.seats)) for episode in episodes]
    return [sample for episode in spoken for sample in samples_of(episode, [1.0] * len(episode.turns))]


def in_tokens(episode: Episode, context: ChatContext, seats: Sequence[str]) -> Episode:
    """The episode with the replies of these seats as if a policy had sampled them after this context's prompts.

    Their log-probs are 0. From a prompt on that does not fit the context, turns stay without tokens.
    """
    transcripts = {seat: Transcript(context) for seat in seats}
    turns = list(episode.turns)
    for index, turn in enumerate(episode.turns):
        if turn.seat not in transcripts:
            continue
        transcript = transcripts[turn.seat]
        transcript.observe(turn.observation[-1].content)
        completion = context.encode_reply(turn.text)
        prompt = transcript.prompt(len(completion))
        if prompt is None:
            break
        transcript.reply(completion, _shown(turn))
        logprobs = (0.0,) * len(completion)
        turns[index] = replace(turn, prompt_ids=prompt, completion_ids=completion, logprobs=logprobs)
    return replace(episode, turns=tuple(turns))


def _shown(turn: Turn) -> str:
    """What stands for a scripted reply where turns are rendered anew: the action as the game would show it."""
    named = f"[{turn.action}]"
    return named if named in turn.text else turn.action or turn.text


def warm_start(
    model: Any,
    context: ChatContext,
    episodes: Sequence[Episode],
    settings: SFT,
    *,
    seed: int,
    layout: str = "tree",
    report: Callable[[int, float], None] = lambda step, loss: None,
) -> float:
    """Train on the episodes' replies by cross-entropy; returns the last loss in nats per token.

    layout: as `Optimisation.layout`; a model that allows no tree trains on padded rows. Raises ValueError where no
    reply has a prompt that fits the context.
    """
    layout = choose_layout(model, layout).name
    rows = samples(episodes, context)
    if not rows:
        raise ValueError(
            f"the warm start has nothing to learn from: with agent.context.max_context={context.settings.max_context} "
            "no prompt fits; raise it, or give model.prompt=compact"
        )
    batches = _batches(rows, settings, seed, context.tokenizer.pad_token_id)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    loss = 0.0
    for step in range(settings.steps):
        rate = scheduled(settings.learning_rate, 0.0, hold=0.0, shape="cosine", progress=step / settings.steps)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss = _gradients(model, to_device(next(batches), model.device), layout)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        report(step, loss)
    return loss


def _batches(rows: Sequence[Sample], settings: SFT, seed: int, pad_id: int) -> Iterator[Batch]:
    """Endless shuffled passes over the rows."""
    rng = np.random.default_rng(derive_seed(seed, _STREAM))
    while True:
        order = rng.permutation(len(rows)).tolist()
        for start in range(0, max(1, len(order) - settings.batch + 1), settings.batch):
            yield pack_samples([rows[i] for i in order[start : start + settings.batch]], pad_id=pad_id)


def _gradients(model: Any, batch: Batch, layout: str) -> float:
    """Backward of the mean cross-entropy over the batch's tokens; returns it, in nats per token."""
    tokens, total = int(batch.mask.sum()), 0.0
    for part in cut(in_order(batch, layout), _MOST_TOKENS, layout=layout):
        logprobs = score(model, part, temperature=1.0).logprobs[part.token_index]
        loss = -logprobs.masked_fill(~part.mask, 0.0).sum() / tokens
        loss.backward()
        total += float(loss.detach())
    return total
