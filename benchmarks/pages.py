"""Generated parts of the pages in docs/: each stands between `<!-- SCRIPT: NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import re
from collections.abc import Callable


def filled(page: str, script: str, part: Callable[[str], str]) -> str:
    """The text of a page with every part of that script's made anew. part: its name -> its text, which ends a line."""
    block = re.compile(rf"(<!-- {script}: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
    return block.sub(lambda found: f"{found[1]}\n{part(found[2])}\n{found[3]}", page)


def row(*cells: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def head(*cells: str) -> list[str]:
    """The first two lines: names, and all columns but the first to the right."""
    return [row(*cells), "|---" + "|---:" * (len(cells) - 1) + "|"]
