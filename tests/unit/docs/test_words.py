"""What people read is in plain technical English: some words have better ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.checks.words import found_in, found_in_code
from tests.unit.docs.pages import CHECKOUT, PAGES, name_of

TEXTS = (*PAGES, *sorted((CHECKOUT / "crds").glob("*.yaml")), CHECKOUT / "chart" / "values.yaml")

ROOTS = ("operator", "webhooks", "dev", "bench", "tests")
LISTS = {CHECKOUT / "dev" / "checks" / "words.py", Path(__file__)}
"""The modules that have the words to find."""


@pytest.mark.parametrize("text", TEXTS, ids=name_of)
def test_a_text_does_without_words_that_have_a_plain_one(text: Path) -> None:
    assert list(found_in(text.read_text())) == []


@pytest.mark.parametrize("root", ROOTS)
def test_code_does_without_words_that_have_a_plain_one(root: str) -> None:
    modules = set((CHECKOUT / root).rglob("*.py")) - LISTS
    found = {str(module): list(found_in_code(module.read_text())) for module in modules}
    assert {module: words for module, words in found.items() if words} == {}


def test_words_are_found_in_comments_and_strings_alone() -> None:
    source = 'told = """One,\ntwo told."""  # It went on.\n'
    assert list(found_in_code(source)) == ["2: told", "2: went on"]


def test_words_are_found_in_any_case_and_with_their_line() -> None:
    assert list(found_in("A\nTold twice, it goes on.")) == ["2: Told", "2: goes on"]


def test_code_and_parts_of_words_are_no_such_words() -> None:
    assert list(found_in("`told`, a standard\n```\ntold\n```\n")) == []
