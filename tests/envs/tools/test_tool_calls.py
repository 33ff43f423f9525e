"""What a reply asks of the tools."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.tools.calls import (
    BadCall,
    Call,
    fenced_blocks,
    read_answer,
    read_calls,
    write_answer,
    write_call,
)
from turnwise.envs.tools.tool import tool


def search(query: str) -> str:
    """Find."""
    return query


def python(code: str) -> str:
    """Run."""
    return code


def multiply(a: int, b: int) -> str:
    """Multiply."""
    return str(a * b)


TOOLS = {made.name: made for made in map(tool, (search, python, multiply))}
PRODUCT = Call("multiply", {"a": 2, "b": 3})


@pytest.mark.parametrize(
    ("reply", "calls"),
    [
        ('<tool_call>\n{"name": "multiply", "arguments": {"a": 2, "b": 3}}\n</tool_call>', [PRODUCT]),
        ('<tool_call>{"name": "multiply", "arguments": "{\\"a\\": 2, \\"b\\": 3}"}</tool_call>', [PRODUCT]),
        ('{"name": "multiply", "parameters": {"a": 2, "b": 3}}', [PRODUCT]),
        ('{"tool_calls": [{"function": {"name": "multiply", "arguments": "{\\"a\\": 2, \\"b\\": 3}"}}]}', [PRODUCT]),
        ('[{"name": "multiply", "arguments": {"a": 2, "b": 3}}]', [PRODUCT]),
        ("<search> Ada Byron </search>", [Call("search", {"query": "Ada Byron"})]),
        (
            "<python>1</python> then <search>b</search>",
            [Call("python", {"code": "1"}), Call("search", {"query": "b"})],
        ),
        ("```python\nprint(1)\n```", [Call("python", {"code": "print(1)\n"})]),
        ("<search>a</search></think><search>b</search>", [Call("search", {"query": "b"})]),
        ("<search>never closed", []),
        ("{1, 2}", []),
        ("I am thinking.", []),
    ],
)
def test_calls(reply: str, calls: list[Call]) -> None:
    assert read_calls(reply, TOOLS, fenced="python") == calls


@pytest.mark.parametrize(
    "reply",
    [
        "<tool_call>multiply(2, 3)</tool_call>",
        '<tool_call>{"arguments": {}}</tool_call>',
        '<tool_call>{"name": 3}</tool_call>',
        '{"name": "multiply", }',
        "<tool_call>" + "[" * 100_000 + "</tool_call>",
    ],
)
def test_calls_that_cannot_be_read(reply: str) -> None:
    with pytest.raises(BadCall, match="a tool call"):
        read_calls(reply, TOOLS)


def test_fenced_blocks_are_code_only_where_the_environment_says_so() -> None:
    assert read_calls("```\nprint(1)\n```", TOOLS) == []
    assert fenced_blocks("a ```py\nx\n``` b ```\ny\n``` c ```open") == ["x\n", "y\n"]


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("<answer> 42 </answer>", "42"),
        ("<answer>1</answer> no: <answer>2</answer>", "2"),
        (r"so \boxed{\frac{1}{2}} is it", r"\frac{1}{2}"),
        (r"\boxed{1 <answer>2</answer>", "2"),
        (r"\boxed{1", None),
        ("<answer>1</answer></think> hm", None),
        ("42", None),
    ],
)
def test_answers(reply: str, answer: str | None) -> None:
    assert read_answer(reply) == answer


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_what_is_written_is_read(arguments: dict[str, str | int | None]) -> None:
    reply = write_call("multiply", arguments)
    if "</tool_call>" not in json.dumps(arguments, ensure_ascii=False) and "</think>" not in reply:
        assert read_calls(reply, TOOLS) == [Call("multiply", arguments)]
    assert read_answer(write_answer("7")) == "7"


PIECES = [*'<>/{}[]":, `\nab', "<search>", "</search>", "<tool_call>", "</tool_call>", "```", "</think>", "\\boxed{"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read_or_refused(reply: str) -> None:
    try:
        read_calls(reply, TOOLS, fenced="python")
    except BadCall as error:
        assert len(str(error)) < 200
    read_answer(reply)
