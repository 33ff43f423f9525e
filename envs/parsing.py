"""From the text of a reply to the action it names, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

# The innermost brackets win (`\boxed{[bet]}` names bet); a blank pair, such as an empty cell of a board, names nothing.
_NAMED = re.compile(r"\\boxed\{([^{}\[\]]*)\}|\[([^\[\]]*)\]")
_END_OF_THOUGHT = "</think>"
_SHORT = 200
"""Characters of a reply whose reading is remembered: tiny models say the same things over and over."""


def read_action(reply: str, legal: Sequence[str] | None) -> str | None:
    r"""The action that a reply names, or None where none can be read.

    Only the text after the last `</think>` counts. The last `\boxed{...}` or `[...]` wins; a reply without any may be
    a bare legal name. What equals a legal name but for case and blanks becomes that name; anything else comes back
    as it was written, for the game to refuse. With `legal` None (free text) the whole stripped reply is the action.
    """
    if legal is None:
        return after_thought(reply).strip() or None
    named, bare = _of_short(reply) if len(reply) <= _SHORT else _named(reply)
    if named is not None:
        return named if named in legal else _legal_name(named, legal) or named
    return bare if bare in legal else _legal_name(bare, legal)


def _named(reply: str) -> tuple[str | None, str]:
    """What the brackets of a reply name last, and the reply itself, without its thoughts and the blanks around it."""
    text, named = after_thought(reply), None
    for boxed, bracketed in _NAMED.findall(text):
        named = (boxed or bracketed).strip() or named
    return named, text.strip()


_of_short = lru_cache(maxsize=1_024)(_named)


def after_thought(reply: str) -> str:
    """The text after the last `</think>`."""
    return reply.rpartition(_END_OF_THOUGHT)[2] if _END_OF_THOUGHT in reply else reply


def write_action(action: str, legal: Sequence[str] | None) -> str:
    """A reply that `read_action` reads as this action: `[action]`, or the text itself where the action is free text."""
    return action if legal is None else f"[{action}]"


def _legal_name(text: str, legal: Sequence[str]) -> str | None:
    """The one legal name that equals the text but for case and blanks; None where there is none, or more than one."""
    key = _key(text)
    found = [name for name in legal if _key(name) == key]
    return found[0] if len(found) == 1 else None


def _key(text: str) -> str:
    return "".join(text.split()).casefold()
