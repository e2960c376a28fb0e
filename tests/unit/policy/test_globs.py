"""Globs of names."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.object_names import matches, matches_any


@pytest.mark.parametrize(
    ("glob", "name", "expected"),
    [
        ("demo", "demo", True), ("demo", "demo2", False), ("demo", "DEMO", False),
        ("team-*", "team-", True), ("team-*", "team-a-b", True), ("team-*", "steam-a", False),
        ("team-?", "team-a", True), ("team-?", "team-", False), ("team-?", "team-ab", False),
        ("*", "anything", True), ("*-prod", "a-prod-prod", True), ("a*b*c", "a1b2b3c", True),
        ("a*b*c", "a1c", False), ("?", "é", True), ("gemma-[34]", "gemma-3", False),
        ("", "", True), ("**", "", True),
    ],
)  # fmt: skip
def test_glob_matches_the_whole_name(glob: str, name: str, expected: bool) -> None:
    assert matches(glob, name) is expected


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=16))
def test_globs_are_those_of_the_shell(glob: str, name: str) -> None:
    assert matches(glob, name) == fnmatch.fnmatchcase(name, glob)


def test_a_glob_of_many_stars_takes_few_steps() -> None:
    assert not matches("*a" * 126, "a" * 252 + "b")


def test_no_glob_matches_an_empty_name() -> None:
    assert not matches_any(["*", ""], "")
