"""docs/reference/llama-flags.md lists all flags of the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from roadstead.api.llama.llama_aliases import spellings
from roadstead.api.llama.llama_extra import EXTRA, FIELD_OF
from roadstead.api.llama.llama_refused import REFUSED
from roadstead.api.llama.llama_templates import JINJA_TEMPLATES

_PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "llama-flags.md").read_text()


def _code(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


@pytest.mark.parametrize("flag", EXTRA)
def test_each_allowed_flag_is_listed_with_its_value(flag: str) -> None:
    assert f"| {_code(spellings(flag))} | {EXTRA[flag].form} |" in _PAGE


@pytest.mark.parametrize("flag", FIELD_OF)
def test_each_flag_with_a_field_is_listed_with_it(flag: str) -> None:
    assert f"| {_code(spellings(flag))} | `{FIELD_OF[flag]}` |" in _PAGE


@pytest.mark.parametrize("reason", dict.fromkeys(REFUSED.values()))
def test_each_reason_is_listed_with_its_flags(reason: str) -> None:
    flags = tuple(flag for flag, why in REFUSED.items() if why == reason)
    assert f"| {reason} | {_code(flags)} |" in _PAGE


def test_the_templates_that_keep_tools_are_listed() -> None:
    assert f"Templates that keep them: {_code(tuple(JINJA_TEMPLATES))}." in _PAGE
