"""Uploads all parts of a model to one place in the store, and verifies the result."""

from __future__ import annotations

import dataclasses
from typing import Final

from roadstead.api.location import StoreLocation
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
from roadstead.transfer.store_state import GONE, TAKEN, StoreState
from roadstead.transfer.transfer_settings import TransferSettings
from roadstead.transfer.upload import Upload, Uploads

HEALING: Final = (
    "StoreBucketMissing",
    "StoreDenied",
    "StoreFull",
    "StoreKeysMissing",
    "StoreUntrusted",
)
"""Refusals that say nothing against an upload: it is completed once somebody has seen to them."""


class Uploader:
    """Fills an upload, completes it, and sees that the model came of it."""

    def __init__(
        self,
        standing: StoreState,
        settings: TransferSettings,
        retry_policy: RetryPolicy,
        reporter: Reporter,
    ) -> None:
        self._standing = standing
        self._uploads = Uploads(standing.multipart, settings.connections, retry_policy)
        self._retry_policy = retry_policy
        self._reporter = reporter
        self._refused = False
        """Whether the store has refused to complete an upload of this run."""

    def upload(self, where: StoreLocation, origin: Origin, resume: Resume | None) -> Verified:
        """Bring what is missing to `where`; raises ModelError or Stopping."""
        upload = self._uploads.open(where, origin.found, resume, origin.sha256)
        self._reporter.emit(upload.started(origin.found))
        try:
            verifier = self._moved(upload, origin)
            verified = verifier.finish(origin.sha256) if verifier else None
        except (ContentError, SourceChanged):
            upload.drop()
            raise
        etag = self._complete(upload)
        return verified or self._verify(upload, origin, etag)

    def _moved(self, upload: Upload, origin: Origin) -> ContentVerifier | None:
        """Bring what is missing; with checksums where the store takes parts with them only."""
        try:
            return self._move(upload, origin)
        except ChecksumRequired:
            if upload.checksums:
                raise
            upload.checksums = True
            return self._move(upload, origin)

    def _move(self, upload: Upload, origin: Origin) -> ContentVerifier | None:
        """Bring the parts that are missing; what followed them, if something could."""
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
        pump.run(self._reporter.of(layout.size, upload.resumed_bytes, phase=Phase.TRANSFERRING))
        return verifier

    def _complete(self, upload: Upload) -> str:
        """Make the object; its ETag. UploadMissing too where only the answer to it was lost."""
        try:
            etag = self._completed(upload)
        except StoreError as error:
            if error.reason in TAKEN:
                upload.drop()
            elif self._is_hopeless(upload, error):
                upload.drop()
                raise self._refusal(upload, error) from None
            raise
        self._standing.await_completed(upload.where)
        return etag

    def _completed(self, upload: Upload) -> str:
        if upload.where != self._standing.target:
            return upload.complete(if_absent=False, retry_policy=self._retry_policy)
        try:
            return upload.complete(if_absent=True, retry_policy=self._retry_policy)
        except StoreNotImplemented:
            # The time between this look and the completion is all that is left to chance.
            self._standing.check_free()
            return upload.complete(if_absent=False, retry_policy=self._retry_policy)

    def _is_hopeless(self, upload: Upload, error: StoreError) -> bool:
        """Whether to complete this very upload once more would end the same way."""
        if isinstance(error, PartsRefused):
            return True
        if isinstance(error, StoreBroken):
            # The store answers all else; an upload that was sent in this run gets another chance.
            return upload.is_all_resumed or self._refused
        lasting = not isinstance(error, StoreInterrupted | UploadMissing)
        return lasting and error.reason not in HEALING

    def _refusal(self, upload: Upload, error: StoreError) -> StoreError:
        """PartsDamaged where an upload that is begun anew may do better."""
        begun_anew, self._refused = self._refused, True
        if (upload.resumed or isinstance(error, PartsRefused)) and not begun_anew:
            return PartsDamaged("StorePartsDamaged", f"the upload can't be completed: {error}")
        message = (
            f"{error}; the upload is dropped: once the store takes it, have it tried again by the "
            "annotation model.example.com/retry"
        )
        return StoreError("StoreUploadRefused", message, retry=Retry.ON_CHANGE)

    def _verify(self, upload: Upload, origin: Origin, etag: str) -> Verified:
        """Read what was completed of kept and new parts; if it is wrong, it is removed.

        Only that one: by now another run may have put something else there.
        """
        size, sha256 = origin.found.size, origin.sha256
        by_parts = sha256 is None and upload.resumed
        part_size = upload.layout.part_size
        verifier = PartsVerifier(size, part_size, etags=upload.resumed) if by_parts else None
        try:
            return self._standing.read(upload.where, size, sha256, verifier)
        except PartsDamaged:
            self._standing.remove(upload.where, etag=etag)
            raise
        except ContentError as error:
            self._standing.remove(upload.where, etag=etag)
            if upload.resumed:
                raise PartsDamaged("StorePartsDamaged", f"with kept parts, {error}") from None
            raise
        except StoreError as error:
            if error.reason not in GONE:
                raise
            raise UploadMissing("StoreUploadMissing", f"another run removed it: {error}") from None
