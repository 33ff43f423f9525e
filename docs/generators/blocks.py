"""The code blocks of the pages, and the table in docs/contributing.md that says how many of them run as printed.

Every ```python and ```bash block runs in CI as it is printed. One that cannot has a comment right above it,
`<!-- not run: REASON -->`; its commands are tried with small sizes, or their words are looked at.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]*?) -->\n+)?(?:^<!-- file: (?P<file>[^\n]*?) -->\n+)?"
    r"^```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
TABLE = re.compile(r"(?<=<!-- blocks: table -->\n).*?(?=<!-- end -->)", re.S)


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str
    reason: str | None = None
    """Why it does not run as it is printed; None where it does."""
    file: str | None = None
    """Where the text says that it is saved."""


def blocks_of(text: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    return [Block(found["language"], found["text"], found["reason"], found["file"]) for found in BLOCK.finditer(text)]


def shown_pages() -> list[Path]:
    """Every page that people read, README.md first."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def pages() -> dict[str, str]:
    """Path below docs/ -> text: contributing.md with its table as it should be."""
    name = "contributing.md"
    text = (DOCS / name).read_text(encoding="utf-8")
    return {name: TABLE.sub(lambda _: f"\n{table()}\n", text)}


def table() -> str:
    """A row for every page that has blocks."""
    rows = ["| page | blocks | run as printed | not, and why |", "|---|---:|---:|---|"]
    for path in shown_pages():
        blocks = blocks_of(path.read_text(encoding="utf-8"))
        reasons = sorted({block.reason for block in blocks if block.reason})
        run = sum(block.reason is None for block in blocks)
        if blocks:
            name = path.relative_to(ROOT).as_posix()
            rows.append(f"| `{name}` | {len(blocks)} | {run / len(blocks):.0%} | {'; '.join(reasons)} |")
    return "\n".join(rows)
