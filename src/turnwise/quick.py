"""`quick`: frozen dataclasses made in a third of the time. A rollout makes a handful of them per turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Record = TypeVar("_Record")


def quick(record: Callable[_Given, _Record]) -> Callable[_Given, _Record]:
    """A function that makes the records of a frozen dataclass with slots, checked as by calling the class itself.

    The `__init__` that dataclasses write goes around the class's refusal to be changed, attribute by attribute. Here an
    object of an open class with the same slots is filled, and then handed over to the frozen one. Raises TypeError
    where `record` is no such class, or has fields that are not given.
    """
    fields = dataclasses.fields(record)  # type: ignore[arg-type]
    names = tuple(field.name for field in fields)
    if getattr(record, "__slots__", None) != names or not all(field.init for field in fields):
        raise TypeError(f"quick needs a dataclass with slots, all of whose fields are given: got {record}")
    known: dict[str, Any] = {"new": object.__new__, "Open": type("Open", (), {"__slots__": names}), "Record": record}
    head, body = [], ["made = new(Open)"]
    for field in fields:
        taken = value = field.name
        if field.default is not dataclasses.MISSING:
            known[f"default_{field.name}"] = field.default
            taken += f"=default_{field.name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"make_{field.name}"] = field.default_factory
            taken += f"=make_{field.name}"
            value = f"make_{field.name}() if {field.name} is make_{field.name} else {field.name}"
        if field.kw_only and "*" not in head:
            head.append("*")
        head.append(taken)
        body.append(f"made.{field.name} = {value}")
    body.append("made.__class__ = Record")
    if hasattr(record, "__post_init__"):
        body.append("made.__post_init__()")
    exec("\n    ".join([f"def make({', '.join(head)}):", *body, "return made"]), known)
    make: Callable[_Given, _Record] = known["make"]
    return make
