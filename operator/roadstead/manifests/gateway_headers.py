"""Which headers pass between callers and servers (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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

_REMOVED: Final = (
    # What a browser would keep for the whole origin, the console's pages included.
    *("Set-Cookie", "Clear-Site-Data", "Service-Worker-Allowed", "Strict-Transport-Security"),
    *("Alt-Svc", "NEL", "Report-To", "Reporting-Endpoints", "Accept-CH"),
    # What would lead a browser elsewhere, or have it ask for a password.
    *("Location", "Refresh", "Link", "WWW-Authenticate"),
    # llama-server lets every origin read its answers.
    *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"),
)
RESPONSE_HEADERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_REMOVED, ""),
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    # What a browser kept would be shown without another question to forward auth.
    "Cache-Control": "no-store",
}
"""Of every answer of a server, as Traefik's `customResponseHeaders`: empty removes the header.

An answer shown as a page runs no script, loads nothing and has an origin of its own.
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
