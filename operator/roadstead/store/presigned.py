"""Presigned URLs of objects in the store: made, and told from those of keys that are no more."""

from __future__ import annotations

import datetime
from urllib.parse import parse_qs, urlsplit

from minio import Minio

from roadstead.api.location import StoreLocation

_DATE = "%Y%m%dT%H%M%SZ"


def presigned(
    client: Minio,
    location: StoreLocation,
    expires: datetime.timedelta,
    at: datetime.datetime | None = None,
) -> str:
    """A URL that reads the object until `expires` from `at` (now); nothing is asked."""
    return client.get_presigned_url(
        "GET", location.bucket, location.path, expires=expires, request_date=at
    )


def signed(client: Minio, location: StoreLocation, url: str) -> bool:
    """Whether it is what the client's keys make of its own date and lifetime."""
    query = parse_qs(urlsplit(url).query)
    try:
        at = datetime.datetime.strptime(query["X-Amz-Date"][0], _DATE)
        lifetime = datetime.timedelta(seconds=int(query["X-Amz-Expires"][0]))
        again = presigned(client, location, lifetime, at.replace(tzinfo=datetime.UTC))
    except (KeyError, ValueError):
        return False
    return again == url
