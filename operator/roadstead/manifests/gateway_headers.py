"""Which headers of callers reach servers (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

REQUEST_HEADERS: Final = (
    *("Accept", "Accept-Encoding", "Accept-Language", "User-Agent"),
    *("Content-Encoding", "Content-Length", "Content-Type"),
    *("Traceparent", "Tracestate", "X-Request-Id"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip"),
    *("Authorization", "X-Auth-Groups", "X-Auth-Subject"),
)
"""All that a server gets of a request's headers, the last line from forward auth.

An allow-list, since llama-server acts on headers of its own (`X-Conversation-Id` lets anyone on the
server read an answer who knows the id), and others take `X_Auth_Subject` for `X-Auth-Subject`
(GHSA-x677-9fxg-v5c5).
"""


def none_of(names: Iterable[str]) -> str:
    """A regular expression that matches all header names but these, in any case.

    Go's regular expressions (RE2) have no lookahead, so it follows the names letter by letter.
    """
    return f"(?i)^{_rest_of_none({name.lower() for name in names})}$"


def _rest_of_none(rests: set[str]) -> str:
    """Matches what makes no name, where each of `rests` would complete one."""
    tails: dict[str, set[str]] = {}
    for rest in rests - {""}:
        tails.setdefault(rest[0], set()).add(rest[1:])
    if not tails:
        return ".+"
    ways = [re.escape(first) + _rest_of_none(tails[first]) for first in sorted(tails)]
    ways.append(f"[^{''.join(map(re.escape, sorted(tails)))}].*")
    if "" not in rests:
        ways.append("")
    return f"(?:{'|'.join(ways)})"
