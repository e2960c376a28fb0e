"""What people read is in plain technical English: some words have better ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.checks.words import found_in
from tests.unit.docs.pages import CHECKOUT, PAGES, name_of

TEXTS = (*PAGES, *sorted((CHECKOUT / "crds").glob("*.yaml")), CHECKOUT / "chart" / "values.yaml")


@pytest.mark.parametrize("text", TEXTS, ids=name_of)
def test_a_text_does_without_words_that_have_a_plain_one(text: Path) -> None:
    assert list(found_in(text.read_text())) == []


def test_words_are_found_in_any_case_and_with_their_line() -> None:
    assert list(found_in("A\nTold twice, it goes on.")) == ["2: Told", "2: goes on"]


def test_code_and_parts_of_words_are_no_such_words() -> None:
    assert list(found_in("`told`, a standard\n```\ntold\n```\n")) == []
