"""Schemas of functions, and arguments checked against them."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwise.envs.tools.schema import BadArguments, check_arguments, function_schema, sample_arguments, type_schema


def search(query: str, count: int = 3, order: Literal["best", "newest"] = "best") -> str:
    """Find passages
    of the collection.

    More that an agent need not read.

    Args:
        query: What to look for.
        count: How many.
    """
    return f"{query} {count} {order}"


PARAMETERS = {
    "type": "object",
    "properties": {
        "query": {"type": "string", "description": "What to look for."},
        "count": {"type": "integer", "description": "How many.", "default": 3},
        "order": {"enum": ["best", "newest"], "default": "best"},
    },
    "required": ["query"],
    "additionalProperties": False,
}


def test_a_schema_is_read_from_signature_and_docstring() -> None:
    assert function_schema(search) == {
        "type": "function",
        "function": {"name": "search", "description": "Find passages of the collection.", "parameters": PARAMETERS},
    }
    assert function_schema(search, name="find", skip=1)["function"]["name"] == "find"
    assert list(function_schema(search, skip=1)["function"]["parameters"]["properties"]) == ["count", "order"]


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (bool, {"type": "boolean"}),
    ],
)
def test_types(kind: Any, schema: dict[str, Any]) -> None:
    assert type_schema(kind) == schema


def test_what_has_no_json_type_is_refused() -> None:
    with pytest.raises(TypeError, match="a tool takes str, int"):
        type_schema(complex)
    with pytest.raises(TypeError, match=r"parameter 'x' of the tool .* needs a type annotation"):
        function_schema(lambda x: x)
    with pytest.raises(TypeError, match="a tool names its parameters"):
        function_schema(print)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "the argument 'query' is missing"),
        ({"query": 3}, "the argument 'query' is of type string: got 3"),
        ({"query": "x", "count": True}, "the argument 'count' is of type integer: got True"),
        ({"query": "x", "count": 1.5}, "the argument 'count' is of type integer: got 1.5"),
        ({"query": "x", "order": "oldest"}, "one of ['best', 'newest']: got 'oldest'"),
        ({"query": "x", "limit": 3}, "there is no argument 'limit'; it takes query, count, order"),
        (["x"], "arguments are a JSON object: got ['x']"),
    ],
)
def test_arguments_that_do_not_fit(arguments: Any, message: str) -> None:
    with pytest.raises(BadArguments, match=re.escape(message)):
        check_arguments(PARAMETERS, arguments)


def test_a_long_wrong_value_is_not_repeated() -> None:
    with pytest.raises(BadArguments) as caught:
        check_arguments(PARAMETERS, {"query": ["x" * 100_000]})
    assert len(str(caught.value)) < 300


def test_items_and_alternatives_are_checked() -> None:
    schema = {"properties": {"xs": type_schema(list[int]), "name": type_schema(str | None)}}
    assert check_arguments(schema, {"xs": [1, 2], "name": None}) == {"xs": [1, 2], "name": None}
    with pytest.raises(BadArguments, match="'xs' is of type integer: got 'a'"):
        check_arguments(schema, {"xs": [1, "a"]})
    with pytest.raises(BadArguments, match="'name' cannot be 3"):
        check_arguments(schema, {"name": 3})


@given(st.integers(0, 2**32))
def test_sampled_arguments_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    everything = function_schema(_everything)["function"]["parameters"]
    arguments = sample_arguments(everything, rng)
    assert check_arguments(everything, arguments) == arguments
    assert arguments.keys() == everything["properties"].keys()


def _everything(
    a: str, b: int, c: float, d: bool, e: list[int], f: dict[str, int], g: Literal["x", 3], h: int | None
) -> str:
    return ""
