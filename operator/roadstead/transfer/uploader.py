"""Uploads all parts of a model to one place in the store, and verifies the result."""

from __future__ import annotations

import dataclasses
from typing import Final

from roadstead.api.model import StoreLocation
from roadstead.errors import (
    ChecksumRequired,
    ContentError,
    PartsDamaged,
    PartsRefused,
    Retry,
    SourceChanged,
    StoreBroken,
    StoreError,
    StoreInterrupted,
    StoreNotImplemented,
    UploadMissing,
)
from roadstead.source.pump import Pump
from roadstead.source.retry_policy import RetryPolicy
from roadstead.transfer.content import ContentVerifier, PartsVerifier, Verified
from roadstead.transfer.messages import Phase, Resume
from roadstead.transfer.origin import Origin
from roadstead.transfer.rate import Reporter
from roadstead.transfer.store_state import (
    OBJECT_CHANGED_REASONS,
    TARGET_CHANGED_REASONS,
    StoreState,
)
from roadstead.transfer.transfer_settings import TransferSettings
from roadstead.transfer.upload import Upload, Uploads

RECOVERABLE_REASONS: Final = (
    "StoreBucketMissing",
    "StoreDenied",
    "StoreFull",
    "StoreKeysMissing",
    "StoreUntrusted",
)
"""Errors that don't concern the upload: it can be completed once their cause is fixed."""


class Uploader:
    """Fills an upload, completes it, and verifies the result."""

    def __init__(
        self,
        store_state: StoreState,
        settings: TransferSettings,
        retry_policy: RetryPolicy,
        reporter: Reporter,
    ) -> None:
        self._store_state = store_state
        self._uploads = Uploads(store_state.multipart, settings.connections, retry_policy)
        self._retry_policy = retry_policy
        self._reporter = reporter
        self._refused = False
        """Whether the store has refused to complete an upload of this run."""

    def upload(self, where: StoreLocation, origin: Origin, resume: Resume | None) -> Verified:
        """Upload what is missing to `where`; raises ModelError or Stopping."""
        upload = self._uploads.open(where, origin.found, resume, origin.sha256)
        self._reporter.emit(upload.started(origin.found))
        try:
            verifier = self._copy_parts(upload, origin)
            verified = verifier.finish(origin.sha256) if verifier else None
        except (ContentError, SourceChanged):
            upload.abort()
            raise
        etag = self._complete(upload)
        return verified or self._verify(upload, origin, etag)

    def _copy_parts(self, upload: Upload, origin: Origin) -> ContentVerifier | None:
        """Copy what is missing; with checksums if the store requires them."""
        try:
            return self._copy_missing(upload, origin)
        except ChecksumRequired:
            if upload.checksums:
                raise
            upload.checksums = True
            return self._copy_missing(upload, origin)

    def _copy_missing(self, upload: Upload, origin: Origin) -> ContentVerifier | None:
        """Copy the missing parts; returns their verifier, None if some parts exist already."""
        layout = upload.layout
        verifier = ContentVerifier(layout.size) if layout.buffers and not upload.resumed else None
        missing = [span for span in layout.spans if span.number not in upload.resumed]
        pump = Pump(
            layout=layout
            if verifier or upload.checksums
            else dataclasses.replace(layout, buffers=0),
            spans=missing,
            reader=origin.reader,
            sink=upload.sink,
            retry_policy=self._retry_policy,
            follower=verifier,
        )
        pump.run(self._reporter.start(layout.size, upload.resumed_bytes, phase=Phase.TRANSFERRING))
        return verifier

    def _complete(self, upload: Upload) -> str:
        """Complete the upload; returns the ETag.

        UploadMissing is also raised if it was completed and only the response was lost.
        """
        try:
            etag = self._complete_once(upload)
        except StoreError as error:
            if error.reason in TARGET_CHANGED_REASONS:
                upload.abort()
            elif self._is_permanent(upload, error):
                upload.abort()
                raise self._completion_error(upload, error) from None
            raise
        self._store_state.wait_until_visible(upload.where)
        return etag

    def _complete_once(self, upload: Upload) -> str:
        if upload.where != self._store_state.target:
            return upload.complete(if_absent=False, retry_policy=self._retry_policy)
        try:
            return upload.complete(if_absent=True, retry_policy=self._retry_policy)
        except StoreNotImplemented:
            # Another object can only be overwritten if it is created after this check.
            self._store_state.check_unchanged()
            return upload.complete(if_absent=False, retry_policy=self._retry_policy)

    def _is_permanent(self, upload: Upload, error: StoreError) -> bool:
        """Whether another attempt to complete this upload would fail the same way."""
        if isinstance(error, PartsRefused):
            return True
        if isinstance(error, StoreBroken):
            # The store works otherwise; an upload that was sent in this run is retried once.
            return upload.is_all_resumed or self._refused
        lasting = not isinstance(error, StoreInterrupted | UploadMissing)
        return lasting and error.reason not in RECOVERABLE_REASONS

    def _completion_error(self, upload: Upload, error: StoreError) -> StoreError:
        """Return PartsDamaged if a new upload may succeed, else StoreUploadRefused."""
        was_refused, self._refused = self._refused, True
        if (upload.resumed or isinstance(error, PartsRefused)) and not was_refused:
            return PartsDamaged("StorePartsDamaged", f"the upload can't be completed: {error}")
        message = (
            f"{error}; the upload was aborted: once the store accepts it, retry with the "
            "annotation model.example.com/retry"
        )
        return StoreError("StoreUploadRefused", message, retry=Retry.ON_CHANGE)

    def _verify(self, upload: Upload, origin: Origin, etag: str) -> Verified:
        """Read the object that was completed from old and new parts; if it is wrong, remove it.

        Only this object is removed: another run may have stored something else by now.
        """
        size, sha256 = origin.found.size, origin.sha256
        by_parts = sha256 is None and upload.resumed
        part_size = upload.layout.part_size
        verifier = PartsVerifier(size, part_size, etags=upload.resumed) if by_parts else None
        try:
            return self._store_state.verify(upload.where, size, sha256, verifier)
        except PartsDamaged:
            self._store_state.remove(upload.where, etag=etag)
            raise
        except ContentError as error:
            self._store_state.remove(upload.where, etag=etag)
            if upload.resumed:
                raise PartsDamaged(
                    "StorePartsDamaged", f"with parts of an earlier run, {error}"
                ) from None
            raise
        except StoreError as error:
            if error.reason not in OBJECT_CHANGED_REASONS:
                raise
            raise UploadMissing("StoreUploadMissing", f"another run removed it: {error}") from None
