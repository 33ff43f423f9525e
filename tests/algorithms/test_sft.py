"""The warm start: the model speaks the language of the game, and knows nothing of its strategy."""

import math
from collections import defaultdict
from typing import Any, NamedTuple

import pytest
import torch

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.language import LanguageAgent
from turnwise.agents.local import LocalEngine
from turnwise.agents.rollout import Plan, Rollout
from turnwise.agents.sampling import Sampling, derive_seed
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
from turnwise.algorithms.batch import pack_samples
from turnwise.algorithms.policy import score
from turnwise.algorithms.recipes import SFT
from turnwise.algorithms.samples import Sample
from turnwise.algorithms.sft import samples, scripted_games, spoken_texts, warm_start
from turnwise.records import Episode, Message, Turn

KUHN, COMPACT = "KuhnPoker-LLM", {"prompt": "compact"}
SETTINGS = SFT(steps=150, games=600, batch=128)
SEATS = ("player_0", "player_1")


class Trained(NamedTuple):
    model: Any
    context: ChatContext
    episodes: list[Episode]
    losses: list[float]


def train(settings: SFT, *, seed: int = 0, layout: str = "per_turn") -> Trained:
    """A warm-started tiny model that plays Kuhn poker with compact prompts."""
    episodes = scripted_games(settings, [(KUHN, COMPACT)], seed)
    tokenizer = build_tokenizer(spoken_texts(episodes), 320)
    history = "last" if layout == "per_turn" else "all"
    context = ChatContext(tokenizer, ContextSettings(layout=layout, history=history, max_context=256))
    model = build_model(TinyModel(hidden=64, heads=2), tokenizer, seed)
    losses: list[float] = []
    last = warm_start(model, context, episodes, settings, seed=seed, report=lambda step, loss: losses.append(loss))
    assert (last, len(losses)) == (losses[-1] if losses else 0.0, settings.steps)
    return Trained(model, context, episodes, losses)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(SETTINGS)


# --- what it learns ------------------------------------------------------------------------------------------------


def test_replies_are_legal(trained: Trained) -> None:
    """At least 97% of the replies of 500 games that are sampled from the model."""
    context = trained.context
    engine = LocalEngine(trained.model, end_id=context.end_id, pad_id=0, decode=context.decode)
    policy = LanguageAgent(engine, context, Sampling(max_tokens=8))
    plans = [
        Plan(id=str(i), env_id=KUHN, env_kwargs=COMPACT, seed=derive_seed(7, i), seats=dict.fromkeys(SEATS, "policy"))
        for i in range(500)
    ]
    episodes = Rollout({"policy": policy}).collect(plans)
    statuses = [turn.status for episode in episodes for turn in episode.turns]
    assert len(statuses) > 1000
    assert statuses.count("ok") / len(statuses) >= 0.97


def test_every_legal_action_is_about_as_likely(trained: Trained) -> None:
    """At all 12 information states, by the model's own probabilities of the teacher's replies."""
    replies: dict[str, set[str]] = defaultdict(set)
    for episode in trained.episodes:
        for turn in episode.turns:
            replies[turn.observation[-1].content].add(turn.text)
    assert len(replies) == 12
    for observation, texts in replies.items():
        assert len(texts) == 2
        rows = []
        for text in sorted(texts):
            row, completion = Sample(), trained.context.encode_reply(text)
            prompt = trained.context.opening((Message("user", observation),))
            row.add(prompt, completion, [0.0] * len(completion), 1.0)
            rows.append(row)
        batch = pack_samples(rows, pad_id=0)
        with torch.no_grad():
            logprobs = score(trained.model, batch, temperature=1.0).logprobs[batch.token_index]
        likelihood = logprobs.masked_fill(~batch.mask, 0.0).sum(-1).exp()
        assert float(likelihood.sum()) > 0.95  # little is left for anything else
        assert 0.35 <= float(likelihood[0] / likelihood.sum()) <= 0.65


def test_the_loss_ends_near_the_entropy_of_the_teacher(trained: Trained) -> None:
    """Card, action, end of turn: one coin flip in three tokens is log 2 / 3 = 0.23 nats a token; random is log 320."""
    assert trained.losses[0] == pytest.approx(math.log(320), abs=0.3)
    assert sum(trained.losses[-10:]) / 10 == pytest.approx(math.log(2) / 3, abs=0.05)


