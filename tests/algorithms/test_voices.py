"""Replies and their masses: pairs scored one by one, listed replies, sampled forms against known probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from turnwise.agents.context import ChatContext, ContextSettings
from turnwise.agents.engine import Completion
from turnwise.agents.tiny import TinyModel, build_model, build_tokenizer
from turnwise.algorithms.evaluation.exact_policy import Opinion
from turnwise.algorithms.evaluation.scorer import model_scorer
from turnwise.algorithms.evaluation.voices import LeadIns, Sampled, Scene, action_blank

REPLY_TOKENS = 24


@pytest.fixture(scope="module")
def context() -> ChatContext:
    words = "Jack Queen King [check] [bet] [call] [fold] [raise] card history none or so and on I said well"
    return ChatContext(build_tokenizer([words] * 3, 400), ContextSettings())


def test_scorer_gives_each_pair_its_own_logprob(context: ChatContext) -> None:
    model = build_model(TinyModel(), context.tokenizer, 0)
    prompts = [context.encode(text) for text in ("card Jack history none", "card King history check bet")]
    replies = [context.encode_reply(text) for text in ("King [bet]", "[fold]", "Jack [call] or so")]
    pairs = [(prompt, reply) for reply in replies for prompt in prompts] + [(prompts[1], replies[0])]
    pairs.append((prompts[0] + replies[1][:1], replies[1][1:]))  # the same tokens as another pair, split elsewhere
    got = model_scorer(model, temperature=0.7, pad_id=0, batch_tokens=40)(pairs)
    for (prompt, reply), logprob in zip(pairs, got, strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([prompt + reply])).logits[0]
        each = torch.log_softmax(logits[len(prompt) - 1 : -1] / 0.7, dim=-1)
        assert logprob == pytest.approx(float(each.gather(1, torch.tensor(reply)[:, None]).sum()), abs=1e-4)


def test_a_reply_over_the_limit_has_no_mass(context: ChatContext) -> None:
    longest = len(context.encode_reply("Queen [bet]"))
    voice = LeadIns(lambda pairs: [-1.0] * len(pairs), context, ("Queen ", "Queen and so on "), max_tokens=longest)
    (heard,) = voice([Scene((1, 2), ("bet",), (0, 0))])
    assert [(utterance.action, context.decode(utterance.ids)) for utterance in heard] == [(0, "Queen [bet]")]


@pytest.mark.parametrize(
    ("text", "action", "names", "blank"),
    [
        ("I hold a Jack. [bet]", "bet", ("check", "bet"), ("I hold a Jack. [", "]")),
        (r"so \boxed{bet}.", "bet", ("check", "bet"), (r"so \boxed{", "}.")),
        ("[check] no: [ bet ] then", "bet", ("check", "bet"), ("[check] no: [ ", " ] then")),
        ("bet", "bet", ("check", "bet"), ("", "")),
        ("[BET]", "bet", ("check", "bet"), None),
        ("[3]", "3", ("2", "3"), ("[", "]")),
    ],
)
def test_the_blank_of_a_reply(text: str, action: str, names: tuple[str, ...], blank: tuple[str, str] | None) -> None:
    assert action_blank(text, action, names) == blank


TALK = {
    "Jack [check]": 0.10,
    "Jack [bet]": 0.30,
    "[check] I said": 0.05,
    "[bet] I said": 0.15,
    "[BET]": 0.05,
    "check": 0.10,
    "bet": 0.05,
    "[raise]": 0.15,
    "well": 0.05,
}
"""Replies of a talker in Kuhn poker: bets .55 and checks .25 of the time, and is not understood .20 of the time."""


def test_sampled_forms_by_a_talker(context: ChatContext) -> None:
    texts, masses = list(TALK), np.array(list(TALK.values()))

    def generate(prompts: Sequence[tuple[int, ...]], seeds: Sequence[int]) -> list[Completion]:
        chosen = [texts[np.random.default_rng(seed).choice(len(texts), p=masses)] for seed in seeds]
        return [Completion(context.encode_reply(text), (), True) for text in chosen]

    def score(pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[float]:
        return [math.log(TALK[context.decode(reply)]) for _, reply in pairs]

    voice = Sampled(generate, score, context, draws=4_000, max_tokens=REPLY_TOKENS, seed=5)
    heard = voice([Scene((1,), ("check", "bet"), (0, chain)) for chain in range(4_000)])
    shares = np.zeros((4_000, 2))
    for row, utterances in enumerate(heard):
        for utterance in utterances:
            shares[row, utterance.action] += utterance.mass
    opinion = Opinion(np.arange(4_000), np.full(4_000, 1 / 4_000), shares, "state")
    error = opinion.stderr()
    assert error is not None
    assert abs(opinion.policy()[1] - 0.55 / 0.80) < 3 * error[1]
    # Counting actions instead would err by sqrt(.6875 * .3125 / 3200).
    assert error[1] < 0.5 * math.sqrt(0.6875 * 0.3125 / 3_200)
    assert opinion.illegal_mass == pytest.approx(0.20, abs=3 * math.sqrt(0.2 * 0.8 / 4_000))
    assert voice([Scene((1,), ("check", "bet"), (0, 0))]) == heard[:1]


def test_a_cut_reply_is_not_heard(context: ChatContext) -> None:
    cut = Completion(context.encode("Jack [bet]"), (), False)
    voice = Sampled(lambda prompts, seeds: [cut], lambda pairs: [], context, draws=2, max_tokens=4, seed=0)
    assert voice([Scene((1,), ("check", "bet"), (0, 0))]) == [[]]


def test_standard_error_by_hand() -> None:
    # Three replies of four play the first action: p = 3/4, and sqrt(p (1 - p) / (4 - 1)) = sqrt(3/16 / 3) = 1/4.
    masses = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    opinion = Opinion(np.arange(4), np.full(4, 0.25), masses, "state")
    assert opinion.policy().tolist() == [0.75, 0.25]
    assert opinion.stderr() == pytest.approx([0.25, 0.25])  # type: ignore[comparison-overlap]
    assert opinion.policy(np.array([1, 2, 1, 0])).tolist() == [0.5, 0.5]


def test_one_legal_reply_has_no_standard_error() -> None:
    opinion = Opinion(np.arange(3), np.full(3, 1 / 3), np.array([[0.0, 0.0], [0.2, 0.8], [0.0, 0.0]]), "state")
    assert opinion.stderr() is None
    assert opinion.policy().tolist() == [0.2, 0.8]
    assert opinion.illegal_mass == pytest.approx(2 / 3)
