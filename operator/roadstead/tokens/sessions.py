"""The console's session: the cookie that holds a token, where it counts, and how it ends (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Final, Protocol
from urllib.parse import urlsplit

from roadstead.tokens.claims import Claims

COOKIE: Final = "__Host-roadstead-session"
"""Browsers take this prefix only with Secure, for the path / and without a Domain (RFC 6265bis)."""
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Headers(Protocol):
    """Headers by name, case apart, each with all its values."""

    def getall(self, key: str, default: tuple[str, ...]) -> list[str] | tuple[str, ...]:
        """Every value of a header in the order of the request."""
        ...


def only(headers: Headers, name: str) -> str | None:
    """The one value of a header; None if there is none or more than one."""
    values = headers.getall(name, ())
    return values[0] if len(values) == 1 else None


def is_cross_origin(headers: Headers, *, method: str, origin: str) -> bool:
    """Whether a cookie may not count: another site could have had the browser send it.

    A browser says where a request that writes comes from in Origin, Sec-Fetch-Site or both
    (https://fetch.spec.whatwg.org/#origin-header, https://www.w3.org/TR/fetch-metadata/).
    """
    said, site = headers.getall("Origin", ()), headers.getall("Sec-Fetch-Site", ())
    if said and only(headers, "Origin") != origin:
        return True
    if method in _READING:
        return False
    if site and only(headers, "Sec-Fetch-Site") != "same-origin":
        return True
    return not said and not site


def origin_of(url: str) -> str:
    """In lower case and without the port that goes without saying (RFC 6454, 6.2)."""
    parts = urlsplit(url.lower())
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def session_id(claims: Claims) -> str:
    """What a session is known by once it has ended: a digest, so that no token's id is told."""
    named = [claims.issuer, claims.subject, claims.token_id, claims.issued_at, claims.expires_at]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def owner_id(claims: Claims) -> str:
    """What a subject is known by in the list of ended sessions: a short digest."""
    named = [claims.issuer, claims.subject]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:16]


def read_ended(text: str) -> dict[str, int]:
    """The sessions that were ended, and until when each has to be remembered, seconds since 1970.

    A line each; what is no such line is left out.
    """
    pairs = (line.split() for line in text.splitlines())
    return {
        pair[0]: int(pair[1])
        for pair in pairs
        if len(pair) == 2 and pair[1].isascii() and pair[1].isdigit() and len(pair[1]) < 16
    }


def write_ended(ended: Iterable[tuple[str, int]]) -> str:
    """The inverse of `read_ended`."""
    return "".join(f"{session} {until}\n" for session, until in ended)
