"""What a chat template writes around messages, and how a text is encoded: both without their slow wrappers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from turnwise.records import ROLES

_MARK = "\u2063turnwise\u2063"
_PROBES = ("", " ", "one", " one  two\n", "\n\n\tdrei \u2660 \u00e9e\u0301 \u4e00\n", "[bet] 12345 O'Neill's x7")
Said = Sequence[tuple[str, str]]
"""(role, content) of each message."""


class Frame(NamedTuple):
    """A template that writes every message alike wherever it stands, taken apart: all but the contents is constant."""

    start: str
    around: Mapping[str, tuple[str, str]]
    """Role -> what stands before and after the content."""
    opening: str
    """What opens the assistant's next message."""

    def text(self, said: Said, generate: bool) -> str:
        """What the template renders."""
        parts = [self.start]
        for role, content in said:
            before, after = self.around[role]
            parts += (before, content, after)
        if generate:
            parts.append(self.opening)
        return "".join(parts)


def frame_of(render: Callable[[Said, bool], str]) -> Frame:
    """The frame of a template that is known to write every message alike, out of what it renders."""
    start, around = "", {}
    for role in ROLES:
        first, between, after = render([(role, _MARK), (role, _MARK)], False).split(_MARK)
        before = between.removeprefix(after)
        start, around[role] = first.removesuffix(before), (before, after)
    plain = render([("user", _MARK)], False)
    return Frame(start, around, render([("user", _MARK)], True).removeprefix(plain))


def encoder(tokenizer: Any) -> Callable[[str], Sequence[int]]:
    """`tokenizer.encode(text, add_special_tokens=False)`, by its backend alone where that gives the same ids.

    transformers' wrapper takes longer than the encoding of a short text. Whether the backend agrees is tried out here.
    """

    def slow(text: str) -> Sequence[int]:
        ids: Sequence[int] = tokenizer.encode(text, add_special_tokens=False)
        return ids

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return slow
    splits = bool(getattr(tokenizer, "split_special_tokens", False))

    def fast(text: str) -> Sequence[int]:
        if backend.truncation is not None or backend.padding is not None or backend.encode_special_tokens != splits:
            return slow(text)  # somebody has set the shared backend up for a call of their own
        ids: Sequence[int] = backend.encode(text, add_special_tokens=False).ids
        return ids

    specials = "".join(token.content for token in tokenizer.added_tokens_decoder.values())
    return fast if all(slow(probe) == fast(probe) for probe in (*_PROBES, specials)) else slow
