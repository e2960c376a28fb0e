"""Texts that are hard for a regular expression: repetitions of its own tokens without a match.

A token is any run of neighbouring elements of the expression, each replaced by a text that it
matches: `x-`, `amz`, `-`, `x-amz-`, `a`, `=`, ... for `x-(?:amz|goog)-[a-z-]+=`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

_parser: Any = importlib.import_module("re._parser")
_PROBES: Final = "a0 AZ9_-./?&=:;,'\"\\\n\x00~\u00e9"
_NEIGHBOURS: Final = 4
_CHOICES: Final = 3
_REPEATS: Final = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_CATEGORIES: Final = {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}
_ENDS: Final = ("", "\x00", "a")
"""At least one of them is not in a class that the token belongs to."""


def hostile(pattern: re.Pattern[Any]) -> Iterator[tuple[str, str, str]]:
    """Start, repeated token and end of each text."""
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    tokens: set[str] = set()
    flags = pattern.flags & ~re.UNICODE & ~re.DEBUG
    whole = _sequence(list(_parser.parse(text, flags)), tokens)
    for begin in dict.fromkeys(("", whole[0])):
        for token in sorted(tokens):
            for end in _ENDS:
                yield begin, token, end


def _sequence(items: Sequence[tuple[Any, Any]], tokens: set[str]) -> list[str]:
    """Texts that the sequence matches; those of neighbouring elements are added to `tokens`."""
    parts = [_texts(str(op), argument, tokens) for op, argument in _words(items)]
    for start in range(len(parts)):
        for end in range(start + 1, min(start + _NEIGHBOURS, len(parts)) + 1):
            tokens.update(filter(None, _joined(parts[start:end])))
    return _joined(parts)


def _words(items: Sequence[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    """The elements, with consecutive letters merged into one."""
    word = ""
    for op, argument in items:
        if str(op) == "LITERAL":
            word += chr(argument)
            continue
        if word:
            yield "WORD", word
            word = ""
        yield str(op), argument
    if word:
        yield "WORD", word


def _joined(parts: Sequence[list[str]]) -> list[str]:
    """The first text of each part, and variants with one other text."""
    first = [choices[0] for choices in parts]
    found = ["".join(first)]
    for at, choices in enumerate(parts):
        for other in choices[1:_CHOICES]:
            found.append("".join([*first[:at], other, *first[at + 1 :]]))
    return found


def _texts(op: str, argument: Any, tokens: set[str]) -> list[str]:
    """Texts that one element matches; an empty one if it matches nothing."""
    if op == "WORD":
        return [argument]
    if op == "NOT_LITERAL":
        return [next(probe for probe in _PROBES if ord(probe) != argument)]
    if op == "IN":
        return _of_class(argument)
    if op in _REPEATS:
        least, _, items = argument
        return [text * max(1, least) for text in _sequence(list(items), tokens)]
    if op == "SUBPATTERN":
        return _sequence(list(argument[3]), tokens)
    if op == "ATOMIC_GROUP":
        return _sequence(list(argument), tokens)
    if op == "BRANCH":
        return [text for items in argument[1] for text in _sequence(list(items), tokens)]
    if op in ("ASSERT", "ASSERT_NOT"):
        _sequence(list(argument[1]), tokens)
    return ["a", '"'] if op == "ANY" else [""]


def _of_class(items: Sequence[tuple[Any, Any]]) -> list[str]:
    """One character for each part of a class; for a negated class, one that it does not name."""
    if str(items[0][0]) == "NEGATE":
        named = set("".join(_members(items[1:])))
        return [next(probe for probe in _PROBES if probe not in named)]
    return [member[0] for member in _members(items)]


def _members(items: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    for op, argument in items:
        match str(op):
            case "LITERAL":
                yield chr(argument)
            case "RANGE":
                low, high = argument
                yield "".join(map(chr, range(low, min(high, low + 255) + 1)))
            case _:
                yield _CATEGORIES.get(str(argument), "a")
