"""JSON schemas of Python functions, and arguments checked against them."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np

_TYPES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
}
_LONGEST_ECHO = 60  # characters of a wrong value that a message repeats


class BadArguments(ValueError):
    """The arguments of a call do not fit the tool. `str(error)` is fit to be shown to an agent."""


def function_schema(function: Callable[..., Any], *, name: str | None = None, skip: int = 0) -> dict[str, Any]:
    """The schema of a function in OpenAI's form, `{"type": "function", "function": {...}}`.

    Names and types come from the signature, descriptions from the docstring: its first paragraph, and a line
    `parameter: text` of its `Args:` section for each parameter. skip: leading parameters that the agent does not give.
    Raises TypeError for a parameter without a type that JSON has.
    """
    text, described = _docstring(function)
    hints = typing.get_type_hints(function)
    properties: dict[str, Any] = {}
    required = []
    for parameter in list(inspect.signature(function).parameters.values())[skip:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"a tool names its parameters: {function.__name__} takes {parameter}")
        if parameter.name not in hints:
            raise TypeError(f"parameter {parameter.name!r} of the tool {function.__name__} needs a type annotation")
        schema = type_schema(hints[parameter.name])
        if parameter.name in described:
            schema["description"] = described[parameter.name]
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        else:
            schema["default"] = parameter.default
        properties[parameter.name] = schema
    parameters = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name or function.__name__, "description": text, "parameters": parameters},
    }


def type_schema(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type: str, int, float, bool, list[T], dict[str, T], Literal, T | None. Raises TypeError."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [type_schema(part) for part in inner]}
    if kind is type(None):
        return {"type": "null"}
    if origin is list and inner:
        return {"type": "array", "items": type_schema(inner[0])}
    if origin is dict and inner:
        return {"type": "object", "additionalProperties": type_schema(inner[1])}
    if kind in _TYPES:
        return {"type": _TYPES[kind]}
    raise TypeError(f"a tool takes str, int, float, bool, list, dict, Literal and | of them: got {kind!r}")


def check_arguments(parameters: Mapping[str, Any], arguments: Any) -> dict[str, Any]:
    """The arguments, if they fit the schema of the parameters. Raises BadArguments, naming the first that does not."""
    if not isinstance(arguments, Mapping):
        raise BadArguments(f"arguments are a JSON object: got {_echo(arguments)}")
    known: Mapping[str, Any] = parameters.get("properties", {})
    for name in parameters.get("required", ()):
        if name not in arguments:
            raise BadArguments(f"the argument {name!r} is missing; it takes {', '.join(known) or 'none'}")
    for name, value in arguments.items():
        if name in known:
            _check(known[name], value, str(name))
        elif parameters.get("additionalProperties", True) is False:
            raise BadArguments(f"there is no argument {_echo(name)}; it takes {', '.join(known) or 'none'}")
    return dict(arguments)


def sample_arguments(parameters: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Arguments that fit the schema, drawn at random: for random play."""
    known: Mapping[str, Any] = parameters.get("properties", {})
    return {name: _sample(known[name], rng) for name in parameters.get("required", ())}


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """(first paragraph in one line, parameter -> its line of the section `Args:`)."""
    text = inspect.getdoc(function) or ""
    head, _, section = text.partition("Args:")
    described = {}
    for line in section.splitlines():
        name, colon, meaning = line.strip().partition(":")
        if colon and name.isidentifier():
            described[name] = meaning.strip()
    return " ".join(head.split("\n\n")[0].split()), described


def _check(schema: Mapping[str, Any], value: Any, name: str) -> None:
    if "anyOf" in schema:
        if not any(_fits(part, value, name) for part in schema["anyOf"]):
            raise BadArguments(f"the argument {name!r} cannot be {_echo(value)}")
    elif "enum" in schema:
        if value not in schema["enum"]:
            raise BadArguments(f"the argument {name!r} is one of {schema['enum']}: got {_echo(value)}")
    elif not _is(schema.get("type"), value):
        raise BadArguments(f"the argument {name!r} is of type {schema['type']}: got {_echo(value)}")
    elif isinstance(value, list) and "items" in schema:
        for item in value:
            _check(schema["items"], item, name)


def _fits(schema: Mapping[str, Any], value: Any, name: str) -> bool:
    try:
        _check(schema, value, name)
    except BadArguments:
        return False
    return True


def _is(kind: Any, value: Any) -> bool:
    """Whether a JSON value has this JSON type; a schema without a type takes any."""
    if isinstance(value, bool):
        return kind in ("boolean", None)
    kinds: dict[str, Any] = {name: python for python, name in _TYPES.items()}
    kinds |= {"number": (int, float), "null": type(None)}
    return kind is None or (kind in kinds and isinstance(value, kinds[kind]))


def _sample(schema: Mapping[str, Any], rng: np.random.Generator) -> Any:
    if "enum" in schema:
        return schema["enum"][int(rng.integers(len(schema["enum"])))]
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], rng)
    number = int(rng.integers(10))
    plain = {"string": f"text {number}", "integer": number, "number": float(number), "boolean": number > 4}
    return plain.get(schema.get("type", "string"), [] if schema.get("type") == "array" else {})


def _echo(value: Any) -> str:
    text = repr(value) if not isinstance(value, str) or len(value) < _LONGEST_ECHO else repr(value[:_LONGEST_ECHO])
    return text if len(text) <= 2 * _LONGEST_ECHO else text[: 2 * _LONGEST_ECHO] + "..."
