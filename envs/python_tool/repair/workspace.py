"""`Workspace`: the files that an agent works on, and the tools that it does so with."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field

from turnwise.envs.python_tool.repair.testing import TESTS, Outcome, run_tests
from turnwise.envs.tools.tool import Tool, ToolError, tool

MOST_FILES, LONGEST_FILE, LONGEST_PATH = 60, 50_000, 120
SHOWN_MESSAGES, SHOWN_NAMES, SHOWN_HITS, LONGEST_LINE = 3, 20, 40, 160
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}")
RESERVED = (TESTS, "hidden")


@dataclass(slots=True)
class Workspace:
    """The state of a repair: plain texts by path."""

    files: dict[str, str]
    tests: dict[str, str] = field(default_factory=dict)
    strict: bool = True

    def text(self, path: str) -> str:
        """The text of a file or of a file of tests. Raises ToolError."""
        found = self.files.get(path, self.tests.get(path))
        if found is None:
            raise ToolError(f"there is no file {path[:LONGEST_PATH]!r}; the files are {', '.join(self.paths())}"[:1500])
        return found

    def paths(self) -> list[str]:
        """Every path, tests included, in order."""
        return sorted([*self.files, *self.tests])

    def put(self, path: str, text: str) -> None:
        """Set the text of a file. Raises ToolError for a path or a text that cannot be."""
        self.check(path)
        if len(text) > LONGEST_FILE:
            raise ToolError(f"a file has at most {LONGEST_FILE:,} characters: this one would have {len(text):,}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ToolError("the text has half a surrogate pair, which no file can hold") from None
        if "\0" in text:
            raise ToolError("the text has a NUL character, which no source can have")
        if path not in self.files and len(self.files) >= MOST_FILES:
            raise ToolError(f"a repository has at most {MOST_FILES} files")
        self.files[path] = text

    def check(self, path: str) -> None:
        """Raises ToolError unless a file may be written there."""
        parts = path[: LONGEST_PATH + 1].split("/")
        if len(path) > LONGEST_PATH or not all(PART.fullmatch(part) for part in parts):
            raise ToolError("a path is like package/module.py: letters, digits, _, - and ., no .., not absolute")
        if path in self.tests or parts[0] in RESERVED:
            raise ToolError(f"the folders {' and '.join(RESERVED)} cannot be changed: repair the code, not its tests")
        if path not in self.files and parts[0].removesuffix(".py") in sys.stdlib_module_names:
            raise ToolError(f"{parts[0]} would hide a module of the standard library: take another name")
        if any(other.startswith(path + "/") or path.startswith(other + "/") for other in self.paths()):
            raise ToolError("a file and a folder cannot have the same path")


def view(workspace: Workspace, path: str, start: int = 1, end: int | None = None) -> str:
    """Read a file, with line numbers.

    Args:
        path: A path as list_files shows it.
        start: First line.
        end: Last line; without it, to the end.
    """
    lines = workspace.text(path).splitlines()
    last = len(lines) if end is None else min(end, len(lines))
    if not 1 <= start <= max(last, 1):
        raise ToolError(f"{path} has the lines 1 to {len(lines)}: there is nothing from {start} to {end or len(lines)}")
    return "\n".join(f"{number:>3} {lines[number - 1]}" for number in range(start, last + 1)) or "(empty)"


def edit(workspace: Workspace, path: str, old: str, new: str) -> str:
    """Replace a piece of text of a file that occurs exactly once.

    Args:
        path: The file.
        old: Text as it stands there, without line numbers, blanks kept.
        new: Text to stand there.
    """
    text = workspace.text(path)
    workspace.check(path)
    count = text.count(old) if old else 0
    if count != 1:
        where = (
            f"occurs {count} times: give more of the lines around it" if count else "does not occur as it is written"
        )
        raise ToolError(f"old must occur exactly once in {path}: it {where}")
    workspace.put(path, text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    return f"{path} is changed at line {line}"


def write(workspace: Workspace, path: str, text: str) -> str:
    """Write a whole file, new or not.

    Args:
        path: The file.
        text: All of its text.
    """
    workspace.put(path, text)
    return f"{path} is written: {len(text.splitlines())} lines"


def search(workspace: Workspace, text: str) -> str:
    """Find the lines that hold a text, in every file.

    Args:
        text: As it stands there, case included.
    """
    if not text.strip():
        raise ToolError("search takes a text that is not blank")
    hits = [
        f"{path}:{number}: {line.strip()[:LONGEST_LINE]}"
        for path in workspace.paths()
        for number, line in enumerate(workspace.text(path).splitlines(), 1)
        if text in line
    ]
    more = [f"... and {len(hits) - SHOWN_HITS} more"] if len(hits) > SHOWN_HITS else []
    return "\n".join(hits[:SHOWN_HITS] + more) or "no line holds it"


def list_files(workspace: Workspace) -> str:
    """List the files of the repository."""
    return "\n".join(f"{path} ({len(workspace.text(path).splitlines())} lines)" for path in workspace.paths())


def _run_tests(workspace: Workspace, path: str | None = None) -> str:
    """Run the tests of the repository.

    Args:
        path: One file of tests; without it, all of them.
    """
    if path is not None and path not in workspace.tests:
        raise ToolError(f"{path[:LONGEST_PATH]!r} is no file of tests: there are {', '.join(workspace.tests)}"[:1500])
    chosen = workspace.tests if path is None else {path: workspace.tests[path]}
    return show_outcomes(run_tests(workspace.files, chosen, workspace.tests, strict=workspace.strict))


def show_outcomes(outcomes: tuple[Outcome, ...]) -> str:
    """How many passed, and which did not, the first of them with their messages."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    lines = [f"{len(outcomes)} tests: {len(outcomes) - len(failed)} passed, {len(failed)} failed"]
    said: set[str] = set()
    for number, outcome in enumerate(failed[:SHOWN_NAMES]):
        lines.append(f"FAILED {outcome.name}")
        if number < SHOWN_MESSAGES and outcome.message not in said:
            lines.append(outcome.message)
            said.add(outcome.message)
    lines += [f"... and {len(failed) - SHOWN_NAMES} more"] if len(failed) > SHOWN_NAMES else []
    return "\n".join(lines)


def workspace_tools() -> tuple[Tool, ...]:
    """view, edit, write, search, list_files and run_tests."""
    made = [tool(function, needs_workspace=True) for function in (view, edit, write, search, list_files)]
    return (*made, tool(_run_tests, name="run_tests", needs_workspace=True))
