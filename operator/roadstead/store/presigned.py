"""Creates presigned URLs of objects, and detects those that were signed with earlier keys."""

from __future__ import annotations

import datetime
from urllib.parse import parse_qs, urlsplit

from minio import Minio

from roadstead.api.location import StoreLocation

_DATE = "%Y%m%dT%H%M%SZ"


def presign(
    client: Minio,
    location: StoreLocation,
    expires: datetime.timedelta,
    at: datetime.datetime | None = None,
) -> str:
    """Return a URL that reads the object until `expires` after `at` (now); sends no request."""
    return client.get_presigned_url(
        "GET", location.bucket, location.path, expires=expires, request_date=at
    )


def is_signed_by(client: Minio, location: StoreLocation, url: str) -> bool:
    """Whether the client's keys produce the same URL for its date and lifetime."""
    query = parse_qs(urlsplit(url).query)
    try:
        at = datetime.datetime.strptime(query["X-Amz-Date"][0], _DATE)
        lifetime = datetime.timedelta(seconds=int(query["X-Amz-Expires"][0]))
        again = presign(client, location, lifetime, at.replace(tzinfo=datetime.UTC))
    except (KeyError, ValueError):
        return False
    return again == url
