"""Links between the pages lead to files and headings that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, anchors, links, name_of

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@each_page
def test_each_link_leads_to_a_file(page: Path) -> None:
    assert [str(path) for path, _ in links(page) if not path.exists()] == []


@each_page
def test_each_anchor_is_a_heading(page: Path) -> None:
    found = [(path, anchor) for path, anchor in links(page) if anchor and path.suffix == ".md"]
    assert [(name_of(path), anchor) for path, anchor in found if anchor not in anchors(path)] == []
