"""Objects in the store: creates clients; reads, copies and removes objects."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Final

import urllib3
from minio import Minio
from minio.commonconfig import ComposeSource
from minio.error import S3Error

from roadstead import s3
from roadstead.api.model import StoreLocation
from roadstead.errors import ObjectHidden, Retry, StoreError
from roadstead.store.faults import CLIENT_ERRORS, translate_error
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_fencing import fenced_pool
from roadstead.store.wire import copy_timeout_seconds

SHA256_METADATA: Final = "roadstead-sha256"
"""User metadata (`x-amz-meta-...`): the expected sha256 when the upload was created."""
SOURCE_ETAG_METADATA: Final = "roadstead-source-etag"
"""User metadata: the ETag of the source object."""
RESPONSE_TIMEOUT_SECONDS: Final = 60.0
_ABSENT_CODES: Final = ("NoSuchKey", "NoSuchBucket")


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoredObject:
    """An object as the store describes it.

    `sha256` and `source_etag` are from the upload's metadata, None if absent; they are claims
    until the object is read and verified.
    """

    size: int
    etag: str
    sha256: str | None
    source_etag: str | None = None
    last_modified: datetime.datetime | None = None


def minio_client(
    access: StoreAccess, *, response_seconds: float = RESPONSE_TIMEOUT_SECONDS
) -> Minio:
    """Create a client whose requests also raise StoreError, if a file with a key can't be read.

    A request times out after `response_seconds` of silence; the caller retries.
    """
    return s3.client(
        access.endpoint,
        region=access.region,
        addressing=access.addressing,
        read=access.credentials,
        pools=fenced_pool(
            access.fence,
            access.authorities,
            timeout=urllib3.Timeout(connect=5, read=response_seconds),
            retries=urllib3.Retry(
                total=2,
                read=0,
                backoff_factor=0.2,
                status_forcelist=(500, 502, 503),
                raise_on_status=False,
                # MinIO requests a minute while it starts, which would block a thread for as long.
                respect_retry_after_header=False,
            ),
        ),
    )


def check_endpoint(access: StoreAccess, location: StoreLocation) -> None:
    """Raise StoreError if the operator has no keys for the location's endpoint."""
    if location.endpoint.rstrip("/") != access.endpoint:
        raise StoreError(
            "StoreUnknown",
            f"the operator has no keys for {location.endpoint}, only for {access.endpoint}; "
            "remove minioEndpoint or set it to the operator's",
            retry=Retry.ON_CHANGE,
        )


def stat(client: Minio, location: StoreLocation) -> StoredObject | None:
    """Return the object at `location`, or None.

    Raises ObjectHidden if the keys may neither read it nor learn whether it exists, or another
    StoreError.
    """
    try:
        found = client.stat_object(location.bucket, location.path)
    except S3Error as error:
        if error.code in _ABSENT_CODES:
            return None
        if error.response.status in (400, 403):
            _check_absent(client, location)
            return None
        raise translate_error(error, f"reading {location}") from None
    except CLIENT_ERRORS as error:
        raise translate_error(error, f"reading {location}") from None
    metadata = found.metadata or {}
    return StoredObject(
        size=found.size or 0,
        etag=found.etag or "",
        sha256=metadata.get(f"x-amz-meta-{SHA256_METADATA}"),
        source_etag=metadata.get(f"x-amz-meta-{SOURCE_ETAG_METADATA}"),
        last_modified=found.last_modified,
    )


def _check_absent(client: Minio, location: StoreLocation) -> None:
    """Return if the object doesn't exist, else raise why HEAD (without a body) was refused."""
    action = f"reading {location}"
    try:
        response = client.get_object(location.bucket, location.path, offset=0, length=1)
        response.close()
        response.release_conn()
    except S3Error as error:
        if error.code in _ABSENT_CODES:
            return
        if error.code != "AccessDenied":
            raise translate_error(error, action) from None
    except CLIENT_ERRORS as error:
        raise translate_error(error, action) from None
    if _is_listed(client, location):
        message = f"{action}: the object exists, but can't be read; allow s3:GetObject"
        raise StoreError("StoreDenied", message)


def _is_listed(client: Minio, location: StoreLocation) -> bool:
    action = f"reading {location}"
    try:
        listed = client.list_objects(location.bucket, prefix=location.path, recursive=True)
        first = next(iter(listed), None)
    except S3Error as error:
        if error.code != "AccessDenied":
            raise translate_error(error, action) from None
        raise ObjectHidden(
            "StoreDenied",
            f"{action}: the store denied access (AccessDenied): the object doesn't exist or can't "
            "be read; allow s3:GetObject, and s3:ListBucket to distinguish the two",
        ) from None
    except CLIENT_ERRORS as error:
        raise translate_error(error, action) from None
    return first is not None and first.object_name == location.path


def remove(client: Minio, location: StoreLocation, *, etag: str | None = None) -> bool:
    """Remove the object, with `etag` only if it matches; returns whether it was removed.

    Not every S3 server has conditional deletes, so the ETag is compared right before. Raises
    ObjectHidden if it can't be read.
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
    except CLIENT_ERRORS as error:
        raise translate_error(error, f"removing {location}") from None
    return True


def copy(
    client_for: Callable[[float], Minio], source: StoreLocation, target: StoreLocation
) -> None:
    """Copy `source` with its metadata to `target`, within the store.

    `client_for` returns a client whose requests time out after so many seconds. The copy is refused
    if `source` was replaced in the meantime.
    """
    found = stat(client_for(RESPONSE_TIMEOUT_SECONDS), source)
    etag = found.etag if found and found.etag else None
    metadata = {
        SHA256_METADATA: found.sha256 if found else None,
        SOURCE_ETAG_METADATA: found.source_etag if found else None,
    }
    client = client_for(copy_timeout_seconds(found.size if found else 0))
    try:
        client.compose_object(
            target.bucket,
            target.path,
            [ComposeSource(source.bucket, source.path, match_etag=etag)],
            metadata={
                f"x-amz-meta-{name}": value for name, value in metadata.items() if value is not None
            },
        )
    except CLIENT_ERRORS as error:
        raise translate_error(error, f"copying to {target}") from None
