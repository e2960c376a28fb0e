"""The operator's client of the store: minio-py in threads, with errors as StoreErrors.

A store that accepts connections and is silent must delay only the work that needs it: requests
have a short timeout, requests after a failure fail at once for some seconds, and the client has
its own threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from minio import Minio
from minio.error import S3Error

from roadstead.api.model import StoreLocation
from roadstead.errors import StoreInterrupted, UploadMissing
from roadstead.store.faults import CLIENT_ERRORS, translate_error
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.store.stored_objects import (
    StoredObject,
    check_endpoint,
    copy,
    minio_client,
    remove,
    stat,
)

__all__ = ["MinioStore", "StoredObject"]

_DATE = "%Y%m%dT%H%M%SZ"
_T = TypeVar("_T")
QUERY_TIMEOUT_SECONDS: Final = 10.0
"""Timeout of requests that a store answers from its index: stat, list, remove."""
FAILURE_PAUSE_SECONDS: Final = 5.0
"""For this long after a failure, requests fail with the same error and are not sent."""
_THREADS: Final = 8


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


class MinioStore:
    """The operator's requests to the store; every method raises StoreError."""

    def __init__(self, access: StoreAccess) -> None:
        self._access = access
        self._clients: dict[float, Minio] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")
        self._last_failure: StoreInterrupted | None = None
        self._paused_until = 0.0

    async def stat(self, location: StoreLocation) -> StoredObject | None:
        """Return the object at `location`, or None."""
        return await self._run(location, lambda client: stat(client, location))

    async def remove(self, location: StoreLocation, etag: str | None = None) -> bool:
        """Remove the object, with `etag` only if it matches; returns whether it was removed."""
        return await self._run(location, lambda client: remove(client, location, etag=etag))

    async def copy(self, source: StoreLocation, target: StoreLocation) -> None:
        """Copy `source` with its metadata to `target`, within the store."""

        def work() -> None:
            check_endpoint(self._access, target)
            copy(self._client, source, target)

        await self._run_in_thread(work)

    async def abort_upload(self, location: StoreLocation, upload_id: str) -> None:
        """Abort a multipart upload of exactly this key, if it still exists."""
        multipart = Multipart(self._access)

        def abort() -> None:
            check_endpoint(self._access, location)
            with contextlib.suppress(UploadMissing):
                multipart.abort(location, upload_id)

        await self._run_in_thread(abort)

    async def abort_unfinished(self, location: StoreLocation) -> None:
        """Abort all multipart uploads of exactly this key that the store lists."""
        multipart = Multipart(self._access)

        def abort() -> None:
            check_endpoint(self._access, location)
            for upload_id in multipart.list_unfinished(location):
                with contextlib.suppress(UploadMissing):
                    multipart.abort(location, upload_id)

        await self._run_in_thread(abort)

    async def presigned_get(self, location: StoreLocation, expires: datetime.timedelta) -> str:
        """Return a URL that reads the object until `expires` from now (at most 7 days).

        It is computed from the current keys; no request is sent.
        """
        check_endpoint(self._access, location)
        return presign(self._client(QUERY_TIMEOUT_SECONDS), location, expires)

    def signed(self, url: str, location: StoreLocation) -> bool:
        """Whether a presigned URL of this object was signed with the current keys."""
        return is_signed_by(self._client(QUERY_TIMEOUT_SECONDS), location, url)

    async def ensure_bucket(self, bucket: str | None = None) -> None:
        """Create the bucket (default: the operator's) if it doesn't exist."""
        name = bucket or self._access.bucket
        where = StoreLocation(endpoint=self._access.endpoint, bucket=name, path="")

        def ensure(client: Minio) -> None:
            try:
                if not _bucket_exists(client, name):
                    client.make_bucket(name)
            except S3Error as error:
                # Another replica created it first.
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

        await self._run(where, ensure)

    async def _run(
        self,
        location: StoreLocation,
        work: Callable[[Minio], _T],
    ) -> _T:
        def run() -> _T:
            check_endpoint(self._access, location)
            try:
                return work(self._client(QUERY_TIMEOUT_SECONDS))
            except CLIENT_ERRORS as error:
                raise translate_error(error, f"the store at {self._access.endpoint}") from None

        return await self._run_in_thread(run)

    async def _run_in_thread(self, work: Callable[[], _T]) -> _T:
        """Run `work` in a thread; raises the last failure again while requests are paused."""
        if self._last_failure is not None and time.monotonic() < self._paused_until:
            raise type(self._last_failure)(self._last_failure.reason, str(self._last_failure))
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except StoreInterrupted as error:
            self._last_failure, self._paused_until = error, time.monotonic() + FAILURE_PAUSE_SECONDS
            raise
        self._last_failure = None
        return result

    def _client(self, response_seconds: float) -> Minio:
        """Return the cached client with this timeout: creating one is slower than signing a URL."""
        client = self._clients.get(response_seconds)
        if client is None:
            client = self._clients[response_seconds] = minio_client(
                self._access, response_seconds=response_seconds
            )
        return client


def _bucket_exists(client: Minio, name: str) -> bool:
    """Whether the bucket exists; also True if the keys may not know: later requests then fail."""
    try:
        return client.bucket_exists(name)
    except S3Error as error:
        if error.response.status not in (400, 403):
            raise
    # The response to HEAD has no body with the cause.
    try:
        next(iter(client.list_objects(name)), None)
    except S3Error as error:
        if error.code == "NoSuchBucket":
            return False
        if error.code != "AccessDenied":
            raise
    return True
