"""The objects at a transfer's target and staging key, as one run finds them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from typing import Final

from roadstead.api.model import StoreLocation
from roadstead.errors import (
    ContentError,
    ObjectHidden,
    PartsDamaged,
    Retry,
    StoreError,
    StoreInterrupted,
    UploadMissing,
)
from roadstead.source.dial import Anywhere, Egress
from roadstead.source.ranges import SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.spans import default_part_size
from roadstead.store.multipart import Multipart
from roadstead.store.stored_objects import StoredObject, copy, minio_client, remove, stat
from roadstead.transfer.content import PartsVerifier, Verified
from roadstead.transfer.messages import Phase, TransferJob
from roadstead.transfer.object_reader import StoredReader
from roadstead.transfer.placement import leftovers, may_match, staging_location
from roadstead.transfer.rate import Reporter
from roadstead.transfer.transfer_settings import TransferSettings
from roadstead.transfer.upload import abort

log = logging.getLogger("roadstead.transfer")

TARGET_CHANGED_REASONS: Final = ("StoreObjectExists", "StoreObjectMissing")
"""Reasons of errors if another run has put the model in place or removed the staged copy."""
OBJECT_CHANGED_REASONS: Final = ("StoreObjectMissing", "StoreObjectChanged")
"""Reasons of errors if another run removes or replaces an object while this run reads it."""


class StoreState:
    """Finds, verifies, replaces and removes objects; methods raise StoreError or Stopping."""

    def __init__(
        self,
        job: TransferJob,
        settings: TransferSettings,
        retry_policy: RetryPolicy,
        reporter: Reporter,
    ) -> None:
        self.target = job.target
        self.staging = staging_location(job.target, job.model_uid)
        """Where a replacement is uploaded."""
        self.multipart = Multipart(settings.store)
        self._job = job
        self._retry_policy = retry_policy
        self._reporter = reporter
        self._client = minio_client(settings.store)
        self._client_for = lambda seconds: minio_client(settings.store, response_seconds=seconds)
        egress = Egress(policy=Anywhere(), authorities=settings.store.authorities)
        self._reader = StoredReader(self._client, egress, settings.connections, retry_policy)
        self._initial_etag = ""
        """The ETag of the object at the target when the run started, or ""."""

    def find_initial(self) -> StoredObject | None:
        """Return the object at the target when the run starts; it may be replaced."""
        existing = self.find(self.target)
        self._initial_etag = existing.etag if existing else ""
        return existing

    def find_final(self, size: int) -> StoredObject:
        """Return the object at the target after the transfer."""
        stored = self.stat(self.target)
        if stored is None or stored.size != size:
            raise StoreError(
                "StoreObjectChanged", f"{self.target}: was removed or replaced during the transfer"
            )
        return stored

    def find(self, where: StoreLocation) -> StoredObject | None:
        """Return the object, or None if there is none or its existence is hidden."""
        try:
            return self.stat(where)
        except ObjectHidden:
            # S3 hides whether a key is free from clients that may not list the bucket.
            return None

    def stat(self, where: StoreLocation) -> StoredObject | None:
        """Return the object, or None; raises ObjectHidden."""
        return self._retry_policy.run(lambda: stat(self._client, where))

    def has_unfinished_uploads(self, where: StoreLocation) -> bool:
        """Whether the store lists unfinished uploads to it."""
        return bool(self._retry_policy.run(lambda: self.multipart.list_unfinished(where)))

    # Verification

    def verify(
        self,
        where: StoreLocation,
        size: int,
        sha256: str | None,
        verifier: PartsVerifier | None = None,
    ) -> Verified:
        """Read the object; raises ContentError or PartsDamaged if it is not the model."""
        report = self._reporter.start(size, phase=Phase.VERIFYING)
        return self._reader.verify(where, size, sha256, report, verifier)

    def verify_existing(
        self,
        where: StoreLocation,
        existing: StoredObject | None,
        sha256: str | None,
        found: SourceObject | None,
    ) -> Verified | None:
        """Return the result for an existing object if it is the model; reads it if it may be."""
        if existing is None or not may_match(existing, sha256=sha256, found=found):
            return None
        verifier = None if sha256 else self._etag_verifier(existing)
        try:
            return self.verify(where, existing.size, sha256, verifier)
        except (ContentError, PartsDamaged) as error:
            log.warning("%s is another object: %s", where, error)
        except StoreError as error:
            if error.reason not in OBJECT_CHANGED_REASONS:
                raise
            log.warning("the object was removed or replaced while it was read: %s", error)
        return None

    def _etag_verifier(self, existing: StoredObject) -> PartsVerifier:
        """Return a verifier for an object that an earlier run may have completed unverified."""
        resume = self._job.resume
        part_size = resume.part_size_bytes if resume else default_part_size(existing.size)
        return PartsVerifier(existing.size, part_size, etags={}, etag=existing.etag)

    # Changes

    def wait_until_visible(self, where: StoreLocation) -> None:
        """Wait until the store shows the completed object."""
        self._retry_policy.run(lambda: self._check_visible(where))

    def _check_visible(self, where: StoreLocation) -> None:
        """Raise StoreInterrupted while the store doesn't show the completed object.

        versitygw confirms the completion to a second run while it still processes that of the
        first one, which may have found the parts damaged by now, or replaced the target with them.
        """
        if stat(self._client, where) is not None or (where != self.target and self._is_changed()):
            return
        if self.multipart.list_unfinished(where):
            raise UploadMissing(
                "StoreUploadMissing", f"{where}: another run has restarted the upload"
            )
        message = f"{where}: was completed, but the store doesn't show it yet"
        raise StoreInterrupted("StoreObjectMissing", message, retry=Retry.BACKOFF)

    def replace(self) -> None:
        """Replace the initial object at the target with the staged one; never any other object."""
        self.check_unchanged()
        self._retry_policy.run(lambda: copy(self._client_for, self.staging, self.target))
        self.remove(self.staging)

    def check_unchanged(self) -> None:
        """Raise StoreError if the target has another object than when the run started."""
        if self._retry_policy.run(self._is_changed):
            message = f"{self.target}: another object was created at this path"
            raise StoreError("StoreObjectExists", message)

    def _is_changed(self) -> bool:
        """Whether the target has another object than when the run started."""
        try:
            current = stat(self._client, self.target)
        except ObjectHidden:
            return False
        return current is not None and current.etag != self._initial_etag

    def remove(self, where: StoreLocation, *, etag: str | None = None) -> None:
        """Remove the object, with `etag` only if it matches."""
        with contextlib.suppress(ObjectHidden):
            self._retry_policy.run(lambda: remove(self._client, where, etag=etag))

    def clean_up(self) -> None:
        """Remove what earlier runs left and is no longer needed; failures are only logged."""
        resume = self._job.resume
        if resume is not None:
            earlier = dataclasses.replace(self.target, path=resume.key)
            abort(self.multipart, earlier, resume.upload_id)
        key = resume.key if resume is not None else None
        for where in leftovers(self.target, self._job.model_uid, key):
            try:
                remove(self._client, where)
            except StoreError as error:
                log.warning("can't remove the object of an earlier run: %s", error)
