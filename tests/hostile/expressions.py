"""Finds the regular expressions of a package: those of `re`, and those in aiohttp's routes."""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeGuard

from aiohttp import web

_FUNCTIONS: Final = frozenset(
    {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
)
_ANCHORED: Final = frozenset({"match", "fullmatch"})
_ROUTES: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "route"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Expression:
    """A regular expression, its location, and whether texts are searched for it.

    Otherwise it is only matched at the start of a text.
    """

    module: str
    line: int
    pattern: re.Pattern[Any]
    searched: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line}"


def expressions(package: str) -> list[Expression]:
    """All expressions of a package; fails for one that is only known inside a function."""
    modules = list(_modules(package))
    used = [use for module in modules for use in module.uses()]
    return [found for module in modules for found in module.expressions(used)]


def _modules(package: str) -> Iterator[_Module]:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    for root in map(Path, spec.submodule_search_locations or ()):
        for path in sorted(root.rglob("*.py")):
            yield _Module(".".join((package, *path.relative_to(root).with_suffix("").parts)), path)


class _Module:
    """The source of a module; it is imported only if it has an expression."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._tree = ast.parse(path.read_text(encoding="utf-8"))

    def uses(self) -> Iterator[tuple[str, str]]:
        """Names and the methods that are called on them: `_FORM`, `fullmatch`."""
        for node in ast.walk(self._tree):
            if _is_method(node) and isinstance(node.func.value, ast.Name):
                yield node.func.value.id, node.func.attr

    def expressions(self, used: list[tuple[str, str]]) -> Iterator[Expression]:
        """Expressions of `re`, by the methods called on their names anywhere, and routes."""
        self._check_imports()
        named = self._assigned()
        for node in ast.walk(self._tree):
            if not _is_method(node) or not isinstance(node.func.value, ast.Name):
                continue
            owner, function = node.func.value.id, node.func.attr
            if (owner, function) == ("re", "compile"):
                methods = {method for name, method in used if name == named.get(node)}
                yield self._expression(node, searched=not methods or not methods <= _ANCHORED)
            elif owner == "re" and function in _FUNCTIONS:
                yield self._expression(node, searched=function not in _ANCHORED)
            elif owner == "web" and function in _ROUTES:
                yield from self._route(node)

    @functools.cached_property
    def _names(self) -> dict[str, Any]:
        """The values of the module's names."""
        return vars(importlib.import_module(self._name))

    def _check_imports(self) -> None:
        for node in ast.walk(self._tree):
            taken = isinstance(node, ast.ImportFrom) and node.module == "re"
            assert not taken, f"{self._name}: write `import re`, so that its expressions are found"

    def _assigned(self) -> dict[ast.AST, str]:
        """The name of the constant for each call that creates one."""
        found: dict[ast.AST, str] = {}
        for node in ast.walk(self._tree):
            target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(node, ast.Assign):
                target = node.targets[0]
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign):
                found[node.value or node] = target.id
        return found

    def _expression(self, call: ast.Call, *, searched: bool) -> Expression:
        flags = [item.value for item in call.keywords if item.arg == "flags"]
        given = [*call.args[:1], *(call.args[1:2] if _is_compile(call) else ()), *flags]
        pattern = re.compile(*map(self._value, given))
        return Expression(module=self._name, line=call.lineno, pattern=pattern, searched=searched)

    def _route(self, call: ast.Call) -> Iterator[Expression]:
        path = str(self._value(call.args[0]))
        pattern = web.UrlDispatcher().add_resource(path).get_info().get("pattern")
        if pattern is not None:
            yield Expression(module=self._name, line=call.lineno, pattern=pattern, searched=False)

    def _value(self, node: ast.expr) -> Any:
        code = compile(ast.Expression(node), "<expression>", "eval")
        try:
            return eval(code, dict(self._names))  # noqa: S307 - our own source
        except NameError as error:
            where = f"{self._name}:{node.lineno}"
            raise AssertionError(f"{where}: compile it from constants of the module") from error


def _is_method(node: ast.AST) -> TypeGuard[Any]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)


def _is_compile(call: Any) -> bool:
    return bool(call.func.attr == "compile")
