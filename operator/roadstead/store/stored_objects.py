"""Objects in the store: a client for it, what it says of an object, removing one."""

from __future__ import annotations

import dataclasses
import datetime
import ssl
from typing import Final

import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource
from minio.error import S3Error

from roadstead import s3
from roadstead.api.location import StoreLocation
from roadstead.errors import ObjectHidden, Retry, StoreError
from roadstead.store.faults import FAILURES, fault
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_fencing import fenced_pool

SHA256_METADATA: Final = "roadstead-sha256"
"""User metadata (`x-amz-meta-...`): the digest that the upload was begun for."""
SOURCE_ETAG_METADATA: Final = "roadstead-source-etag"
"""User metadata: the ETag of what it was read from."""
ANSWER_SECONDS: Final = 60.0
_ABSENT: Final = ("NoSuchKey", "NoSuchBucket")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredObject:
    """An object as the store describes it.

    `sha256` and `source_etag` are what its upload was begun with, None where that said nothing;
    only reading the object proves them.
    """

    size: int
    etag: str
    sha256: str | None
    source_etag: str | None = None
    last_modified: datetime.datetime | None = None


def minio_client(access: StoreAccess, *, answer_seconds: float = ANSWER_SECONDS) -> Minio:
    """A client whose requests raise StoreError too, where a file with a key can't be read.

    A store that says nothing for `answer_seconds` is given up: to ask again is for the caller.
    """
    is_encrypted = access.endpoint.startswith("https:")
    return s3.client(
        access.endpoint,
        region=access.region,
        addressing=access.addressing,
        read=access.credentials,
        pools=fenced_pool(
            access.fence,
            timeout=urllib3.Timeout(connect=5, read=answer_seconds),
            retries=urllib3.Retry(
                total=2,
                read=0,
                backoff_factor=0.2,
                status_forcelist=(500, 502, 503),
                raise_on_status=False,
                # MinIO asks for a minute while it starts, and would get a thread for so long.
                respect_retry_after_header=False,
            ),
            ssl_context=ssl.create_default_context() if is_encrypted else None,
        ),
    )


def check_endpoint(access: StoreAccess, location: StoreLocation) -> None:
    """Raise StoreError where the operator has no keys for the location's endpoint."""
    if location.endpoint.rstrip("/") != access.endpoint:
        raise StoreError(
            "StoreUnknown",
            f"there are keys for {access.endpoint} only, not for {location.endpoint}; "
            "leave minioEndpoint out or write the operator's",
            retry=Retry.ON_CHANGE,
        )


def stat(client: Minio, location: StoreLocation) -> StoredObject | None:
    """The object at `location`, None without one.

    Raises ObjectHidden where the keys may neither read it nor know that it isn't there, or another
    StoreError.
    """
    try:
        found = client.stat_object(location.bucket, location.path)
    except S3Error as error:
        if error.code in _ABSENT:
            return None
        if error.response.status in (400, 403):
            _check_absent(client, location)
            return None
        raise fault(error, f"looking at {location}") from None
    except FAILURES as error:
        raise fault(error, f"looking at {location}") from None
    metadata = found.metadata or {}
    return StoredObject(
        size=found.size or 0,
        etag=found.etag or "",
        sha256=metadata.get(f"x-amz-meta-{SHA256_METADATA}"),
        source_etag=metadata.get(f"x-amz-meta-{SOURCE_ETAG_METADATA}"),
        last_modified=found.last_modified,
    )


def _check_absent(client: Minio, location: StoreLocation) -> None:
    """Return where the object isn't there, else raise why HEAD was refused, without a body."""
    doing = f"looking at {location}"
    try:
        response = client.get_object(location.bucket, location.path, offset=0, length=1)
        response.close()
        response.release_conn()
    except S3Error as error:
        if error.code in _ABSENT:
            return
        if error.code != "AccessDenied":
            raise fault(error, doing) from None
    except FAILURES as error:
        raise fault(error, doing) from None
    if _is_listed(client, location):
        message = f"{doing}: the object is there, but can't be read; allow s3:GetObject"
        raise StoreError("StoreDenied", message)


def _is_listed(client: Minio, location: StoreLocation) -> bool:
    doing = f"looking at {location}"
    try:
        listed = client.list_objects(location.bucket, prefix=location.path, recursive=True)
        first = next(iter(listed), None)
    except S3Error as error:
        if error.code != "AccessDenied":
            raise fault(error, doing) from None
        raise ObjectHidden(
            "StoreDenied",
            f"{doing}: the store denies it (AccessDenied): the object is not there, or can't be "
            "read; allow s3:GetObject, and s3:ListBucket to tell one from the other",
        ) from None
    except FAILURES as error:
        raise fault(error, doing) from None
    return first is not None and first.object_name == location.path


def remove(client: Minio, location: StoreLocation, *, etag: str | None = None) -> bool:
    """Remove the object, with `etag` only if it is that one; says whether it did.

    S3 has no conditional delete that every server knows, so the ETag is looked at just before.
    Raises ObjectHidden where it can't be.
    """
    try:
        found = stat(client, location)
        if found is None or (etag is not None and found.etag != etag):
            return False
    except ObjectHidden:
        if etag is not None:
            raise
    try:
        client.remove_object(location.bucket, location.path)
    except FAILURES as error:
        raise fault(error, f"removing {location}") from None
    return True


def copy(client: Minio, source: StoreLocation, target: StoreLocation) -> None:
    """Put a copy of `source`, with its metadata, at `target`: the store does it by itself.

    It is refused should `source` become another object in between.
    """
    found = stat(client, source)
    etag = found.etag if found and found.etag else None
    metadata = {
        SHA256_METADATA: found.sha256 if found else None,
        SOURCE_ETAG_METADATA: found.source_etag if found else None,
    }
    try:
        client.compose_object(
            target.bucket,
            target.path,
            [ComposeSource(source.bucket, source.path, match_etag=etag)],
            metadata={
                f"x-amz-meta-{name}": value for name, value in metadata.items() if value is not None
            },
        )
    except FAILURES as error:
        raise fault(error, f"copying to {target}") from None
