"""Every regular expression of the product takes linear time."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.hostile.expressions import Expression, expressions
from tests.hostile.hostile import hostile
from tests.support.growth import excess

ALL = [*expressions("roadstead"), *expressions("roadstead_webhooks")]


def slowest(pattern: re.Pattern[Any], *, searched: bool = True) -> str:
    """A text for which a pattern is worse than linear, with the factor; empty if there is none."""
    for begin, token, end in hostile(pattern):
        prepare = functools.partial(searching, pattern, searched, begin, token, end)
        if grown := excess(prepare):
            return f"{begin!r} + {token!r} * n + {end!r}: {grown}"
    return ""


def searching(
    pattern: re.Pattern[Any], searched: bool, begin: str, token: str, end: str, length: int
) -> Callable[[], object]:
    """The search in a text of about `length` characters."""
    text: Any = begin + token * (length // len(token)) + end
    nothing: Any = ""
    if isinstance(pattern.pattern, bytes):
        text, nothing = text.encode("latin-1"), b""
    if searched:
        return lambda: pattern.sub(nothing, text)
    return lambda: (pattern.match(text), pattern.fullmatch(text))


def test_expressions_are_found_in_both_packages() -> None:
    modules = {found.module.partition(".")[0] for found in ALL}
    assert modules == {"roadstead", "roadstead_webhooks"}
    assert len(ALL) > 50


@pytest.mark.parametrize("expression", ALL, ids=str)
def test_hostile_text_takes_linear_time(expression: Expression) -> None:
    assert not slowest(expression.pattern, searched=expression.searched), expression.pattern.pattern


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(r"(?i:x-(?:amz|goog)-[a-z-]+(?:=|%3D))[^&\s\"']+", id="parameter"),
        pytest.param(r"\?[^\s\"']*=[^\s\"']*", id="query"),
        pytest.param(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*", id="jwt"),
        pytest.param(r"\s+$", id="end of a text"),
        pytest.param(r"(?:[a-z]+)*=", id="repetition of a repetition"),
        pytest.param(r'"(?:[^"\\]|\\.)*"', id="text without its end"),
        pytest.param(r"<!--.*?-->", id="comment without its end"),
    ],
)
def test_quadratic_expression_is_detected(source: str) -> None:
    assert slowest(re.compile(source))
