"""Modules and classes of the product have unique names, so that a search finds one."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
PACKAGES = (CHECKOUT / "operator" / "roadstead", CHECKOUT / "webhooks" / "roadstead_webhooks")
MODULES = [
    path for package in PACKAGES for path in package.rglob("*.py") if not path.stem.startswith("__")
]


def repeated(names: Iterator[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def test_module_names_are_unique() -> None:
    assert repeated(path.stem for path in MODULES) == []


def test_public_class_names_are_unique() -> None:
    trees = (ast.parse(path.read_text()) for path in MODULES)
    classes = (node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef))
    assert repeated(name for name in classes if not name.startswith("_")) == []
