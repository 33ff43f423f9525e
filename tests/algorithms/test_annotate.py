"""What the trainer's weights write into episodes: the numbers of plain forward passes, in the right turns."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from turnwise.agents.clock import ModelClock
from turnwise.algorithms.annotate import annotate
from turnwise.algorithms.learner import Learner
from turnwise.algorithms.recipes import Critic, Magnet, Objective, Optimisation
from turnwise.records import Episode

CONTEXT: Any = SimpleNamespace(
    tokenizer=SimpleNamespace(pad_token_id=0),
    encode=lambda text: tuple(map(ord, text)),
    decode=lambda ids: "".join(map(chr, ids)),
)
ALL = frozenset({"train_logprobs", "token_entropy", "squared_probs", "reference_logprobs", "token_values"})


@pytest.fixture(scope="module")
def learner(new_model: Callable[..., Any]) -> Learner:
    found = Learner(
        new_model(),
        Optimisation(micro_batch_tokens=12),
        Objective(),
        Magnet(),
        temperature=1.0,
        clock=ModelClock(torch.device("cpu")),
        critic=Critic(kind="shared"),
        keep_reference=True,
    )
    with torch.no_grad():
        found.critic.head.weight.fill_(0.1)
        found.reference.model.embed_tokens.weight.mul_(0.5)
    return found


@pytest.fixture
def episodes(spoken: Callable[..., Episode]) -> list[Episode]:
    """A growing row of one seat beside a rewritten one of another; a crashed episode; one of somebody else's."""
    first = spoken(
        ("a", (1, 2), (3, 4)), ("b", (5,), (6, 7, 8)), ("a", (1, 2, 3, 4, 9), (10,)), ("b", (11, 12), (13, 14)), id="x"
    )
    other = spoken(("a", (1, 2), (3, 4)), id="y")
    return [
        replace(first, status="truncated", ground_truth="\x05"),
        replace(other, status="env_error", ground_truth="\x05"),
        replace(other, seats={"a": "somebody"}, ground_truth="\x05"),
    ]


def run(episodes: list[Episode], learner: Learner, wanted: frozenset[str]) -> list[Episode]:
    return annotate(episodes, learner, CONTEXT, wanted, name="policy", answer_prefix="\x06")


def test_each_turn_gets_the_numbers_of_its_own_tokens(learner: Learner, episodes: list[Episode], forward) -> None:
    first, crashed, others = run(episodes, learner, ALL)
    for turn in first.turns:
        ids = turn.prompt_ids + turn.completion_ids
        with torch.no_grad():
            table, reference = forward(learner.model, ids), forward(learner.reference, ids)
            hidden = learner.model.model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        before = range(len(turn.prompt_ids) - 1, len(ids) - 1)
        assert turn.train_logprobs == pytest.approx([float(table[i, ids[i + 1]]) for i in before], abs=1e-5)
        assert turn.reference_logprobs == pytest.approx([float(reference[i, ids[i + 1]]) for i in before], abs=1e-5)
        probs = [table[i].exp() for i in before]
        assert turn.token_entropy == pytest.approx([float(-(p * p.log()).sum()) for p in probs], abs=1e-5)
        assert turn.squared_probs == pytest.approx([float((p * p).sum()) for p in probs], abs=1e-5)
        assert turn.token_values == pytest.approx([0.1 * float(hidden[i].sum()) for i in before], abs=1e-4)
        assert turn.value == turn.token_values[0]
    assert (crashed, others) == tuple(episodes[1:])


def test_the_value_of_the_end_is_read_after_the_seats_last_token(learner: Learner, episodes: list[Episode]) -> None:
    first, *_ = run(episodes, learner, frozenset({"values"}))
    assert first.end_values is not None and first.end_values.keys() == {"a", "b"}
    for seat, place in (("a", 2), ("b", 3)):
        turn = first.turns[place]
        ids = turn.prompt_ids + turn.completion_ids
        with torch.no_grad():
            last = learner.model.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
        assert first.end_values[seat] == pytest.approx(0.1 * float(last.sum()), abs=1e-4)
    ended, *_ = run([replace(episodes[0], status="ok")], learner, frozenset({"values"}))
    assert ended.end_values is None


def test_of_several_rows_the_latest_one_ends_the_episode(learner: Learner, spoken: Callable[..., Episode]) -> None:
    """Whichever of them comes first in the batch."""
    for rows in (((5,), (6, 7)), ((11, 12), (13,))), (((11, 12), (13,)), ((5,), (6, 7))):
        cut = replace(spoken(*(("a", *row) for row in rows)), status="truncated")
        (found,) = run([cut], learner, frozenset({"values"}))
        prompt, reply = rows[-1]
        with torch.no_grad():
            last = learner.model.model(input_ids=torch.tensor([prompt + reply])).last_hidden_state[0, -1]
        assert found.end_values == {"a": pytest.approx(0.1 * float(last.sum()), abs=1e-4)}


def test_only_what_is_wanted_is_written(learner: Learner, episodes: list[Episode]) -> None:
    assert run(episodes, learner, frozenset()) == episodes
    first, *_ = run(episodes, learner, frozenset({"train_logprobs"}))
    assert first.turns[0].train_logprobs is not None
    assert first.turns[0].token_entropy is first.turns[0].value is first.turns[0].answer_logprob is None


def test_turns_that_were_looked_at_and_turns_that_were_not_get_one_look(
    learner: Learner, episodes: list[Episode]
) -> None:
    """Forks share turns that were looked at with turns that were not."""
    seen, *_ = run(episodes, learner, frozenset({"train_logprobs"}))
    mixed = replace(seen, turns=(seen.turns[0], *episodes[0].turns[1:]))
    again, *_ = run([mixed], learner, frozenset({"train_logprobs"}))
    for mine, first in zip(again.turns, seen.turns, strict=True):
        assert mine.train_logprobs == pytest.approx(first.train_logprobs, abs=1e-6)


def test_the_answer_is_scored_behind_each_prompt(learner: Learner, episodes: list[Episode], forward) -> None:
    first, crashed, _ = run(episodes, learner, frozenset({"answer_logprob"}))
    for turn in first.turns:
        with torch.no_grad():
            table = forward(learner.model, (*turn.prompt_ids, 6, 5))
        assert turn.answer_logprob == pytest.approx(float(table[len(turn.prompt_ids), 5]), abs=1e-5)
    assert crashed.turns[0].answer_logprob is None
    with pytest.raises(ValueError, match=r"'x' of Game has no ground truth"):
        run([replace(episodes[0], ground_truth=None)], learner, frozenset({"answer_logprob"}))
