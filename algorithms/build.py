"""Frozen records from plain mappings: unknown keys and ill-typed values are refused by their full name."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from turnwise.near import near

Record = TypeVar("Record")


class SettingsError(ValueError):
    """A setting is unknown, ill-typed or impossible."""


def build(record: type[Record], values: Any, path: str) -> Record:
    """A `record` whose fields are `values`; nested records are built alike. `path` names the place in messages.

    Raises SettingsError, naming the key in full and the nearest valid one.
    """
    if not isinstance(values, Mapping):
        raise SettingsError(f"{path} is a group of settings: got {values!r}")
    fields = {field.name: field for field in dataclasses.fields(record)}  # type: ignore[arg-type]  # records are dataclasses
    hints = _hints(record)  # type: ignore[arg-type]  # mypy takes a dataclass for not hashable
    for key in values:
        if key not in fields:
            raise SettingsError(f"there is no setting {_join(path, key)}; {nearest(str(key), fields)}")
    built = {key: _convert(hints[key], value, _join(path, key)) for key, value in values.items()}
    try:
        return record(**built)
    except TypeError as error:
        raise SettingsError(f"{path or 'the configuration'} is not complete: {error}") from None
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"{path}: {error}" if path else str(error)) from None


@functools.cache
def _hints(record: type[Any]) -> dict[str, Any]:
    """Of a record's fields: reading them takes as long as all the rest."""
    return typing.get_type_hints(record)


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """A hint: the nearest known word, or what is known, as far as a person would read it."""
    return near(word, sorted(known), told=True).removeprefix("; ")


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def _convert(hint: Any, value: Any, path: str) -> Any:
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    kinds = [option for option in options if option is not type(None)]
    for kind in kinds:
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            return build(kind, value, path)
        origin = typing.get_origin(kind) or kind
        if origin is tuple and isinstance(value, (list, tuple)):
            (inner, *_) = typing.get_args(kind)
            return tuple(_convert(inner, item, f"{path}[{index}]") for index, item in enumerate(value))
        if origin in (dict, Mapping) and isinstance(value, Mapping):
            return dict(value)
        if kind is Any or (kind is float and type(value) in (int, float)) or type(value) is kind:
            return float(value) if kind is float else value
    names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    raise SettingsError(f"{path} is of type {names}: got {value!r}")
