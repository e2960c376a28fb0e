"""Strict JSON: no duplicate keys, no NaN, no deep nesting."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 16
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
"""The closing quote is optional, so that matching takes linear time."""
_NOT_A_BRACKET: Final = re.compile(r"[^\[\]{}]+")


def loads_object(data: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Parse an object in UTF-8 JSON (RFC 8259); raises ValueError, which never quotes it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if _depth(text) > max_depth:
        raise ValueError(f"is nested deeper than {max_depth} levels")
    try:
        value = json.loads(text, object_pairs_hook=_check_unique, parse_constant=_refuse_constant)
        # A lone surrogate (`\\ud800`) can be parsed, but not encoded again.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except _Refused:
        raise
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


class _Refused(ValueError):
    """JSON that is valid, but refused here."""


def _check_unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # RFC 8725, 2.4: parsers differ in which of two equal keys they use.
        raise _Refused("has a duplicate key")
    return members


def _refuse_constant(_: str) -> NoReturn:
    raise _Refused("contains NaN or Infinity")


def _depth(text: str) -> int:
    depth = deepest = 0
    for bracket in _NOT_A_BRACKET.sub("", _STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
