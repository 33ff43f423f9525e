"""Write the pages of the documentation that are made from the program itself.

    python docs/generate.py            write those that have changed
    python docs/generate.py --check    write nothing; exit code 1 where one has

The catalogue of environments (`docs/catalogue.md` and `docs/catalogue/`) holds prompts and games that scripted agents
play; the configuration reference (`docs/configuration.md`) is read from the YAML files and the records; the table of
code blocks in `docs/contributing_docs.md` counts them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS))

from generators import blocks, catalogue, configuration  # noqa: E402  # from the folder of this file

PAGES = {"catalogue": catalogue.pages, "configuration": configuration.pages, "blocks": blocks.pages}
"""Part -> what makes its pages: path below docs/ -> text."""


def wanted(parts: Sequence[str] = tuple(PAGES)) -> dict[str, str]:
    """Path below docs/ -> what should stand there."""
    return {path: text for part in parts for path, text in PAGES[part]().items()}


def stale(pages: dict[str, str]) -> list[str]:
    """Pages that are not as they should be, and pages of the catalogue that should not be there."""
    changed = [path for path, text in pages.items() if _read(DOCS / path) != text]
    if not any(path.startswith("catalogue/") for path in pages):
        return changed
    there = {path.relative_to(DOCS).as_posix() for path in DOCS.glob("catalogue/*.md")}
    return [*changed, *sorted(there - pages.keys())]


def main(words: Sequence[str] | None = None) -> int:
    """0, or with --check 1 where a page has to be written again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a page has changed")
    parser.add_argument("--only", choices=PAGES, action="append", help="a part; may be given several times")
    asked = parser.parse_args(words)
    pages = wanted(asked.only or tuple(PAGES))
    changed = stale(pages)
    for path in changed:
        print(f"docs/{path}")
        if not asked.check:
            _write(DOCS / path, pages.get(path))
    if asked.check and changed:
        print("write them with: python docs/generate.py", file=sys.stderr)
    return int(asked.check and bool(changed))


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
