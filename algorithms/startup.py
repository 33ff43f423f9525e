"""From settings to a policy that can speak: model, tokenizer, context, engine, agent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from turnwise.agents.api.start import api_agent, start_api_engine
from turnwise.agents.context import ChatContext
from turnwise.agents.engine import Engine
from turnwise.agents.language import LanguageAgent
from turnwise.agents.local import LocalEngine
from turnwise.agents.precision import computing_in
from turnwise.agents.pretrained import load_pretrained, pick_device, pick_dtype
from turnwise.agents.rollout import Agent
from turnwise.agents.scripted import scripted_agent
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
from turnwise.agents.vllm.start import start_vllm
from turnwise.algorithms.checkpoint import weights_of
from turnwise.algorithms.games import arms_of
from turnwise.algorithms.league import LEARNER, OPPONENT
from turnwise.algorithms.settings import RunSettings
from turnwise.algorithms.sft import scripted_games, spoken_texts, warm_start
from turnwise.records import Episode

SMALL_MODEL = 20_000_000
"""Parameters below which one thread is the fastest: the model's operations are too small to share."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A model and what it needs to speak."""

    model: Any
    tokenizer: Any
    context: ChatContext
    engine: Engine
    agent: LanguageAgent
    batch_tokens: int
    """Most prompt tokens that agents with other weights of this model decode at once."""


def say_nothing(message: str) -> None:
    """A reporter for those who do not want to hear."""


def fresh_policy(settings: RunSettings, say: Callable[[str], None] = say_nothing) -> Policy:
    """The policy that a run starts with: a tiny model made for its game, or pretrained weights; warm if asked."""
    device = pick_device(settings.engine.device)
    sft = settings.model.sft
    episodes = []
    if sft.steps or settings.model.path is None:
        arms = arms_of(settings.env.games, every_level=settings.curriculum is not None)
        say(f"playing {sft.games:,} scripted games of {', '.join(arm.name for arm in arms)}")
        episodes = scripted_games(sft, [(arm.id, arm.kwargs) for arm in arms], settings.seed)
    if settings.model.path is None:
        tokenizer = build_tokenizer(spoken_texts(episodes), settings.model.tiny.vocabulary)
        model = build_model(_sizes(settings), tokenizer, settings.seed).to(device)
        say(f"built a model of {sum(p.numel() for p in model.parameters()):,} parameters")
    else:
        model, tokenizer = _load(settings, settings.model.path)
    _set_threads(settings, model)
    context = _context(settings, tokenizer)
    for line in too_long(episodes, context, settings.agent.sampling.max_tokens):
        say(line)
    if sft.steps:
        layout = settings.algorithm.optimisation.layout
        loss = warm_start(model, context, episodes, sft, seed=settings.seed, layout=layout)
        say(f"warm start on random legal play: {sft.steps} updates, {loss:.3f} nats per token at the end")
    return _dressed(settings, model, tokenizer, context)


