"""What containers report when they end: their messages, shortened to one line, and exit codes."""

from __future__ import annotations

import re
from collections.abc import Iterable

KILLED = 137

_MEANINGS = {
    132: "the image needs CPU instructions that this node lacks: use an image that is built for "
    "the node's CPU, or choose other nodes with spec.config.nodeSelector",
    134: "it aborted, because an internal check failed",
    135: "it crashed, because a mapped file could not be read",
    136: "it crashed with an arithmetic error",
    KILLED: "it was killed, and not for its memory limit: the startup or liveness probe failed "
    "(loading may take spec.config.startupTimeoutSeconds), or the node ran short of memory or "
    "was shut down; see the pod's Events",
    139: "it crashed",
    143: "it was terminated before it was ready",
}

_LINES = 3
_LENGTH = 400
_SEARCHED = 1024
"""Characters of a message that are searched; a tenant's container may write up to 4,096."""
_CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")
# The name excludes question marks: the search for an = restarts at each of them.
_QUERY = re.compile(r"\?[^\s\"'?=]*+=[^\s\"']*")


def exit_meaning(code: object) -> str:
    """The meaning of an exit code; empty if only the log has the cause."""
    return _MEANINGS.get(code, "") if isinstance(code, int) else ""


def shorten(text: str) -> str:
    """The last lines of a message, short, without control characters or the query of a URL."""
    lines = [printable(line) for line in _cut(str(text)).splitlines()]
    return join_lines([line for line in lines if line][-_LINES:])


def printable(line: str) -> str:
    """A line without control characters and surrounding blanks."""
    return _CONTROL.sub("", line).strip()


def join_lines(lines: Iterable[str]) -> str:
    """Whole printable lines as one, short and without the query of a URL."""
    return _QUERY.sub("?...", " | ".join(lines))[:_LENGTH]


def _cut(text: str) -> str:
    """The whole lines at the end that fit into the limit, else the beginning of the last line.

    Never only the end of a line: it may be part of a query without its question mark.
    """
    if len(text) <= _SEARCHED:
        return text
    whole = text[-_SEARCHED:].partition("\n")[2]
    return whole if whole.strip() else text.rstrip().rpartition("\n")[2][:_SEARCHED]
