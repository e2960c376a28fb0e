"""The pages for contributors name files, functions and tests that exist."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.unit.docs.pages import CHECKOUT, name_of, symbols

CONTRIBUTING: Final = CHECKOUT / "docs" / "contributing"
PAGES: Final = sorted(CONTRIBUTING.glob("*.md"))
WHERE: Final = CONTRIBUTING / "where.md"
ARCHITECTURE: Final = CONTRIBUTING / "architecture.md"
_ROW: Final = re.compile(r"^\| (?!behaviour |---)(.+?) \| (.+) \| (.+) \|$", re.MULTILINE)
_TOP: Final = "operator|webhooks|tests|dev|bench|chart|crds|templates|dashboards|docs"
_REFERENCE: Final = re.compile(rf"`((?:{_TOP})/[\w./-]*|Makefile|pyproject\.toml)(?:::([\w.]+))?`")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reference:
    """A path in the repository, and the function, class or constant in it, if one is named."""

    path: str
    symbol: str

    def exists(self) -> bool:
        """Whether both are there."""
        file = CHECKOUT / self.path
        return file.exists() and (not self.symbol or self.symbol in symbols(file))


def references(text: str) -> Iterator[Reference]:
    return (Reference(path=path, symbol=symbol) for path, symbol in _REFERENCE.findall(text))


ROWS: Final = _ROW.findall(WHERE.read_text())
each_row = pytest.mark.parametrize(
    ("code", "test"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_path_and_symbol_that_a_page_names_exists(page: Path) -> None:
    assert [each for each in references(page.read_text()) if not each.exists()] == []


@each_row
def test_each_behaviour_has_code_and_a_test(code: str, test: str) -> None:
    assert list(references(code))
    assert all(each.path.startswith("tests/") for each in references(test))
    assert list(references(test))


def test_each_behaviour_has_one_row() -> None:
    behaviours = [behaviour for behaviour, *_ in ROWS]
    assert len(behaviours) == len(set(behaviours))


def test_the_page_names_what_the_webhooks_import() -> None:
    _, text = ARCHITECTURE.read_text().split("The webhooks import these modules", maxsplit=1)
    named = re.findall(r"`(\w+)`", text.partition(":\n")[2].partition(".\n")[0])
    assert named == sorted(_imported())


def _imported() -> set[str]:
    """The modules of the operator's package that the webhooks' modules import, by top level."""
    folder = CHECKOUT / "webhooks" / "roadstead_webhooks"
    trees = [ast.parse(path.read_text()) for path in folder.rglob("*.py")]
    found = [name for tree in trees for node in ast.walk(tree) for name in _names(node)]
    return {name.split(".")[1] for name in found if name.startswith("roadstead.")}


def _names(node: ast.AST) -> list[str]:
    match node:
        case ast.ImportFrom(module="roadstead"):
            return [f"roadstead.{each.name}" for each in node.names]
        case ast.ImportFrom(module=str(module)):
            return [module]
        case ast.Import():
            return [each.name for each in node.names]
    return []
