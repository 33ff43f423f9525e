"""mkdocs: what a page links to outside of docs/ is shown by the site too, so that it works without the repository.

A Python file, a YAML file or a folder becomes a page below source/, anything else is copied there. Links keep the form
that works in a clone (`../envs/core.py`); the site gets them rewritten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(?P<text>!?\[[^\]]*\])\((?P<target>(?![a-z]+:|#|/)[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
FENCE = re.compile(r"^(```+).*?^\1", re.MULTILINE | re.DOTALL)
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".sh": "bash", ".tmpl": "text"}
SOURCE = "source/"
"""Where the site has what lies outside of docs/."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page or a copy for every file outside of docs/ that a page links to."""
    for path in sorted({path for file in list(files) if file.src_uri.endswith(".md") for path in _outside(file)}):
        if files.get_file_from_path(_place(path)) is None:
            files.append(_shown(path, config))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """The page with its links out of docs/ leading to what stands in for them; where nothing does, to nothing."""
    here = page.file.src_uri

    def lead(found: re.Match[str]) -> str:
        path = _repository_path(here, found["target"])
        if path.startswith("docs/") and not here.startswith(SOURCE):
            return found.group(0)
        there = path.removeprefix("docs/") if path.startswith("docs/") else _place(path)
        if files.get_file_from_path(there) is None:
            return found["text"].strip("[]")
        return f"{found['text']}({os.path.relpath(there, PurePosixPath(here).parent)}{found['anchor'] or ''})"

    return LINK.sub(lead, markdown)


def _outside(file: File) -> Iterator[str]:
    """Paths in the repository, outside of docs/, that a page links to. Raises PluginError where there is none."""
    for found in LINK.finditer(FENCE.sub("", file.content_string)):
        path = _repository_path(file.src_uri, found["target"])
        if not path.startswith("docs/"):
            if not (ROOT / path).exists():
                raise PluginError(f"docs/{file.src_uri} links to {found['target']}, which is not there")
            yield path


def _repository_path(page: str, target: str) -> str:
    """`../envs/core.py` of a page of docs/, or `envs/core.py` of README.md, as `envs/core.py`."""
    own = page.removeprefix(SOURCE) if page.startswith(SOURCE) else f"docs/{page}"
    return os.path.normpath(PurePosixPath(own).parent / target)


def _place(path: str) -> str:
    """Where the site has it; what is hidden in the repository is not on the site."""
    real, shown = ROOT / path, "/".join(part.lstrip(".") for part in PurePosixPath(path).parts)
    return f"{SOURCE}{shown}.md" if real.is_dir() or real.suffix in LANGUAGES else f"{SOURCE}{shown}"


def _shown(path: str, config: MkDocsConfig) -> File:
    real = ROOT / path
    if real.is_dir():
        return File.generated(config, _place(path), content=_page(path, "text", "\n".join(_names(real))))
    if real.suffix in LANGUAGES:
        return File.generated(config, _place(path), content=_page(path, LANGUAGES[real.suffix], real.read_text()))
    return File.generated(config, _place(path), abs_src_path=str(real))


def _names(folder: Path) -> list[str]:
    """The files of a folder, as they are shown on its page."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in found if path.suffix != ".pyc")


def _page(path: str, language: str, text: str) -> str:
    """A page that search leaves out."""
    return f"---\nsearch:\n  exclude: true\n---\n# {path}\n\n``````{language}\n{text.rstrip()}\n``````\n"
