"""The parts of a shipped template, put together, are what the template renders; the backend encodes as its wrapper."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.agents.context import TEMPLATES, ChatContext, ContextSettings, shipped_template
from turnwise.agents.frame import encoder
from turnwise.agents.tiny import build_tokenizer
from turnwise.records import ROLES, Message

PIECES = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|begin_of_text|>",
    "{{ x }}",
    "{% if %}",
    "\n",
    " ",
    "\t",
)
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=5).map("".join)
talks = st.lists(st.builds(Message, st.sampled_from(ROLES), texts), min_size=1, max_size=5)


@pytest.fixture(scope="module", params=TEMPLATES)
def named(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """A shipped template's name, and a tokenizer that has its special tokens."""
    tokenizer = build_tokenizer(["one two [move]"], 320)
    if request.param == "llama3":
        headers = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
        tokenizer.add_special_tokens({"bos_token": "<|begin_of_text|>", "additional_special_tokens": headers})
    return request.param, tokenizer


@given(talk=talks, system=st.sampled_from(["", "Play well.", " \n"]), generate=st.booleans())
def test_the_parts_are_what_the_template_renders(
    named: tuple[str, Any], talk: list[Message], system: str, generate: bool
) -> None:
    name, tokenizer = named
    context = ChatContext(tokenizer, ContextSettings(system=system), name)
    assert context._frame is not None
    said = [("system", system)] if system else []
    said += [(message.role, context._content(message)) for message in talk]
    assert context.render(talk, generate=generate) == context._rendered(said, generate)


@given(texts)
def test_special_tokens_in_an_observation_are_broken_up(named: tuple[str, Any], text: str) -> None:
    name, tokenizer = named
    context = ChatContext(tokenizer, ContextSettings(), name)
    specials = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    empty = context.render([Message("user", "")], generate=True)
    shown = context.render([Message("user", text)], generate=True)
    assert {special: shown.count(special) for special in specials} == {
        special: empty.count(special) for special in specials
    }


def test_the_tokenizers_own_template_is_taken_apart_where_it_is_a_shipped_one_and_else_rendered() -> None:
    tokenizer = build_tokenizer(["one two [move]"], 320)
    assert ChatContext(tokenizer, ContextSettings())._frame is not None
    tokenizer.chat_template = shipped_template("chatml") + "{# another #}"
    assert ChatContext(tokenizer, ContextSettings())._frame is None


@given(texts)
def test_the_backend_encodes_as_its_wrapper(named: tuple[str, Any], text: str) -> None:
    _, tokenizer = named
    encode = encoder(tokenizer)
    assert encode.__name__ == "fast"
    assert list(encode(text)) == tokenizer.encode(text, add_special_tokens=False)


def test_a_backend_that_somebody_set_up_for_a_call_of_their_own_changes_nothing() -> None:
    tokenizer = build_tokenizer(["one two [move]"], 320)
    encode = encoder(tokenizer)
    whole = list(encode("one two one two"))
    tokenizer("one two one two", truncation=True, max_length=1)
    assert tokenizer.backend_tokenizer.truncation is not None
    assert list(encode("one two one two")) == whole and len(whole) > 1


def test_a_tokenizer_whose_wrapper_does_more_is_asked_itself() -> None:
    class Bare:
        """One without a backend."""

        added_tokens_decoder: ClassVar[dict[int, Any]] = {}

        def encode(self, text: str, add_special_tokens: bool) -> list[int]:
            return [len(text)]

    class Shouting(Bare):
        """One whose wrapper changes the text first."""

        def __init__(self) -> None:
            inner = build_tokenizer(["one two [move]"], 320)
            self.backend_tokenizer, self._inner = inner.backend_tokenizer, inner

        def encode(self, text: str, add_special_tokens: bool) -> list[int]:
            ids: list[int] = self._inner.encode(text.upper(), add_special_tokens=add_special_tokens)
            return ids

    assert encoder(Bare())("four") == [4]
    shouting = Shouting()
    assert encoder(shouting)("four") == shouting.encode("four", add_special_tokens=False)
