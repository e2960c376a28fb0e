"""The console's sessions: the cookie, when it is accepted, and the ended sessions (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Final, Protocol
from urllib.parse import urlsplit

from roadstead.tokens.claims import Claims

COOKIE: Final = "__Host-roadstead-session"
"""Browsers accept this prefix only with Secure, the path / and without a Domain (RFC 6265bis)."""
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Headers(Protocol):
    """Headers by case-insensitive name, each with all its values."""

    def getall(self, key: str, default: tuple[str, ...]) -> list[str] | tuple[str, ...]:
        """Return all values of a header in the order of the request."""
        ...


def only(headers: Headers, name: str) -> str | None:
    """Return the only value of a header; None if there is none or more than one."""
    values = headers.getall(name, ())
    return values[0] if len(values) == 1 else None


def is_cross_origin(headers: Headers, *, method: str, origin: str) -> bool:
    """Whether to ignore a cookie, because another site may have caused the request.

    A browser states the origin of a request that writes in Origin, Sec-Fetch-Site or both
    (https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/).
    """
    origins, sites = headers.getall("Origin", ()), headers.getall("Sec-Fetch-Site", ())
    if origins and only(headers, "Origin") != origin:
        return True
    if method in _READING:
        return False
    if sites and only(headers, "Sec-Fetch-Site") != "same-origin":
        return True
    return not origins and not sites


def origin_of(url: str) -> str:
    """Return the origin, in lower case and without a default port (RFC 6454, 6.2)."""
    parts = urlsplit(url.lower())
    default_port = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(default_port)}"


def session_id(claims: Claims) -> str:
    """Return the id of a session in the list of ended sessions: a digest hides the token's id."""
    named = [claims.issuer, claims.subject, claims.token_id, claims.issued_at, claims.expires_at]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def owner_id(claims: Claims) -> str:
    """Return the id of a subject in the list of ended sessions: a short digest."""
    named = [claims.issuer, claims.subject]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]


def read_ended(text: str) -> dict[str, int]:
    """Parse ended sessions, one per line, each with the time until it must be kept.

    Times are seconds since 1970; invalid lines are ignored.
    """
    pairs = (line.split() for line in text.splitlines())
    return {
        pair[0]: int(pair[1])
        for pair in pairs
        if len(pair) == 2 and pair[1].isascii() and pair[1].isdigit() and len(pair[1]) < 16
    }


def write_ended(ended: Iterable[tuple[str, int]]) -> str:
    """Format ended sessions for `read_ended`."""
    return "".join(f"{session} {until}\n" for session, until in ended)
