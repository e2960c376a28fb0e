"""The store for the operator: minio-py in threads, with errors of ours.

A store that takes connections and says nothing must hold up nothing but what needs it: a question
is given up soon, the next ones are not asked for a moment, and the threads are the store's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from minio import Minio
from minio.error import S3Error

from roadstead.api.location import StoreLocation
from roadstead.errors import StoreInterrupted, UploadMissing
from roadstead.store.faults import FAILURES, fault
from roadstead.store.multipart import Multipart
from roadstead.store.presigned import presigned, signed
from roadstead.store.store_access import StoreAccess
from roadstead.store.stored_objects import (
    ANSWER_SECONDS,
    StoredObject,
    check_endpoint,
    copy,
    minio_client,
    remove,
    stat,
)

__all__ = ["MinioStore", "StoredObject"]

_T = TypeVar("_T")

QUESTION_SECONDS: Final = 10.0
"""How long an answer is waited for that a store has at hand."""
RESPITE_SECONDS: Final = 5.0
"""For so long a store that did not answer is asked nothing more."""
_THREADS: Final = 8


class MinioStore:
    """What the operator asks of the store; every method raises StoreError."""

    def __init__(self, access: StoreAccess) -> None:
        self._access = access
        self._made: dict[float, Minio] = {}
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")
        self._silence: StoreInterrupted | None = None
        self._silent_until = 0.0

    async def stat(self, location: StoreLocation) -> StoredObject | None:
        """The object at `location`, None without one."""
        return await self._run(location, lambda client: stat(client, location))

    async def remove(self, location: StoreLocation, etag: str | None = None) -> bool:
        """Remove the object, with `etag` only if it is that one; says whether it did."""
        return await self._run(location, lambda client: remove(client, location, etag=etag))

    async def copy(self, source: StoreLocation, target: StoreLocation) -> None:
        """Put a copy of `source`, with its metadata, at `target`, within the store."""
        work = functools.partial(copy, source=source, target=target)
        await self._run(target, work, answer_seconds=ANSWER_SECONDS)

    async def abort_upload(self, location: StoreLocation, upload_id: str) -> None:
        """Abort a multipart upload of exactly this key; one that is gone already is fine."""
        multipart = Multipart(self._access)

        def abort() -> None:
            check_endpoint(self._access, location)
            with contextlib.suppress(UploadMissing):
                multipart.abort(location, upload_id)

        await self._ask(abort)

    async def abort_unfinished(self, location: StoreLocation) -> None:
        """Abort all multipart uploads of exactly this key that the store knows of."""
        multipart = Multipart(self._access)

        def abort() -> None:
            check_endpoint(self._access, location)
            for upload_id in multipart.unfinished(location):
                with contextlib.suppress(UploadMissing):
                    multipart.abort(location, upload_id)

        await self._ask(abort)

    async def presigned_get(self, location: StoreLocation, expires: datetime.timedelta) -> str:
        """A URL that reads the one object until `expires` from now (7 days at most).

        It is computed here, by the keys as they are now, whatever the store is doing.
        """
        check_endpoint(self._access, location)
        return presigned(self._client(QUESTION_SECONDS), location, expires)

    def signed(self, url: str, location: StoreLocation) -> bool:
        """Whether a presigned URL of this object is one by the keys as they are now."""
        return signed(self._client(QUESTION_SECONDS), location, url)

    async def ensure_bucket(self, bucket: str | None = None) -> None:
        """Make the bucket (default: the operator's) if it isn't there."""
        name = bucket or self._access.bucket
        where = StoreLocation(endpoint=self._access.endpoint, bucket=name, path="")

        def ensure(client: Minio) -> None:
            try:
                if not _bucket_exists(client, name):
                    client.make_bucket(name)
            except S3Error as error:
                # Another replica was quicker.
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

        await self._run(where, ensure)

    async def _run(
        self,
        location: StoreLocation,
        work: Callable[[Minio], _T],
        *,
        answer_seconds: float = QUESTION_SECONDS,
    ) -> _T:
        def run() -> _T:
            check_endpoint(self._access, location)
            try:
                return work(self._client(answer_seconds))
            except FAILURES as error:
                raise fault(error, f"the store at {self._access.endpoint}") from None

        return await self._ask(run)

    async def _ask(self, work: Callable[[], _T]) -> _T:
        """What `work` returns, in a thread; the last failure where the store has a respite."""
        if self._silence is not None and time.monotonic() < self._silent_until:
            raise type(self._silence)(self._silence.reason, str(self._silence))
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except StoreInterrupted as error:
            self._silence, self._silent_until = error, time.monotonic() + RESPITE_SECONDS
            raise
        self._silence = None
        return found

    def _client(self, answer_seconds: float) -> Minio:
        """The one for such answers: making one costs more than signing a URL."""
        made = self._made.get(answer_seconds)
        if made is None:
            made = self._made[answer_seconds] = minio_client(
                self._access, answer_seconds=answer_seconds
            )
        return made


def _bucket_exists(client: Minio, name: str) -> bool:
    """Whether it is there; yes where the keys may not know, since other requests will say it."""
    try:
        return client.bucket_exists(name)
    except S3Error as error:
        if error.response.status not in (400, 403):
            raise
    # The answer to HEAD has no body that would say why.
    try:
        next(iter(client.list_objects(name)), None)
    except S3Error as error:
        if error.code == "NoSuchBucket":
            return False
        if error.code != "AccessDenied":
            raise
    return True
