"""What the settings of a run mean: read from the comments of the YAML files, where each key has one with its unit."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from turnwise.algorithms.compose import chosen_options, compose, groups, option_text, options, train_text

WIDTH = 100
"""Characters of a line."""
OF_ONE_GAME = ("env.kwargs.", "env.id")
"""What such a key means depends on the game: only the option that is chosen knows."""


class Key(NamedTuple):
    """One setting."""

    name: str
    """In full."""
    value: str
    """As it is written."""
    meaning: str


def explanation(overrides: Sequence[str]) -> list[str]:
    """Lines: every group with its options, then the keys of those that are chosen, their values and meanings.

    Raises SettingsError as `compose` does.
    """
    config = compose(overrides, whole=False)
    chosen = chosen_options(overrides)
    lines = ["Groups, GROUP=NAME (chosen now: *):"]
    for group in groups():
        names = [f"{name}*" if name == chosen.get(group) else name for name in options(group)]
        text = f"{group:11} {' '.join(names)}"
        lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent=" " * 14, break_on_hyphens=False)
    lines += ["", "Keys, KEY=VALUE, with the values that they have now:"]
    known = meanings(chosen)
    for name, value in _leaves(config):
        lines += _line(name, value, known.get(name, ""))
    return lines


def meanings(chosen: Mapping[str, str]) -> dict[str, str]:
    """Name in full -> meaning, of every key that some file explains; the files of the chosen options come first."""
    places = [(group, name) for group in groups() for name in options(group)]
    first = [place for place in places if chosen.get(place[0]) == place[1]]
    shared = [("objective", name) for name in options("objective")]
    found = {key.name: key.meaning for place in first for key in keys_of(option_text(*place))}
    for text in (train_text(), *(option_text(*place) for place in [*shared, *places])):
        for key in keys_of(text):
            if not key.name.startswith(OF_ONE_GAME):
                found.setdefault(key.name, key.meaning)
    found.setdefault("env.kwargs.prompt", found["model.prompt"])
    return found


def keys_of(text: str) -> list[Key]:
    """The settings of a YAML file that have a comment, in their order."""
    import yaml

    lines = text.splitlines()
    marked = _marked(yaml.compose(text))
    return [Key(name, value, meaning) for name, value, line in marked if (meaning := _comment(lines, line))]


def _marked(node: Any, path: str = "") -> Iterator[tuple[str, str, int]]:
    """(full name, value as it is written, number of its line) of every key that has no keys of its own."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        name = f"{path}{key.value}"
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            yield name, "", key.start_mark.line
            yield from _marked(value, f"{name}.")
        else:
            yield name, _written(value), key.start_mark.line


def _written(node: Any) -> str:
    import yaml

    if isinstance(node, yaml.ScalarNode):
        return '""' if node.value == "" and node.style else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return "[" + ", ".join(_written(entry) for entry in node.value) + "]"
    return "{" + ", ".join(f"{key.value}: {_written(value)}" for key, value in node.value) + "}"


def _comment(lines: Sequence[str], line: int) -> str:
    """The comment behind a key, and its further lines."""
    _, _, said = lines[line].partition(" #")
    found = [said.strip()] if said else []
    for later in lines[line + 1 :]:
        if not (found and later.strip().startswith("#") and later.index("#") > lines[line].index(" #") - 8):
            break
        found.append(later.strip().removeprefix("#").strip())
    return " ".join(found)


def _leaves(place: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in place.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value if isinstance(value, str) else json.dumps(value)


def _line(name: str, value: str, meaning: str) -> list[str]:
    """Name and value; the meaning behind them, or below where there is no room."""
    head = f"  {name}={value}"
    if not meaning:
        return [head]
    column = 44
    wrapped = textwrap.wrap(meaning, WIDTH - column, break_on_hyphens=False, break_long_words=False)
    if len(head) < column:
        return [f"{head:{column}}{wrapped[0]}", *(" " * column + text for text in wrapped[1:])]
    return [head, *(" " * column + text for text in wrapped)]