def test_the_seed_decides_the_weights_and_the_process_none() -> None:
    short = SFT(steps=3, games=20, batch=16)
    before = torch.get_rng_state()
    first, again, other = train(short), train(short), train(short, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.losses == again.losses != other.losses
    for mine, theirs in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_no_steps_leave_the_model_as_it_is() -> None:
    untouched = train(SFT(steps=0, games=5))
    fresh = build_model(TinyModel(hidden=64, heads=2), untouched.context.tokenizer, 0)
    for mine, theirs in zip(untouched.model.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_frozen_parameters_stay() -> None:
    settings = SFT(steps=2, games=20, batch=16)
    episodes = scripted_games(settings, [(KUHN, COMPACT)], 0)
    tokenizer = build_tokenizer(spoken_texts(episodes), 320)
    model = build_model(TinyModel(hidden=64, heads=2), tokenizer, 0)
    model.model.embed_tokens.weight.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    warm_start(model, ChatContext(tokenizer, ContextSettings()), episodes, settings, seed=0)
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert moved == before.keys() - {"model.embed_tokens.weight"}


# --- what it learns from -------------------------------------------------------------------------------------------


def test_scripted_games_repeat_and_open_with_the_card() -> None:
    games = scripted_games(SFT(games=30), [(KUHN, COMPACT)], 4)
    assert games == scripted_games(SFT(games=30), [(KUHN, COMPACT)], 4)
    assert games != scripted_games(SFT(games=30), [(KUHN, COMPACT)], 5)
    assert {turn.status for game in games for turn in game.turns} == {"ok"}
    for turn in (turn for game in games for turn in game.turns):
        card = turn.observation[0].content.split()[1]
        assert turn.text == f"{card} [{turn.action}]"
    assert len(spoken_texts(games)) == 2 * sum(len(game.turns) for game in games)


def test_samples_by_hand_in_both_layouts(trained: Trained) -> None:
    """A player who spoke twice: one row with two spans, or two rows with one."""
    tokenizer = trained.context.tokenizer
    (game, *_) = (game for game in trained.episodes if len(game.turns) == 3)
    for layout, history in (("append_only", "all"), ("per_turn", "last"), ("per_turn", "all")):
        context = ChatContext(tokenizer, ContextSettings(layout=layout, history=history))
        found = samples([game], context)
        assert [len(row.spans) for row in found] == ([2, 1] if layout == "append_only" else [1, 1, 1])
        spoken = [tokenizer.decode(row.ids[start:end]) for row in found for start, end in row.spans]
        assert sorted(spoken) == sorted(f"{turn.text}<|im_end|>" for turn in game.turns)
        assert all(row.credit == [1.0] * len(row.spans) for row in found)
    read = tokenizer.decode(found[-1].ids)
    assert f"<|im_start|>assistant\n[{game.turns[0].action}]<|im_end|>" in read  # rendered anew: the action alone


def test_a_sample_is_prompted_as_the_rollout_prompts(trained: Trained) -> None:
    """The first prompt of a game of the policy is the first prompt that the warm start showed it."""
    context = trained.context
    engine = LocalEngine(trained.model, end_id=context.end_id, pad_id=0, decode=context.decode)
    policy = LanguageAgent(engine, context, Sampling(max_tokens=8))
    game = trained.episodes[0]
    plan = Plan(id="p", env_id=KUHN, env_kwargs=COMPACT, seed=game.seed or 0, seats=dict.fromkeys(SEATS, "policy"))
    (played,) = Rollout({"policy": policy}).collect([plan])
    row = samples([game], context)[0]
    assert row.ids[: row.spans[0][0]] == played.turns[0].prompt_ids


def test_free_text_stands_as_it_was_said(trained: Trained) -> None:
    said = ("I offer 2 wood.", "Deal.")
    turns = tuple(
        Turn(seat="player_0", observation=(Message("user", f"turn {i}"),), text=text, action=text)
        for i, text in enumerate(said)
    )
    game = Episode(id="e", env_id="X", seats={"player_0": "t"}, turns=turns, returns={"player_0": 0.0})
    context = ChatContext(trained.context.tokenizer, ContextSettings(layout="per_turn"))
    read = context.tokenizer.decode(samples([game], context)[-1].ids)
    assert "<|im_start|>assistant\nI offer 2 wood.<|im_end|>" in read


def test_a_game_too_long_for_the_context_is_cut(trained: Trained) -> None:
    (game, *_) = (game for game in trained.episodes if len(game.turns) == 3)
    context = ChatContext(trained.context.tokenizer, ContextSettings(max_context=256))
    size = len(samples([game], context)[0].ids)
    tight = ChatContext(trained.context.tokenizer, ContextSettings(max_context=size - 1))
    assert [len(row.spans) for row in samples([game], tight)] == [1, 1]
    exact = ChatContext(trained.context.tokenizer, ContextSettings(max_context=size))
    assert [len(row.spans) for row in samples([game], exact)] == [2, 1]


def test_a_context_that_no_prompt_fits_is_refused(trained: Trained) -> None:
    context = ChatContext(trained.context.tokenizer, ContextSettings(max_context=8))
    with pytest.raises(ValueError, match=r"with agent\.context\.max_context=8 no prompt fits; raise it, or give"):
        warm_start(trained.model, context, trained.episodes, SETTINGS, seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": -1}, "steps is a finite number in"),
        ({"games": 0}, "games is a finite number in"),
        ({"batch": 0}, "batch is a finite number in"),
        ({"learning_rate": 0.0}, "learning_rate is a finite number in"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SFT(**settings)


def test_an_unknown_teacher_is_refused() -> None:
    with pytest.raises(ValueError, match="scripted agents are"):
        scripted_games(SFT(teacher="randon"), [(KUHN, COMPACT)], 0)
