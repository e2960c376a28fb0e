"""References and files of the chart are generated from the current code and values.yaml."""

from __future__ import annotations

import pytest

from dev.checks.references.pages import CHECKOUT, REFERENCES, pages

PAGES = {str(path.relative_to(CHECKOUT)): (path, text) for path, text in pages().items()}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_generated_from_the_current_code(name: str) -> None:
    path, text = PAGES[name]
    assert path.read_text() == text, f"{name} is outdated: run `make references`"


@pytest.mark.parametrize("name", ["api.md", "commands.md", "faults.md", "metrics.md", "values.md"])
def test_page_is_linked_from_the_readme(name: str) -> None:
    readme = REFERENCES.parents[1] / "README.md"
    assert f"(docs/reference/{name})" in readme.read_text()
