"""Commands in free text: what of a reply reaches TextWorld's interpreter."""

from __future__ import annotations

import re

from turnwise.envs.core import IllegalAction
from turnwise.envs.parsing import read_action

LONGEST_COMMAND = 100  # characters
_SHOWN = 40  # characters of a refused command that a reason repeats
_PLAIN = re.compile(r"[A-Za-z0-9' -]+")
_DICTIONARY = 9  # letters of a word that the interpreter looks at

META = (
    *("restart", "restore", "save", "quit", "q", "undo", "oops", "o", "die"),
    *("script", "transcript", "noscript", "unscript", "recording", "replay", "verify", "version"),
    *("notify", "brief", "superbrief", "verbose", "long", "short", "normal", "score", "fullscore", "full", "pronouns"),
    *("nouns", "places", "objects", "enable", "disable", "restrict", "actions", "rules", "purloin", "gonear", "test"),
    *("showme", "showverb", "showheap", "abstract", "tree", "trace", "random", "scope", "relations", "responses"),
    *("goto", "changes", "routines", "timers", "daemons", "messages", "again", "g", "yes", "y", "no"),
)
"""First words that speak to the program, not to the world: they ask yes or no, change what is printed, or undo."""
_META = frozenset(word[:_DICTIONARY] for word in META)


def read_command(reply: str) -> str:
    """The command in a free text: what stands in its last square brackets, else all of it.

    Raises IllegalAction for what would confuse or leave the game: several lines or sentences, characters that no
    command has, more than 100 of them, and words to the program such as restart or save.
    """
    text = reply if len(reply) <= LONGEST_COMMAND else read_action(reply, ()) or reply
    command = (read_action(text, ()) or text).strip()
    if len(command) > LONGEST_COMMAND:
        raise IllegalAction(f"a command has at most {LONGEST_COMMAND} characters, and this has {len(command)}")
    if not _PLAIN.fullmatch(command):
        raise IllegalAction(f"a command is one line of letters, digits, blanks, - and ': got {shown(command)}")
    words = command.lower().split()
    if words[0][:_DICTIONARY] in _META or words[0].startswith("tw-"):
        raise IllegalAction(f"{shown(words[0])} is no command of this game")
    if "then" in words:
        raise IllegalAction("one command at a time: leave out 'then'")
    return " ".join(command.split())


def shown(text: str) -> str:
    """A text that a reason repeats: its beginning, with no line breaks or control characters."""
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
