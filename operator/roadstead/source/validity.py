"""Reads from a presigned URL's query when the URL is valid. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Final
from urllib.parse import parse_qs

MAX_QUERY: Final = 16 * 2**10
_DATE: Final = "%Y%m%dT%H%M%SZ"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Validity:
    """The interval in which a URL is valid; None if a side is unbounded."""

    start: datetime.datetime | None
    end: datetime.datetime | None

    def is_expired(self, now: datetime.datetime) -> bool:
        """Whether the URL has expired at `now`."""
        return self.end is not None and now >= self.end

    def is_not_yet_valid(self, now: datetime.datetime) -> bool:
        """Whether the URL is not valid yet at `now`."""
        return self.start is not None and now < self.start


def parse_validity(resource: str) -> Validity | None:
    """Parse a URL's path and query; returns None if there is no supported signature.

    Supported are the signatures of S3 (versions 4 and 2), Google (`X-Goog-`) and Azure.
    """
    query = parse_qs(resource.partition("?")[2][:MAX_QUERY])
    first = {name.lower(): values[0] for name, values in query.items()}
    try:
        return _signed_v4(first) or _signed_v2(first) or _azure(first)
    except (ValueError, OverflowError):
        return None


def _signed_v4(query: dict[str, str]) -> Validity | None:
    for prefix in ("x-amz-", "x-goog-"):
        date, seconds = query.get(f"{prefix}date"), query.get(f"{prefix}expires")
        if date and seconds:
            start = datetime.datetime.strptime(date, _DATE).replace(tzinfo=datetime.UTC)
            return Validity(start=start, end=start + datetime.timedelta(seconds=int(seconds)))
    return None


def _signed_v2(query: dict[str, str]) -> Validity | None:
    expires = query.get("expires")
    if not expires:
        return None
    return Validity(start=None, end=datetime.datetime.fromtimestamp(int(expires), datetime.UTC))


def _azure(query: dict[str, str]) -> Validity | None:
    start, end = query.get("st"), query.get("se")
    if not end or "sig" not in query:
        return None
    return Validity(start=_iso(start) if start else None, end=_iso(end))


def _iso(text: str) -> datetime.datetime:
    found = datetime.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
