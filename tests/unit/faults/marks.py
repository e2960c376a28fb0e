"""The marks of tests of faults, read off their files: nothing is imported or run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[2]
Marked = tuple[str, str, str]
"""Fault, file below `tests/`, and test."""


def marked() -> frozenset[Marked]:
    """Every test of a fault, once for each of its marks."""
    return frozenset(
        (fault, path.relative_to(TESTS).as_posix(), test)
        for path in TESTS.rglob("test_*.py")
        for fault, test in _of_module(path.read_text())
    )


def _of_module(text: str) -> Iterator[tuple[str, str]]:
    if "mark.fault" not in text:
        return
    body = ast.parse(text).body
    whole = [
        fault for statement in body if _is_pytestmark(statement) for fault in faults(statement)
    ]
    for each in body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name[:5] == "test_":
            own = [fault for decorator in each.decorator_list for fault in faults(decorator)]
            for fault in (*whole, *own):
                yield fault, each.name


def _is_pytestmark(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(each, ast.Name) and each.id == "pytestmark" for each in targets)


def faults(node: ast.AST) -> Iterator[str]:
    """The numbers in `pytest.mark.fault("R1", ...)` anywhere below: in a `pytest.param` too."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.fault":
            yield str(ast.literal_eval(each.args[0]))
