"""Strict JSON: no duplicate keys, no NaN, no deep nesting."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 16
_STRING: Final = re.compile(rb'"[^"]*+"?')
"""A string without escapes. The closing quote is optional, so that matching takes linear time."""
_STEPS: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS: Final = bytes(set(range(256)) - _STEPS.keys())


def loads_object(data: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Parse an object in UTF-8 JSON (RFC 8259); raises ValueError, which never quotes it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    if _depth(data) > max_depth:
        raise ValueError(f"is nested deeper than {max_depth} levels")
    try:
        value = json.loads(text, object_pairs_hook=_check_unique, parse_constant=_refuse_constant)
        if b"\\u" in data:
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


def _depth(data: bytes) -> int:
    """Return the nesting; of text that is not JSON, at least that of what precedes the fault."""
    # Escaped backslashes first: of the backslashes before a quote, an odd one escapes it.
    unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = _STRING.sub(b"", unescaped).translate(None, _NO_BRACKETS)
    return max(itertools.accumulate(map(_STEPS.__getitem__, brackets)), default=0)
