"""The site of the documentation: its pages, its links, and that it needs no network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev.docs.site import build
from dev.docs.sources import prepare, relinked
from tests.unit.docs.pages import CHECKOUT

PAGES = {"index.md", "gateway.md", "how-to/call-a-server.md", "contributing/index.md"}
LOADED = re.compile(
    r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["']?(?:https?:)?//([^"'> ]+)"""
)


def home(markdown: str) -> str:
    return relinked(markdown, source="README.md", page="index.md", pages=PAGES)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[a](docs/gateway.md#browsers)", "[a](gateway.md#browsers)"),
        ("[`a`](docs/how-to/call-a-server.md)", "[`a`](how-to/call-a-server.md)"),
        ("[a](CONTRIBUTING.md)", "[a](contributing/index.md)"),
        ("[a](Makefile)", "a"),
        (
            "[a](#install) [b](https://example.com/x.md)",
            "[a](#install) [b](https://example.com/x.md)",
        ),
        ("`[a](docs/gateway.md)`", "`[a](docs/gateway.md)`"),
        ("```\n[a](docs/gateway.md)\n```", "```\n[a](docs/gateway.md)\n```"),
    ],
)
def test_a_link_of_the_readme_leads_to_the_page_in_the_site(link: str, expected: str) -> None:
    assert home(link) == expected


def test_a_link_to_the_readme_leads_to_the_first_page() -> None:
    given = {"source": "docs/how-to/call-a-server.md", "page": "how-to/call-a-server.md"}
    assert relinked("[a](../../README.md)", **given, pages=PAGES) == "[a](../index.md)"


def test_each_page_is_in_the_navigation(tmp_path: Path) -> None:
    prepare(tmp_path)
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.md")}
    navigation = (CHECKOUT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    assert set(re.findall(r"[\w/-]+\.md", navigation)) == pages


def test_the_site_builds_without_a_broken_link_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    build(tmp_path / "site")
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert (tmp_path / "site" / "index.html") in pages
    assert {host for page in pages for host in LOADED.findall(page.read_text())} == set()
