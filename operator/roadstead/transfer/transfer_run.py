"""One transfer, from its job to its last event.

Guarantees: an object that failed verification doesn't remain in the store, and an existing object
is replaced only by a verified one.

- The target is free and no parts of an earlier run exist: all bytes are hashed while they are
  copied, and the upload is completed only after they are verified.
- Parts of an earlier run exist: a digest can't be resumed in another process, so the upload is
  completed first, then read back from the store, and removed if it isn't the model. Until then
  it isn't used, since no server starts from a Model that is not Verified.
- The target has another object: the upload is to a staging key beside it, which the store copies
  to the target.
- The target may already be the model (sizes and metadata match): it is read, and if it is the
  model, nothing is copied. The same applies to the object of a killed run at the staging key.
- The same transfer may run twice at once: in a pod that is considered dead, and in the next one.
  A run whose upload or completed object is gone checks whether the other run has stored the
  model, then whether it is uploading, in which case this run stops: so two runs never abort each
  other's uploads in turns, and damaged parts are uploaded again by one run only. Only one run can
  complete: an upload is completed once, and to a free key on condition that it is free.
- Damaged parts of an earlier run don't prove that the source is wrong, since some servers store a
  part as complete though its connection broke: the transfer starts over, once.

Uploads are kept if resuming makes sense (a kill, an expired URL, a store that is full or
unavailable), and aborted if the bytes are wrong or the source has changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from roadstead.api.model import StoreLocation
from roadstead.clocks import Stopwatch
from roadstead.errors import (
    Displaced,
    ModelError,
    PartsDamaged,
    Retry,
    SourceChanged,
    StoreError,
    UploadMissing,
)
from roadstead.source.retry_policy import RetryPolicy
from roadstead.store.stored_objects import StoredObject, check_endpoint
from roadstead.transfer.content import Verified
from roadstead.transfer.messages import Completed, Event, StoredInput, TransferJob
from roadstead.transfer.origin import Origin, find_origin
from roadstead.transfer.placement import choose_destination
from roadstead.transfer.rate import Reporter
from roadstead.transfer.store_state import TARGET_CHANGED_REASONS, StoreState
from roadstead.transfer.transfer_settings import TransferSettings
from roadstead.transfer.uploader import Uploader

log = logging.getLogger("roadstead.transfer")

MAX_UPLOADS = 3
"""The run fails if the source or the store changed during each of so many uploads."""


class Transfer:
    """Runs one job; calls `emit` with each event, `clock` is any monotonic clock in seconds.

    Raises StoreError if there are no keys for the job's store.
    """

    def __init__(
        self,
        job: TransferJob,
        settings: TransferSettings,
        retry_policy: RetryPolicy,
        emit: Callable[[Event], None],
        clock: Stopwatch = time.monotonic,
    ) -> None:
        check_endpoint(settings.store, job.target)
        reporter = Reporter(emit, clock)
        self._job = job
        self._settings = settings
        self._retry_policy = retry_policy
        self._store_state = StoreState(job, settings, retry_policy, reporter)
        self._uploader = Uploader(self._store_state, settings, retry_policy, reporter)

    def run(self) -> Completed:
        """Store the model at its target; raises ModelError or Stopping."""
        existing = self._store_state.find_initial()
        if isinstance(self._job.source, StoredInput):
            return self._adopt_stored(existing)
        kept = self._job.expected_sha256 or self._job.kept_sha256
        completed = self._adopt(existing, sha256=kept, origin=None)
        if completed is not None:
            return completed
        origin = self._find_origin()
        if self._job.expected_sha256 is None:
            completed = self._adopt(existing, sha256=origin.sha256, origin=origin)
            if completed is not None:
                return completed
        return self._upload(existing, origin)

    # Existing objects

    def _adopt_stored(self, existing: StoredObject | None) -> Completed:
        target = self._job.target
        if existing is None:
            existing = self._store_state.stat(target)
        if existing is None:
            message = f"{target}: the object does not exist; correct minioPath or upload it"
            raise StoreError("StoreObjectMissing", message, retry=Retry.BACKOFF)
        verified = self._store_state.verify(target, existing.size, self._job.expected_sha256)
        self._store_state.clean_up()
        return _completed(existing, verified, None)

    def _adopt(
        self, existing: StoredObject | None, *, sha256: str | None, origin: Origin | None
    ) -> Completed | None:
        if sha256 is None and origin is None:
            return None
        found = origin.found if origin else None
        verified = self._store_state.verify_existing(self._job.target, existing, sha256, found)
        if verified is not None and existing is not None:
            log.info("the store already has the model")
            self._store_state.clean_up()
            return _completed(existing, verified, origin)
        return self._adopt_staged(sha256, origin)

    def _adopt_staged(self, sha256: str | None, origin: Origin | None) -> Completed | None:
        """Use the object of a run that was killed between its upload to staging and the copy."""
        where = self._store_state.staging
        staged = self._store_state.find(where)
        verified = self._store_state.verify_existing(
            where, staged, sha256, origin.found if origin else None
        )
        if verified is None or staged is None:
            return None
        log.info("an earlier run has uploaded the model; copying it to its target")
        self._store_state.replace()
        self._store_state.clean_up()
        return _completed(self._store_state.find_final(staged.size), verified, origin)

    # Uploads

    def _upload(self, existing: StoredObject | None, origin: Origin) -> Completed:
        where = choose_destination(self._job.target, self._job.model_uid, existing)
        resume = self._job.resume
        # An object there was verified before: it isn't the model.
        self._store_state.remove(self._store_state.staging)
        for attempt in range(MAX_UPLOADS):
            try:
                verified = self._uploader.upload(where, origin, resume)
                break
            except (SourceChanged, UploadMissing, PartsDamaged) as error:
                completed = self._adopt_from_other_run(where, origin, error)
                if completed is not None:
                    return completed
                if attempt + 1 == MAX_UPLOADS:
                    raise
                log.warning("%s: the transfer starts over", error)
                resume = None
                origin = self._find_origin()
            except StoreError as error:
                return self._adopt_or_raise(origin, error)
        try:
            if where != self._job.target:
                self._store_state.replace()
        except StoreError as error:
            return self._adopt_or_raise(origin, error)
        return _completed(self._store_state.find_final(origin.found.size), verified, origin)

    def _adopt_from_other_run(
        self, where: StoreLocation, origin: Origin, error: ModelError
    ) -> Completed | None:
        """Return the result of another run if the upload is gone; raises Displaced."""
        if not isinstance(error, UploadMissing):
            return None
        existing = self._store_state.find(self._job.target)
        completed = self._adopt(existing, sha256=origin.sha256, origin=origin)
        if completed is None and self._store_state.has_unfinished_uploads(where):
            message = "another run of this transfer has taken over"
            raise Displaced("TransferDisplaced", message)
        return completed

    def _adopt_or_raise(self, origin: Origin, error: StoreError) -> Completed:
        """Return the model if another run has stored it, else raise the error."""
        if error.reason not in TARGET_CHANGED_REASONS:
            raise error
        target = self._job.target
        existing = self._store_state.find(target)
        verified = self._store_state.verify_existing(target, existing, origin.sha256, origin.found)
        if verified is None or existing is None:
            raise error
        log.info("another run of this transfer has stored the model")
        self._store_state.clean_up()
        return _completed(existing, verified, origin)

    def _find_origin(self) -> Origin:
        if isinstance(self._job.source, StoredInput):
            raise AssertionError("a stored model has no origin")
        return find_origin(
            self._job.source, self._job.expected_sha256, self._settings, self._retry_policy
        )


def _completed(stored: StoredObject, verified: Verified, origin: Origin | None) -> Completed:
    stated = origin.quantization if origin else None
    return Completed(
        size_bytes=stored.size,
        sha256=verified.sha256,
        etag=stored.etag,
        gguf=verified.header,
        quantization=verified.header.quantization or stated,
    )
