"""What TwentyQuestions knows: objects, and of every one which attributes it has. The table is `knowledge.txt`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("knowledge.txt")


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something that is true of an object, or not."""

    name: str
    predicate: str
    """What is said of an object that has it; begins with is, has or can."""
    phrases: tuple[str, ...]
    """Further words that ask for it."""
    opposites: tuple[str, ...]
    """Words that ask for the contrary."""

    def sentence(self, holds: bool) -> str:
        """It is an animal. / It is not an animal."""
        verb, _, rest = self.predicate.partition(" ")
        denied = {"is": "is not", "has": "does not have", "can": "cannot"}[verb]
        return f"It {verb if holds else denied} {rest}."


@dataclass(frozen=True, slots=True)
class Thing:
    """An object."""

    name: str
    aliases: tuple[str, ...]
    """Other names for it."""
    attributes: frozenset[str]
    """Names of what is true of it; all other attributes are not."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The whole table, in the order of the file."""

    attributes: tuple[Attribute, ...]
    things: tuple[Thing, ...]


@cache
def knowledge() -> Knowledge:
    """The shipped table, read once."""
    return parse(SOURCE.read_text(encoding="ascii"))


def parse(text: str) -> Knowledge:
    """The table in a text of the form of `knowledge.txt`. Raises ValueError that names the line."""
    parts = _parts(text)
    attributes = tuple(_attribute(line) for line in parts["attributes"])
    known = {attribute.name for attribute in attributes}
    classes: dict[str, frozenset[str]] = {}
    for line in parts["classes"]:
        name, _, words = line.partition(" = ")
        classes[name] = _inherited(words.split(), classes, known, line)
    return Knowledge(attributes, tuple(_thing(line, classes, known) for line in parts["objects"]))


def _parts(text: str) -> dict[str, list[str]]:
    """Lines by the heading they stand under."""
    parts: dict[str, list[str]] = {"attributes": [], "classes": [], "objects": []}
    heading = "attributes"
    for line in _lines(text):
        if line.startswith("["):
            heading = line.strip("[]")
        else:
            parts[heading].append(line)
    return parts


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def _attribute(line: str) -> Attribute:
    name, predicate, words = (part.strip() for part in line.split("|"))
    phrases = [phrase.strip() for phrase in words.split(",") if phrase.strip()]
    asked = tuple(phrase for phrase in phrases if not phrase.startswith("!"))
    return Attribute(name, predicate, asked, tuple(phrase[1:] for phrase in phrases if phrase.startswith("!")))


def _thing(line: str, classes: dict[str, frozenset[str]], known: Iterable[str]) -> Thing:
    names, _, words = line.partition(" = ")
    name, *aliases = names.split("/")
    return Thing(name, tuple(aliases), _inherited(words.split(), classes, known, line))


def _inherited(words: list[str], classes: dict[str, frozenset[str]], known: Iterable[str], line: str) -> frozenset[str]:
    """What classes give and words add, less what a minus takes away. Raises ValueError on an unknown word."""
    found: set[str] = set()
    for word in words:
        if word.startswith("@") and word[1:] in classes:
            found |= classes[word[1:]]
        elif word in known:
            found.add(word)
        elif not (word.startswith("-") and word[1:] in known):
            raise ValueError(f"a line names known classes and attributes: got {word!r} in {line!r}")
    return frozenset(found - {word[1:] for word in words if word.startswith("-")})
