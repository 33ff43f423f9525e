"""From token ids to the text of each, by the tokenizer file of a run's checkpoint. No code of a model is run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from turnwise.algorithms.recording.folder import FOLDER

TORN = "\ufffd"
"""What stands for a part of a character."""
_LONGEST = 6
"""Most tokens that one character is made of."""


class Words:
    """The tokens of one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def text(self, ids: Sequence[int], *, special: bool = False) -> str:
        """What the ids spell, with or without the names of special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=not special))

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The text of every token; where several make one character, it stands at the last of them."""
        found: list[str] = []
        before: list[int] = []
        waiting: list[int] = []
        for token in ids:
            waiting.append(token)
            text = self._after(before, waiting)
            if text.endswith(TORN) and len(waiting) < _LONGEST:
                found.append(TORN)
                continue
            found.append(text if TORN not in text else self.text([token], special=True))
            before, waiting = waiting, []
        return found

    def _after(self, before: list[int], ids: list[int]) -> str:
        """What the ids add behind others: some tokenizers drop the blank that a first token begins with."""
        start, whole = self.text(before, special=True), self.text([*before, *ids], special=True)
        return whole[len(start) :] if before and whole.startswith(start) else self.text(ids, special=True)


def words_of(place: Path) -> Words | None:
    """Those of the run at a place (its folder, or a file of its episodes); None where no tokenizer is saved there."""
    run = place if place.is_dir() else place.parent.parent if place.parent.name == FOLDER else place.parent
    files = sorted((run / "checkpoints").glob("step-*/model/tokenizer.json"))
    return _load(files[-1], files[-1].stat().st_mtime_ns) if files else None


@lru_cache(maxsize=8)
def _load(path: Path, changed: int) -> Words | None:
    """changed: time of the last change, in ns: another file gets another answer."""
    from tokenizers import Tokenizer

    try:
        return Words(Tokenizer.from_file(str(path)))
    except Exception as error:  # the library raises plain Exception on a file that it cannot read
        if type(error) is not Exception:
            raise
        return None
