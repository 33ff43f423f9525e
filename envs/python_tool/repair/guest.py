"""Runs one file of tests over a repository. Its text is the code of a sandbox call: nothing here runs on the host.

Repository code shares the process, so what it does to forge a result is made hard, not impossible. Where `own` names
the repository's modules its sources are screened before anything of them runs: the few imports that a small library
needs, and no name that leads to frames, files or other modules. For every repository the tests are compiled from the
caller's text, what tests rely on is compared with how it was before, and the report is told after all else.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import types
import unittest
from collections.abc import Iterator, Sequence
from typing import Any

__unittest = True  # keeps the frames of this file out of tracebacks
_ALLOWED = (
    "__future__ abc bisect calendar collections copy csv dataclasses datetime decimal enum fractions functools "
    "heapq itertools json math operator random re statistics string textwrap typing unicodedata"
)
ALLOWED = frozenset(_ALLOWED.split())
_DENIED = (
    "eval exec compile open input breakpoint globals locals vars getattr setattr delattr attrgetter methodcaller "
    "exit quit SystemExit BaseException KeyboardInterrupt sys _sys os _os builtins bltns inspect types codecs "
    "importlib gc linecache traceback unittest threading _thread io _io locale ctypes subprocess warnings pickle "
    "marshal runpy pdb shutil tempfile pathlib socket signal atexit site weakref contextlib _collections_abc "
    "get_type_hints ForwardRef f_back f_locals f_globals f_builtins f_code gi_frame gi_code cr_frame ag_frame "
    "tb_frame tb_next co_code with_traceback"
)
DENIED = frozenset(_DENIED.split())
_SPECIAL = (
    "init new post_init name qualname class doc len repr str eq ne lt le gt ge hash bool iter next contains "
    "getitem setitem delitem add sub mul truediv floordiv mod pow neg pos abs radd rsub rmul call enter exit"
)
DUNDERS = frozenset(f"__{name}__" for name in _SPECIAL.split())
WATCHED = ("builtins", "collections", "contextlib", "difflib", "functools", "linecache", "pprint", "re", "traceback")
PLAIN = (int, float, complex, bool, str, bytes, type(None))
LONGEST_MESSAGE = 700  # characters


class Report:
    """What the call's last line shows: a line per test, the message of each in hexadecimal digits."""

    def __init__(self, nonce: str, rows: Sequence[tuple[str, str, str]]) -> None:
        lines = [f"{state} {name} {text.encode('utf-8', 'backslashreplace').hex()}" for state, name, text in rows]
        self.text = "\n".join([nonce, *lines])

    def __repr__(self) -> str:
        return self.text


def main(nonce: str, path: str, source: str, own: Sequence[str] | None) -> Report:
    """Screen the working folder where `own` is given, then run the tests of the text `source`."""
    objection = None if own is None else next(objections(frozenset(own)), None)
    if objection is not None:
        return Report(nonce, [("refused", "-", objection)])
    if own is not None:
        unittest.TestCase.assertEqual = _assert_equal  # type: ignore[method-assign]
    before, kept = _watched(), (sys.stdout, sys.stderr)
    sys.stdout = sys.stderr = io.StringIO()
    try:
        rows = list(_run(path, source))
    except BaseException as error:
        rows = [("broken", "-", _import_message(error))]
    sys.stdout, sys.stderr = kept
    after = _watched()
    if len(after) < len(before) or any(after.get(key) is not value for key, value in before.items()):
        rows = [("refused", "-", "the code changes what the tests are run by")]
    return Report(nonce, rows)


def _run(path: str, source: str) -> Iterator[tuple[str, str, str]]:
    module = types.ModuleType(path.removesuffix(".py").replace("/", "."))
    sys.modules[module.__name__] = module
    exec(compile(source, path, "exec", dont_inherit=True), module.__dict__)
    for test in _flat(unittest.TestLoader().loadTestsFromModule(module)):
        result = unittest.TestResult()
        name = f"{type(test).__name__}.{test._testMethodName}"
        try:
            test.run(result)
        except BaseException as error:
            yield "failed", name, f"{type(error).__name__} left the test"
            continue
        whole = result.testsRun == 1 and result.wasSuccessful() and not result.skipped
        told = [text for _, text in (*result.failures, *result.errors)] or ["skipped"]
        yield ("passed", name, "") if whole else ("failed", name, _message(told[0]))


