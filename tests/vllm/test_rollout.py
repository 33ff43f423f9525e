"""Real games with vLLM in the loop: what the episodes hold is what the model says of it, whatever was played how."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.engine import Completion
from turnwise.agents.language import LanguageAgent
from turnwise.agents.plan import Plan
from turnwise.agents.rollout import Rollout
from turnwise.agents.sampling import Sampling
from turnwise.agents.vllm.engine import VllmEngine
from turnwise.envs.registry import make_game
from turnwise.records import Episode

Scored = Callable[..., Any]
GAMES: list[tuple[str, dict[str, object]]] = [
    ("KuhnPoker-LLM", {"prompt": "compact"}),
    ("TicTacToe-LLM", {"prompt": "compact"}),
    ("Nim-LLM", {}),
]


@pytest.fixture(scope="module")
def roomy(start: Callable[..., VllmEngine], tokenizer: Any) -> VllmEngine:
    """For the prompts of whole games, which this tokenizer spells out."""
    return start(context=ChatContext(tokenizer, ContextSettings(max_context=4096), "chatml"))


def played(engine: VllmEngine, tokenizer: Any, seeds: Iterator[int] | range, env: int, **words: Any) -> list[Episode]:
    """Self-play of one of `GAMES`."""
    layout = words.pop("layout", "append_only")
    context = ChatContext(tokenizer, ContextSettings(max_context=4096, layout=layout), "chatml")
    agent = LanguageAgent(engine, context, Sampling(**words))
    env_id, kwargs = GAMES[env]
    seats = dict.fromkeys(make_game(env_id, **kwargs).seats, "policy")
    plans = [Plan(id=f"e{seed}", env_id=env_id, env_kwargs=kwargs, seed=seed, seats=seats) for seed in seeds]
    return Rollout({"policy": agent}, invalid="random_legal", max_turns=8).collect(plans)


def worst(episodes: list[Episode], model: Any, scored: Scored, temperature: float, top_p: float) -> float:
    """The largest difference between a recorded log-prob and what the plain forward pass says, in nats."""
    gaps = [0.0]
    for episode in episodes:
        for turn in episode.turns:
            found = Completion(turn.completion_ids, turn.logprobs, finished=True)
            own = scored(model, turn.prompt_ids, found, temperature, top_p)
            gaps.append(float((torch.tensor(turn.logprobs) - own).abs().max()))
    return max(gaps)


@settings(max_examples=8)
@given(
    env=st.sampled_from(range(len(GAMES))),
    seed=st.integers(0, 2**62),
    temperature=st.sampled_from([0.5, 1.0, 1.6]),
    top_p=st.sampled_from([0.7, 1.0]),
    layout=st.sampled_from(["append_only", "per_turn"]),
    entropy=st.sampled_from([0, 2]),
    stop=st.sampled_from([(), ("e",), ("[", "]")]),
)
def test_every_turn_of_a_streamed_episode_scores_as_it_was_recorded(
    env: int,
    seed: int,
    temperature: float,
    top_p: float,
    layout: str,
    entropy: int,
    stop: tuple[str, ...],
    roomy: VllmEngine,
    model: Any,
    tokenizer: Any,
    scored: Scored,
) -> None:
    words: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "max_tokens": 6, "stop": stop}
    words |= {"layout": layout, "entropy_tokens": entropy}
    episodes = played(roomy, tokenizer, range(seed, seed + 3), env, **words)
    assert {episode.status for episode in episodes} <= {"ok", "truncated"}
    turns = [turn for episode in episodes for turn in episode.turns]
    assert turns
    assert worst(episodes, model, scored, temperature, top_p) < 1e-4
    assert {turn.weight_version for turn in turns} == {((0, 0),)}
    assert all(len(turn.topk_entropy or ()) == min(entropy, len(turn.completion_ids)) for turn in turns if entropy)
    again = played(roomy, tokenizer, range(seed, seed + 3), env, **words)
    assert [strip(episode) for episode in again] == [strip(episode) for episode in episodes]


def strip(episode: Episode) -> list[tuple[Any, ...]]:
    """What an episode is, without times and the last bits of its log-probs."""
    return [(turn.seat, turn.prompt_ids, turn.completion_ids, turn.action, turn.reward) for turn in episode.turns]


def test_the_cache_of_earlier_turns_is_found_again(roomy: VllmEngine, tokenizer: Any) -> None:
    """In a growing transcript each prompt begins with all of the one before."""
    roomy.load(list, 0)  # nothing changes, and nothing is cached any more
    read, cached = roomy.read, roomy.cached
    episodes = played(roomy, tokenizer, range(900, 904), 1, max_tokens=4)
    turns = [len(turn.prompt_ids) for episode in episodes for turn in episode.turns]
    assert roomy.read - read == sum(turns)
    assert roomy.cached - cached > 0.5 * sum(turns)


def test_grammar_plays_legal_moves_only(roomy: VllmEngine, tokenizer: Any) -> None:
    """A model that knows no game, held to the moves that may be made."""
    free = played(roomy, tokenizer, range(16), 0, max_tokens=12)
    assert {turn.status for episode in free for turn in episode.turns} - {"ok"}
    roomy.settings, roomy.held_to_legal = dataclasses.replace(roomy.settings, grammar=True), True
    try:
        held = played(roomy, tokenizer, range(16), 0, max_tokens=12, temperature=2.0)
    finally:
        roomy.settings, roomy.held_to_legal = dataclasses.replace(roomy.settings, grammar=False), False
    assert {turn.status for episode in held for turn in episode.turns} == {"ok"}
    assert {episode.status for episode in held} == {"ok"}
    texts = {turn.text for episode in held for turn in episode.turns}
    assert len(texts) > 1
    assert texts <= {"[check]", "[bet]", "[call]", "[fold]"}
