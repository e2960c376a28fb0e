"""The store for the operator: minio-py in threads, with errors of ours."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from collections.abc import Callable
from typing import TypeVar

from minio import Minio
from minio.error import S3Error

from roadstead.api.location import StoreLocation
from roadstead.errors import UploadMissing
from roadstead.store.access import Credentials, StoreAccess
from roadstead.store.faults import FAILURES, fault
from roadstead.store.multipart import Multipart
from roadstead.store.objects import (
    StoredObject,
    check_endpoint,
    copy,
    minio_client,
    remove,
    stat,
)

__all__ = ["MinioStore", "StoredObject"]

_T = TypeVar("_T")


class MinioStore:
    """What the operator asks of the store; every method raises StoreError."""

    def __init__(self, access: StoreAccess) -> None:
        self._access = access
        self._made: tuple[Credentials, Minio] | None = None

    async def stat(self, location: StoreLocation) -> StoredObject | None:
        """The object at `location`, None without one."""
        return await self._run(location, lambda client: stat(client, location))

    async def remove(self, location: StoreLocation, etag: str | None = None) -> bool:
        """Remove the object, with `etag` only if it is that one; says whether it did."""
        return await self._run(location, lambda client: remove(client, location, etag=etag))

    async def copy(self, source: StoreLocation, target: StoreLocation) -> None:
        """Put a copy of `source`, with its metadata, at `target`, within the store."""
        await self._run(target, lambda client: copy(client, source, target))

    async def abort_upload(self, location: StoreLocation, upload_id: str) -> None:
        """Abort a multipart upload of exactly this key; one that is gone already is fine."""
        multipart = Multipart(self._access)

        def abort() -> None:
            check_endpoint(self._access, location)
            with contextlib.suppress(UploadMissing):
                multipart.abort(location, upload_id)

        await asyncio.to_thread(abort)

    async def abort_unfinished(self, location: StoreLocation) -> None:
        """Abort all multipart uploads of exactly this key that the store knows of."""
        multipart = Multipart(self._access)

        def abort() -> None:
            check_endpoint(self._access, location)
            for upload_id in multipart.unfinished(location):
                with contextlib.suppress(UploadMissing):
                    multipart.abort(location, upload_id)

        await asyncio.to_thread(abort)

    async def presigned_get(self, location: StoreLocation, expires: datetime.timedelta) -> str:
        """A URL that reads the one object until `expires` from now (7 days at most)."""
        return await self._run(
            location,
            lambda client: client.get_presigned_url(
                "GET", location.bucket, location.path, expires=expires
            ),
        )

    async def ensure_bucket(self, bucket: str | None = None) -> None:
        """Make the bucket (default: the operator's) if it isn't there."""
        name = bucket or self._access.bucket
        where = StoreLocation(endpoint=self._access.endpoint, bucket=name, path="")

        def ensure(client: Minio) -> None:
            try:
                if not client.bucket_exists(name):
                    client.make_bucket(name)
            except S3Error as error:
                # Another replica was quicker.
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

        await self._run(where, ensure)

    async def _run(self, location: StoreLocation, work: Callable[[Minio], _T]) -> _T:
        def run() -> _T:
            check_endpoint(self._access, location)
            try:
                return work(self._client())
            except FAILURES as error:
                raise fault(error, f"the store at {self._access.endpoint}") from None

        return await asyncio.to_thread(run)

    def _client(self) -> Minio:
        """One for as long as the keys are the same: making one costs more than signing a URL."""
        keys = self._access.credentials()
        if self._made is None or self._made[0] != keys:
            self._made = keys, minio_client(self._access)
        return self._made[1]
