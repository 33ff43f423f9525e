"""Mutants: a source text with one small mistake in it. Found in the syntax tree, made in the text, so layout stays."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "in": "not in", "not in": "in"}
COMPARISONS |= {"is": "is not", "is not": "is"}
ARITHMETIC = {"+": "-", "-": "+", "*": "+", "//": "*", "%": "//", "/": "*"}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "append": "extend", "lstrip": "rstrip"}
NAMES |= {
    "find": "rfind",
    "ceil": "floor",
    "True": "False",
    "False": "True",
    "rfind": "find",
    "rpartition": "partition",
}

Change = tuple[str, int, int, str]
"""(operator, start, end, new text): offsets into the source."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake."""

    operator: str
    place: str
    """The function it is in, as `Class.method`; empty at the top of the module."""
    start: int
    end: int
    """What is replaced, as offsets into the source."""
    text: str
    """The whole source with the mistake."""


def mutants(source: str) -> list[Mutant]:
    """Every mutant of a source in ASCII, in the order of its text. Raises SyntaxError, ValueError for other sources."""
    if not source.isascii():
        raise ValueError("sources to be mutated are ASCII: offsets of the syntax tree count bytes")
    finder = _Finder(source)
    tree = ast.parse(source)
    finder.visit(tree)
    normal, made = ast.dump(tree), []
    for place, (operator, start, end, new) in sorted(set(finder.found), key=lambda one: one[1][1:]):
        text = source[:start] + new + source[end:]
        try:
            changed = ast.dump(ast.parse(text)) != normal
        except SyntaxError:
            continue
        if changed:
            made.append(Mutant(operator, place, start, end, text))
    return made


class _Finder(ast.NodeVisitor):
    """Collects the changes of each node."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = [0]
        for line in source.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.names: list[str] = []
        self.found: list[tuple[str, Change]] = []

    def visit(self, node: ast.AST) -> None:
        named = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            self.names.append(node.name)
        for operator in OPERATORS.values():
            self.found += [(".".join(self.names), change) for change in operator(self, node)]
        self.generic_visit(node)
        if named:
            self.names.pop()

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Start and end of a node as offsets."""
        start = self.lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return start, self.lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end]

    def between(self, left: ast.AST, right: ast.AST) -> tuple[str, int, int]:
        """The operator between two nodes, brackets left out, and where it stands."""
        start, end = self.span(left)[1], self.span(right)[0]
        gap = self.source[start:end]
        word = gap.strip("() \n")
        place = start + gap.index(word) if word else start
        return word, place, place + len(word)


def _comparison(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Compare):
        for left, right in zip([node.left, *node.comparators], node.comparators, strict=False):
            word, start, end = finder.between(left, right)
            if word in COMPARISONS:
                yield "comparison", start, end, COMPARISONS[word]


def _arithmetic(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BinOp):
        word, start, end = finder.between(node.left, node.right)
        if word in ARITHMETIC:
            yield "arithmetic", start, end, ARITHMETIC[word]
    if isinstance(node, ast.AugAssign):
        word, start, end = finder.between(node.target, node.value)
        if word[:-1] in ARITHMETIC:
            yield "arithmetic", start, end, ARITHMETIC[word[:-1]] + "="


def _constant(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield "constant", *finder.span(node), str(node.value + 1)
        if node.value > 0:
            yield "constant", *finder.span(node), str(node.value - 1)


def _negation(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(node.test, ast.Compare):
        yield "negation", *finder.span(node.test), f"not ({finder.text(node.test)})"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "negation", *finder.span(node), finder.text(node.operand)


def _connective(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.BoolOp):
        word, start, end = finder.between(node.values[0], node.values[1])
        yield "connective", start, end, {"and": "or", "or": "and"}.get(word, word)


def _swap(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    pair = node.args[:2] if isinstance(node, ast.Call) and len(node.args) >= 2 else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub | ast.FloorDiv | ast.Mod | ast.Div):
        pair = [node.left, node.right]
    if len(pair) == 2 and not any(isinstance(part, ast.BinOp | ast.Starred | ast.GeneratorExp) for part in pair):
        (start, middle), (late, end) = finder.span(pair[0]), finder.span(pair[1])
        yield "swap", start, end, finder.text(pair[1]) + finder.source[middle:late] + finder.text(pair[0])


def _removal(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if called or isinstance(node, ast.AugAssign | ast.Delete):
        yield "removal", *finder.span(node), "pass"


def _result(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Return) and node.value is not None:
        if not isinstance(node.value, ast.Constant):
            yield "result", *finder.span(node.value), "None"
    elif isinstance(node, ast.Break | ast.Continue):
        yield "result", *finder.span(node), "continue" if isinstance(node, ast.Break) else "break"


def _default(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.arguments):
        for value in (*node.defaults, *(one for one in node.kw_defaults if one is not None)):
            if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                yield "default", *finder.span(value), '""'


def _name(finder: _Finder, node: ast.AST) -> Iterator[Change]:
    if isinstance(node, ast.Name) and node.id in NAMES:
        yield "name", *finder.span(node), NAMES[node.id]
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "name", *finder.span(node), NAMES[str(node.value)]
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        end = finder.span(node)[1]
        yield "name", end - len(node.attr), end, NAMES[node.attr]


OPERATORS: dict[str, Callable[[_Finder, ast.AST], Iterator[Change]]] = {
    "comparison": _comparison,
    "arithmetic": _arithmetic,
    "constant": _constant,
    "negation": _negation,
    "connective": _connective,
    "swap": _swap,
    "removal": _removal,
    "result": _result,
    "default": _default,
    "name": _name,
}
