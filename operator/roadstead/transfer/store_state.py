"""The objects in the store at a transfer's target and beside it, as one run finds them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from typing import Final

from roadstead.api.location import StoreLocation
from roadstead.errors import (
    ContentError,
    ObjectHidden,
    PartsDamaged,
    Retry,
    StoreError,
    StoreInterrupted,
    UploadMissing,
)
from roadstead.source.ranges import SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.spans import default_part_size
from roadstead.store.multipart import Multipart
from roadstead.store.stored_objects import StoredObject, copy, minio_client, remove, stat
from roadstead.transfer.content import PartsVerifier, Verified
from roadstead.transfer.messages import Phase, TransferJob
from roadstead.transfer.object_reader import StoredReader
from roadstead.transfer.placement import leftovers, may_be_it, staging
from roadstead.transfer.rate import Reporter
from roadstead.transfer.transfer_settings import TransferSettings
from roadstead.transfer.upload import abort

log = logging.getLogger("roadstead.transfer")

TAKEN: Final = ("StoreObjectExists", "StoreObjectMissing")
"""What a run meets where another has put the model in its place, or has taken the copy for it."""
GONE: Final = ("StoreObjectMissing", "StoreObjectChanged")
"""What a run meets that reads what another one finds wrong, and removes or writes anew."""


class StoreState:
    """Looks, reads, puts in place and tidies up; all of it raises StoreError or Stopping."""

    def __init__(
        self,
        job: TransferJob,
        settings: TransferSettings,
        retry_policy: RetryPolicy,
        reporter: Reporter,
    ) -> None:
        self.target = job.target
        self.beside = staging(job.target, job.model_uid)
        """Where a replacement is built."""
        self.multipart = Multipart(settings.store)
        self._job = job
        self._retry_policy = retry_policy
        self._reporter = reporter
        self._client = minio_client(settings.store)
        self._reader = StoredReader(self._client, settings.connections, retry_policy)
        self._stood = ""
        """The ETag of what stood at the target at the beginning; empty for nothing."""

    def first(self) -> StoredObject | None:
        """What stands at the target at the beginning, and may be replaced."""
        existing = self.find(self.target)
        self._stood = existing.etag if existing else ""
        return existing

    def last(self, size: int) -> StoredObject:
        """What stands at the target once all is done."""
        stored = self.see(self.target)
        if stored is None or stored.size != size:
            raise StoreError("StoreObjectChanged", f"{self.target}: was removed meanwhile")
        return stored

    def find(self, where: StoreLocation) -> StoredObject | None:
        """What stands there, None for nothing, or for what may not be known."""
        try:
            return self.see(where)
        except ObjectHidden:
            # S3 answers so for a free key to who may not list the bucket.
            return None

    def see(self, where: StoreLocation) -> StoredObject | None:
        """What stands there, None for nothing; raises ObjectHidden."""
        return self._retry_policy.run(lambda: stat(self._client, where))

    def unfinished(self, where: StoreLocation) -> bool:
        """Whether uploads to it are under way."""
        return bool(self._retry_policy.run(lambda: self.multipart.list_unfinished(where)))

    # Is it the model?

    def read(
        self,
        where: StoreLocation,
        size: int,
        sha256: str | None,
        verifier: PartsVerifier | None = None,
    ) -> Verified:
        """Read all of it; raises ContentError or PartsDamaged where it is not the model."""
        report = self._reporter.of(size, phase=Phase.VERIFYING)
        return self._reader.verify(where, size, sha256, report, verifier)

    def verified(
        self,
        where: StoreLocation,
        existing: StoredObject | None,
        sha256: str | None,
        found: SourceObject | None,
    ) -> Verified | None:
        """What stands there if it is the model, found out by reading it where it may be."""
        if existing is None or not may_be_it(existing, sha256=sha256, found=found):
            return None
        verifier = None if sha256 else self._by_etag(existing)
        try:
            return self.read(where, existing.size, sha256, verifier)
        except (ContentError, PartsDamaged) as error:
            log.warning("%s holds something else: %s", where, error)
        except StoreError as error:
            if error.reason not in GONE:
                raise
            log.warning("what stood there went while it was read: %s", error)
        return None

    def _by_etag(self, existing: StoredObject) -> PartsVerifier:
        """For an object that an earlier run may have completed and never verified."""
        resume = self._job.resume
        part_size = resume.part_size_bytes if resume else default_part_size(existing.size)
        return PartsVerifier(existing.size, part_size, etags={}, etag=existing.etag)

    # What changes it

    def await_completed(self, where: StoreLocation) -> None:
        """Wait until the store shows what was completed there."""
        self._retry_policy.run(lambda: self._see(where))

    def _see(self, where: StoreLocation) -> None:
        """Raise StoreInterrupted as long as the store doesn't show it.

        versitygw says yes to a second run while it still puts the parts together for a first one.
        That may have found them wrong by now, or put them from beside the target in its place.
        """
        if stat(self._client, where) is not None or (where != self.target and self._taken()):
            return
        if self.multipart.list_unfinished(where):
            raise UploadMissing("StoreUploadMissing", f"{where}: another run has begun it anew")
        message = f"{where}: was completed, but the store doesn't show it yet"
        raise StoreInterrupted("StoreObjectMissing", message, retry=Retry.BACKOFF)

    def replace(self) -> None:
        """Put what is beside the target in the place of what stood there, and of nothing else."""
        self.check_free()
        self._retry_policy.run(lambda: copy(self._client, self.beside, self.target))
        self.remove(self.beside)

    def check_free(self) -> None:
        """Raise StoreError where something stands at the target that did not at the beginning."""
        if self._retry_policy.run(self._taken):
            message = f"{self.target}: another object has come to stand there"
            raise StoreError("StoreObjectExists", message)

    def _taken(self) -> bool:
        """Whether something stands at the target that did not at the beginning."""
        try:
            standing = stat(self._client, self.target)
        except ObjectHidden:
            return False
        return standing is not None and standing.etag != self._stood

    def remove(self, where: StoreLocation, *, etag: str | None = None) -> None:
        """Remove what stands there, with `etag` only that."""
        with contextlib.suppress(ObjectHidden):
            self._retry_policy.run(lambda: remove(self._client, where, etag=etag))

    def tidy(self) -> None:
        """Drop what earlier runs left that is not needed any more, as well as it goes."""
        resume = self._job.resume
        if resume is not None:
            earlier = dataclasses.replace(self.target, path=resume.key)
            abort(self.multipart, earlier, resume.upload_id)
        key = resume.key if resume is not None else None
        for where in leftovers(self.target, self._job.model_uid, key):
            try:
                remove(self._client, where)
            except StoreError as error:
                log.warning("an object is left behind: %s", error)