def _sizes(settings: RunSettings) -> TinyModel:
    """Of the tiny model: where vLLM samples and nothing else is said, its heads are as wide as vLLM wants them."""
    tiny = settings.model.tiny
    if settings.engine.name != "vllm" or tiny.head_dim is not None:
        return tiny
    return replace(tiny, head_dim=max(32, tiny.hidden // tiny.heads))


def too_long(episodes: Sequence[Episode], context: ChatContext, most: int) -> Iterator[str]:
    """A line for every game with replies of more than `most` tokens, the longest that the policy may speak."""
    texts: dict[str, set[str]] = {}
    for episode in episodes:
        texts.setdefault(episode.env_id, set()).update(turn.text for turn in episode.turns)
    for env_id, replies in texts.items():
        longest = max(len(context.encode_reply(reply)) for reply in replies)
        if longest > most:
            yield f"replies at {env_id} are up to {longest} tokens long: agent.sampling.max_tokens={most} cuts them"


def precision(settings: RunSettings) -> AbstractContextManager[object]:
    """The block in which this run computes: bfloat16 products on CUDA unless the settings say otherwise."""
    device = pick_device(settings.engine.device)
    return computing_in(pick_dtype(settings.engine.dtype, device), device)


def saved_policy(settings: RunSettings, folder: Path, *, training: bool = True) -> Policy:
    """The policy of a saved model folder, under a run's settings. training: its engine is to take new weights."""
    model, tokenizer = _load(settings, str(folder))
    return dress(settings, model, tokenizer, training=training)


def dress(settings: RunSettings, model: Any, tokenizer: Any, *, training: bool = True) -> Policy:
    """Context, engine and agent around a model. Raises TemplateError where its chat template rewrites history."""
    _set_threads(settings, model)
    return _dressed(settings, model, tokenizer, _context(settings, tokenizer), training=training)


def _context(settings: RunSettings, tokenizer: Any) -> ChatContext:
    return ChatContext(tokenizer, settings.agent.context, settings.model.chat_template)


def _dressed(
    settings: RunSettings, model: Any, tokenizer: Any, context: ChatContext, *, training: bool = True
) -> Policy:
    engine = _engine(settings, model, tokenizer, context, training=training)
    agent = LanguageAgent(engine, context, settings.agent.sampling, name=LEARNER)
    return Policy(model, tokenizer, context, engine, agent, settings.engine.batch_tokens)


def _engine(settings: RunSettings, model: Any, tokenizer: Any, context: ChatContext, *, training: bool) -> Engine:
    """What samples the policy's tokens, with the weights that the model has now."""
    if settings.engine.name == "vllm":
        device = pick_device(settings.engine.device)
        return start_vllm(
            settings.engine.vllm,
            model=model,
            tokenizer=tokenizer,
            context=context,
            path=None if settings.model.path is None else _folder_of(settings.model.path),
            dtype=pick_dtype(settings.engine.dtype, device),
            seed=settings.seed,
            trust_remote_code=settings.model.trust_remote_code,
        )
    if settings.engine.name == "openai":
        return start_api_engine(
            settings.engine.api, context, settings.agent.sampling, weights=model.named_parameters if training else None
        )
    return _local_engine(model, tokenizer, context, settings.engine.batch_tokens)


def said_by(engine: Any) -> list[str]:
    """What there is to say about how an engine computes."""
    if not isinstance(engine, LocalEngine) or engine.forward_pass == "lean":
        return []
    return [f"the local engine samples in batches with the model's own modules, which is slower: {engine.forward_pass}"]


def voice_of(policy: Policy, model: Any) -> LanguageAgent:
    """An agent that speaks as the policy does, with other weights, in this process."""
    engine = _local_engine(model, policy.tokenizer, policy.context, policy.batch_tokens)
    return LanguageAgent(engine, policy.context, policy.agent.sampling, name=LEARNER)


def _local_engine(model: Any, tokenizer: Any, context: ChatContext, batch_tokens: int) -> LocalEngine:
    return LocalEngine(
        model,
        end_id=context.end_id,
        pad_id=tokenizer.pad_token_id,
        decode=context.decode,
        batch_tokens=batch_tokens,
    )


def require_apis(settings: RunSettings, ranks: int) -> None:
    """Raises what asking the models behind an API would raise for want of a key or a package; nothing is asked.

    A server has one version of the weights, so that one process alone trains with it: else raises ValueError.
    """
    if settings.engine.name == "openai" and ranks > 1:
        raise ValueError("engine=openai trains in one process: leave torchrun, or use engine=vllm")
    for name in (settings.agent.opponent, *settings.evaluation.opponents):
        api_agent(name, settings.agent.api)


def make_opponent(settings: RunSettings, name: str) -> Agent:
    """A scripted agent, the frozen weights of a folder, or a model behind an API. Raises ValueError if it is none."""
    asked = api_agent(name, settings.agent.api)
    if asked is not None:
        asked.name = OPPONENT
        return asked
    folder = Path(name).expanduser()
    if folder.is_dir():
        local = replace(
            settings, model=replace(settings.model, path=name), engine=replace(settings.engine, name="local")
        )
        agent = saved_policy(local, weights_of(folder)).agent
        agent.name = OPPONENT
        return agent
    scripted = scripted_agent(name)
    scripted.name = OPPONENT
    return scripted


def _load(settings: RunSettings, path: str) -> tuple[Any, Any]:
    device = pick_device(settings.engine.device)
    return load_pretrained(_folder_of(path), device=device, trust_remote_code=settings.model.trust_remote_code)


def _folder_of(path: str) -> str:
    """The model folder that a folder stands for; a hub id stays what it is."""
    return str(weights_of(Path(path))) if Path(path).exists() else path


def _set_threads(settings: RunSettings, model: Any) -> None:
    """The count does not depend on a measurement, so that two runs of one seed give the same numbers."""
    small = sum(p.numel() for p in model.parameters()) < SMALL_MODEL
    torch.set_num_threads(settings.engine.threads or (1 if small else os.cpu_count() or 1))
