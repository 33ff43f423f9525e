"""The documentation as a site: every page has its place, it builds without a warning, and it needs no network."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
ELSEWHERE = re.compile(r"""(?:<(?:script|img|iframe)\b[^>]*?\bsrc|<link\b[^>]*?\bhref)=["']?(?:https?:)?//""")
"""What a browser fetches from another server."""


class Loader(yaml.SafeLoader):
    """Of mkdocs.yml, whose calls of Python are left alone."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def in_nav(node: object) -> list[str]:
    """The pages below a part of `nav`."""
    if isinstance(node, str):
        return [node]
    children = node.values() if isinstance(node, dict) else node
    return [page for child in children for page in in_nav(child)]  # type: ignore[union-attr]


def pages() -> set[str]:
    return {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}


def test_every_page_is_in_the_navigation_once() -> None:
    found = in_nav(yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)["nav"])
    assert sorted(found) == sorted(pages())


def test_every_page_is_linked_from_the_index() -> None:
    text = (DOCS / "index.md").read_text()
    assert {page for page in pages() if "/" not in page and page != "index.md"} <= set(
        re.findall(r"\]\((\w+\.md)\)", text)
    )


def test_lists_have_a_blank_line_before_them() -> None:
    """GitHub shows a list that follows a line of text, the site does not."""
    wrong = []
    for page in sorted(DOCS.rglob("*.md")):
        if page.parent.name == "catalogue":
            continue
        lines = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S).splitlines()
        for before, line in itertools.pairwise(lines):
            if (
                re.match(r"(?:[-*]|\d+\.) ", line)
                and before.strip()
                and not re.match(r"(?:[-*]|\d+\.) |  |\s*<!--", before)
            ):
                wrong.append(f"{page.name}: {line}")
    assert wrong == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_it_builds_and_holds_every_page(site: Path) -> None:
    assert {page.removesuffix(".md") for page in pages()} <= {
        path.relative_to(site).as_posix().removesuffix(".html") for path in site.rglob("*.html")
    }


def test_it_asks_no_other_server(site: Path) -> None:
    found = {
        f"{path.relative_to(site)}: {match}"
        for path in site.rglob("*.html")
        for match in ELSEWHERE.findall(path.read_text())
    }
    assert found == set()
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert re.findall(r"url\((?:https?:)?//|@import", styles) == []


def test_links_inside_the_site_lead_somewhere(site: Path) -> None:
    """In the HTML, where what the hook rewrote has to be right as well."""
    texts = {path: path.read_text() for path in site.rglob("*.html")}
    names = {path: set(re.findall(r"""\bid="?([^"\s>]+)""", text)) for path, text in texts.items()}
    broken = []
    for path, text in texts.items():
        body = text[text.find("<article") : text.find("</article")]
        for target in re.findall(r"""<a\b[^>]*?\bhref="?([^"\s>]+)""", body):
            place, _, anchor = unquote(target).partition("#")
            if re.match(r"\w+:", place):
                continue
            there = (path.parent / place).resolve() if place else path
            if not there.exists() or (anchor and there.suffix == ".html" and anchor not in names[there]):
                broken.append(f"{path.relative_to(site)}: {target}")
    assert broken == []


def test_a_file_that_is_linked_is_a_page_of_the_site(site: Path) -> None:
    shown = (site / "source/envs/core.py.html").read_text()
    assert "TextGame" in shown
    assert (site / "source/benchmarks/results/credit.json").read_bytes() == (
        ROOT / "benchmarks/results/credit.json"
    ).read_bytes()
