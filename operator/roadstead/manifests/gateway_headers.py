"""The headers that the gateway forwards between callers and servers (pure)."""

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
"""The headers of a request that a server gets; those of the last line are set by forward auth.

An allow-list, since llama-server has its own headers (with `X-Conversation-Id`, any caller of the
server who knows the id can read an answer), and some programs treat `X_Auth_Subject` as
`X-Auth-Subject` (GHSA-x677-9fxg-v5c5).
"""

_REMOVED: Final = (
    # Headers that a browser would store for the whole origin, the console's pages included.
    *("Set-Cookie", "Clear-Site-Data", "Service-Worker-Allowed", "Strict-Transport-Security"),
    *("Alt-Svc", "NEL", "Report-To", "Reporting-Endpoints", "Accept-CH"),
    # Headers that would redirect a browser, or make it prompt for a password.
    *("Location", "Refresh", "Link", "WWW-Authenticate"),
    # llama-server allows every origin to read its responses.
    *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"),
)
RESPONSE_HEADERS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_REMOVED, ""),
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A cached response would be shown without a request to forward auth.
    "Cache-Control": "no-store",
}
"""The headers of every response, as Traefik's `customResponseHeaders`: empty removes the header.

A response that a browser shows as a page runs no script, loads nothing and has its own origin.
"""


def none_of(names: Iterable[str]) -> str:
    """A regular expression that matches all header names but these, in any case.

    Go's regular expressions (RE2) have no lookahead, so it compares the names letter by letter.
    """
    return f"(?i)^{_rest_of_none({name.lower() for name in names})}$"


def _rest_of_none(rests: set[str]) -> str:
    """Matches what completes no name, where each of `rests` would complete one."""
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