def _flat(suite: Any) -> Iterator[Any]:
    for one in suite:
        yield from _flat(one) if isinstance(one, unittest.TestSuite) else (one,)


def _message(text: str) -> str:
    text = text.replace(os.getcwd() + "/", "").replace("Traceback (most recent call last):\n", "", 1)
    text = re.sub("0x[0-9a-f]+", "0x...", text[-20 * LONGEST_MESSAGE :]).strip()
    return text if len(text) <= LONGEST_MESSAGE else "... " + text[-LONGEST_MESSAGE:]


def _import_message(error: BaseException) -> str:
    try:
        place = f" ({error.filename}, line {error.lineno})" if isinstance(error, SyntaxError) else ""
        return _message(f"the tests cannot be imported: {type(error).__name__}: {str(error)[:LONGEST_MESSAGE]}{place}")
    except BaseException:
        return "the tests cannot be imported"


def _watched() -> dict[tuple[str, ...], Any]:
    """Every name of the modules that tests are run by, and of their classes."""
    found: dict[tuple[str, ...], Any] = {}
    for name, module in list(sys.modules.items()):
        if name in WATCHED or name.partition(".")[0] == "unittest":
            for key, value in list(vars(module).items()):
                if key != "_":
                    found[name, key] = value
                if isinstance(value, type) and value.__module__ == name:
                    found.update(((name, key, part), inner) for part, inner in list(vars(value).items()))
    return found


# Equality that the repository's own classes have no say in

_equal = unittest.TestCase.assertEqual


def _assert_equal(self: Any, first: Any, second: Any, msg: Any = None) -> None:
    """Where plain data is expected, plain data is due: an object that claims to be equal to it is not."""
    if _plain(second) and not _plain(first):
        raise self.failureException(f"{type(first).__name__} where {second!r} is expected")
    _equal(self, first, second, msg)


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return all(_plain(key) and _plain(inner) for key, inner in value.items())
    if kind in (list, tuple, set, frozenset):
        return all(_plain(inner) for inner in value)
    return kind in PLAIN


# The screen


def objections(own: frozenset[str]) -> Iterator[str]:
    """What the sources below the working folder have that a repository may not have."""
    for folder, folders, names in sorted(os.walk(".")):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)[2:]
            if name.endswith(".py") and not path.startswith("tests/"):
                yield from (f"{path}, {found}" for found in _file_objections(path, own))


def _file_objections(path: str, own: frozenset[str]) -> Iterator[str]:
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except SyntaxError as error:
        yield f"line {error.lineno}: SyntaxError: {error.msg}"
    except Exception as error:
        yield f"it cannot be read: {type(error).__name__}"
    else:
        for node in ast.walk(tree):
            yield from (f"line {getattr(node, 'lineno', 1)}: {text}" for text in _node_objections(node, own))


def _node_objections(node: ast.AST, own: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from _import_objections(node, own)
    words = [word for field in ("id", "attr", "name", "rest", "arg") for word in [getattr(node, field, None)]]
    words += list(getattr(node, "kwd_attrs", ()))
    for word in words:
        if isinstance(word, str) and not isinstance(node, ast.FunctionDef) and _is_denied(word):
            yield f"the name {word[:40]} may not be used in a repository"
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and "{" in node.value and "__" in node.value:
        yield "a text with both { and __ may not be used in a repository"


def _import_objections(node: ast.Import | ast.ImportFrom, own: frozenset[str]) -> Iterator[str]:
    relative = isinstance(node, ast.ImportFrom) and node.level > 0
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    for module in modules:
        if not relative and module.partition(".")[0] not in ALLOWED | own:
            yield f"the module {module[:40]} may not be imported: there are {', '.join(sorted(ALLOWED | own))}"
    for alias in node.names:
        if any(_is_denied(part) or part == "tests" for part in alias.name.split(".")):
            yield f"the name {alias.name[:40]} may not be imported"


def _is_denied(word: str) -> bool:
    return word in DENIED or (word.startswith("__") and word.endswith("__") and word not in DUNDERS | ALLOWED)
