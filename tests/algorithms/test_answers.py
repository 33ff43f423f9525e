"""Answers scored in one pass that shares the transcript give what one pass per prompt gives."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from turnwise.algorithms.answers import Question, answer_logprobs, spelled

Forward = Callable[..., torch.Tensor]
PREFIX, ANSWER = (5, 6), (7, 8, 9)
GROWING = ((1, 2, 3), (1, 2, 3, 4, 4), (1, 2, 3, 4, 4, 10, 11, 12))


def alone(model: Any, forward: Forward, prompt: tuple[int, ...]) -> float:
    """Mean log p of the answer by the plain forward pass over prompt, prefix and answer."""
    table = forward(model, prompt + PREFIX + ANSWER)
    start = len(prompt) + len(PREFIX)
    return float(sum(table[start - 1 + i, token] for i, token in enumerate(ANSWER)) / len(ANSWER))


@pytest.mark.parametrize(
    "prompts",
    [
        GROWING,
        ((1, 2), (3, 4, 5, 6), (3, 4, 5, 6, 7)),  # rewritten once, then growing
        ((9,),),
        ((1, 2, 3), (1, 2, 3)),
        (),
    ],
)
def test_each_prompt_is_scored_as_if_it_stood_alone(prompts: tuple, new_model: Callable[..., Any], forward) -> None:
    model = new_model()
    questions = [Question(prompts, PREFIX, ANSWER), Question(GROWING, PREFIX, ANSWER)]
    found = answer_logprobs(model, questions, temperature=1.0, pad_id=0)
    for scores, question in zip(found, questions, strict=True):
        assert scores == pytest.approx([alone(model, forward, prompt) for prompt in question.prompts], abs=1e-5)


def test_a_temperature_flattens(new_model: Callable[..., Any]) -> None:
    question = Question(((1, 2, 3),), PREFIX, (7,))
    (sharp,), (flat,) = (answer_logprobs(new_model(), [question], temperature=t, pad_id=0)[0] for t in (1.0, 1e6))
    assert flat == pytest.approx(-torch.log(torch.tensor(24.0)).item(), abs=1e-4) != sharp


@pytest.mark.parametrize(
    "question", [Question(((),), PREFIX, ANSWER), Question(((1,),), (), ANSWER), Question(((1,),), PREFIX, ())]
)
def test_empty_parts_are_refused(question: Question, new_model: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="at least one token each"):
        answer_logprobs(new_model(), [question], temperature=1.0, pad_id=0)


def test_an_answer_is_spelled_as_in_a_reply() -> None:
    # A tokenizer that makes one token of " hall]": the answer alone, "hall", would be another one.
    words = {"[answer": 1, " hall]": 2, "[": 3, "answer hall]": 4}
    texts = {number: word for word, number in words.items()}

    def encode(text: str) -> tuple[int, ...]:
        return {"[answer hall]": (1, 2), "[x hall]": (3, 4)}[text]

    def decode(ids: tuple[int, ...]) -> str:
        return "".join(texts[number] for number in ids)

    assert spelled(encode, decode, "[answer ", "hall", "]") == ((1,), (2,))
    with pytest.raises(ValueError, match="choose a longer algorithm"):
        spelled(lambda text: (2,), decode, " ", "hall", "]")


def test_characters_as_tokens_part_where_the_answer_begins_and_ends() -> None:
    parts = spelled(lambda text: tuple(map(ord, text)), lambda ids: "".join(map(chr, ids)), "<a>", "42", "</a>")
    assert parts == (tuple(map(ord, "<a>")), tuple(map(ord, "42")))
