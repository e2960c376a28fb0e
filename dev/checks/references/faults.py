"""docs/reference/faults.md: the tested faults, read from the tests' marks."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from dev.checks.references.markdown import code, prose, table

TESTS: Final = Path(__file__).parents[3] / "tests"
_MARK: Final = "pytest.mark.fault"
_HEAD: Final = """# Faults that are tested

`make faults` injects each of these faults into a real API server, store, Postgres, gateway or node,
and ends with a table of how long each took to recover. After each test the cluster, the store and
the ledger agree with what was requested, nothing is left over, and writes have stopped.
[Failure modes](../operations/failure-modes.md) describes what users see and what to do.

`make references` writes this page from the marks of the tests. Paths are below `tests/`.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarkedTest:
    """A test with the mark of a fault."""

    fault: str
    file: str
    """Below `tests/`."""
    test: str
    heals: str
    """What recovers, and how; empty if the mark doesn't have it."""


def reference() -> str:
    """The content of the page."""
    return page(titles(), marked_tests())


def page(faults: Mapping[str, str], tests: Iterable[MarkedTest]) -> str:
    """The page for these faults, by number, and tests."""
    found = sorted(set(tests), key=lambda each: (each.file, each.test))
    sections = (
        f"\n## {number}: {title}\n{_tests(each for each in found if each.fault == number)}"
        for number, title in faults.items()
    )
    return _HEAD + "".join(sections)


def _tests(tests: Iterable[MarkedTest]) -> str:
    return table(
        ("test", "what recovers"),
        ((code(f"{each.file}::{each.test}"), prose(each.heals)) for each in tests),
    )


def titles() -> Mapping[str, str]:
    """The faults' titles by number, from the tests' constant FAULTS."""
    module = ast.parse((TESTS / "support" / "faults_table.py").read_text())
    wrapped = _constants(module)["FAULTS"]
    assert isinstance(wrapped, ast.Call)
    found: Mapping[str, str] = ast.literal_eval(wrapped.args[0])
    return found


def marked_tests() -> Iterator[MarkedTest]:
    """All tests of faults, once for each of their marks."""
    for path in TESTS.rglob("test_*.py"):
        yield from marked_in(path.read_text(), path.relative_to(TESTS).as_posix())


def marked_in(text: str, file: str) -> Iterator[MarkedTest]:
    """The marked tests of one module."""
    if "mark.fault" not in text:
        return
    module = ast.parse(text)
    constants = _constants(module)
    shared = list(_marks(constants["pytestmark"], constants)) if "pytestmark" in constants else []
    for each in module.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name[:5] == "test_":
            own = [mark for node in each.decorator_list for mark in _marks(node, constants)]
            for fault, heals in (*shared, *own):
                yield MarkedTest(fault=fault, file=file, test=each.name, heals=heals)


def _constants(module: ast.Module) -> Mapping[str, ast.expr]:
    """What a module assigns to single names."""
    found: dict[str, ast.expr] = {}
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def _marks(node: ast.AST, constants: Mapping[str, ast.expr]) -> Iterator[tuple[str, str]]:
    """Number and `heals` of each mark below a node, also within a `pytest.param`."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and ast.unparse(each.func) == _MARK:
            heals = next((item.value for item in each.keywords if item.arg == "heals"), None)
            if isinstance(heals, ast.Name):
                heals = constants[heals.id]
            yield str(ast.literal_eval(each.args[0])), str(ast.literal_eval(heals or '""'))
