"""The pages that are made from the program are those that are there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import generate  # noqa: E402
from generators import blocks, catalogue, configuration  # noqa: E402

QUICK = (
    "alfworld",
    "bandits",
    "credit",
    "kitchen",
    "minigrid",
    "openspiel",
    "puzzles",
    "python",
    "search",
    "talk",
    "words",
)
SLOW = ("bridges", "textworld", "tools")
"""Families whose packages take seconds to load."""
WRITE = "write it with: python docs/generate.py"


@pytest.mark.parametrize("family", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_the_catalogue_is_that_of_the_games(family: str) -> None:
    assert (ROOT / f"docs/catalogue/{family}.md").read_text() == catalogue.page(family), WRITE


def test_the_index_of_the_catalogue() -> None:
    assert (ROOT / "docs/catalogue.md").read_text() == catalogue.index(), WRITE
    assert {path.stem for path in ROOT.glob("docs/catalogue/*.md")} == set(catalogue.families()) == {*QUICK, *SLOW}


def test_the_configuration_is_that_of_the_records() -> None:
    assert (ROOT / "docs/configuration.md").read_text() == configuration.pages()["configuration.md"], WRITE


def test_a_setting_as_a_row() -> None:
    text = "a:\n  b: 1.5          # seconds | of wait\n                  # and more\n  c: x\n  d: {}  # none\n"
    assert [tuple(row) for row in configuration.rows_of(text)] == [
        ("a.b", "1.5", "seconds | of wait and more"),
        ("a.d", "{}", "none"),
    ]


def test_blocks_and_their_reasons() -> None:
    text = "<!-- not run: minutes -->\n```bash\na\n```\n\n```python\nb\n```\n"
    assert blocks.blocks_of(text) == [blocks.Block("bash", "a\n", "minutes"), blocks.Block("python", "b\n")]


def test_a_page_that_has_changed_is_found_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "DOCS", tmp_path)
    monkeypatch.setattr(generate, "PAGES", {"configuration": lambda: {"a.md": "new", "catalogue/b.md": "b"}})
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue/old.md").touch()
    assert generate.main(["--check"]) == 1
    assert not (tmp_path / "a.md").exists()
    assert generate.main([]) == 0
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*.md"))] == [
        "a.md",
        "catalogue/b.md",
    ]
    assert generate.main(["--check"]) == 0
