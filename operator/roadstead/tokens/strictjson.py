"""JSON that is read in one way only: no duplicate keys, no NaN, no deep nesting."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 16
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""The closing quote is optional, so that one pass consumes whatever there is: linear time."""
_NOT_A_BRACKET: Final = re.compile(r"[^\[\]{}]+")


def loads_object(data: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """An object of UTF-8 JSON (RFC 8259); ValueError says what is wrong, without quoting it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if _depth(text) > max_depth:
        raise ValueError(f"is nested deeper than {max_depth} levels")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        # A lone surrogate (`\\ud800`) can be parsed, but never be written anywhere again.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except _Refused:
        raise
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


class _Refused(ValueError):
    """JSON that the grammar allows and we don't."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # RFC 8725, 2.4: two parsers that take another one of two equal keys can be played off.
        raise _Refused("has a key twice")
    return members


def _no_constant(_: str) -> NoReturn:
    raise _Refused("holds NaN or Infinity")


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _NOT_A_BRACKET.sub("", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
