"""Compile and run one piece of code, and tell what came of it."""

from __future__ import annotations

import ast
import linecache
import mmap
import sys
import traceback
from types import CodeType
from typing import Any

NAME = "<code>"
FRAMES_READ, FRAMES_SHOWN = 500, 20
BALLAST_BYTES = 8 << 20
CLIPPED = " ... (clipped)"

Outcome = dict[str, Any]
"""status, value, error."""


def run(code: str, namespace: dict[str, Any], *, folder: str, most: int, call: int = 1) -> Outcome:
    """Run it in `namespace`; nothing that the code raises leaves this function.

    Args:
        folder: the working folder; frames of modules that lie there are the code's own too.
        most: characters of value and error that are kept, each.
        call: number of this piece in its session: from the second on its lines are called `<code 2>` and so on.
    """
    name = NAME if call == 1 else f"<code {call}>"
    ballast = mmap.mmap(-1, BALLAST_BYTES)  # address space, never touched, to tell of a MemoryError with
    try:
        body, last = _compile(code, name)
        exec(body, namespace)
        value = None if last is None else eval(last, namespace)
        shown = None if value is None else _clip(repr(value), most)
        outcome = {"status": "ok", "value": shown, "error": None}
    except BaseException as error:
        ballast.close()
        outcome = _failure(error, folder, most)
    ballast.close()
    return outcome


def _compile(code: str, name: str) -> tuple[CodeType, CodeType | None]:
    """All but a last expression, and the last expression where there is one."""
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    tree = ast.parse(code, name)
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = compile(ast.Expression(tree.body.pop().value), name, "eval", dont_inherit=True)  # type: ignore[attr-defined]
    return compile(tree, name, "exec", dont_inherit=True), last


def _failure(error: BaseException, folder: str, most: int) -> Outcome:
    if isinstance(error, SystemExit) and error.code in (None, 0):
        return {"status": "ok", "value": None, "error": None}
    status = "memory" if isinstance(error, MemoryError) else "error"
    try:
        text = "".join(_own_frames(error, folder).format())
    except BaseException:  # a hostile __str__, or too little memory left to format
        text = type(error).__name__
    return {"status": status, "value": None, "error": _clip(text.rstrip(), most, keep_end=True)}


def _own_frames(error: BaseException, folder: str) -> traceback.TracebackException:
    told = traceback.TracebackException.from_exception(error, limit=-FRAMES_READ, compact=True)
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        one = waiting.pop()
        if one is not None:
            own = [_named_from(folder, frame) for frame in one.stack if frame.filename.startswith((NAME[:-1], folder))]
            one.stack = traceback.StackSummary.from_list(own[-FRAMES_SHOWN:])
            waiting += [one.__cause__, one.__context__]
    return told


def _named_from(folder: str, frame: traceback.FrameSummary) -> traceback.FrameSummary:
    frame.filename = frame.filename.removeprefix(folder).lstrip("/")
    return frame


def _clip(text: str, most: int, *, keep_end: bool = False) -> str:
    text = str(text)
    if len(text) <= most:
        return text
    return CLIPPED.strip() + " " + text[-most:] if keep_end else text[:most] + CLIPPED


def main_module(name: str = "__main__") -> dict[str, Any]:
    """The namespace of a fresh main module, so that pickle and dataclasses find what the code defines."""
    module = type(sys)(name)
    sys.modules[name] = module
    return module.__dict__
