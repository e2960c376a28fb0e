"""One transfer, from its job to its last event.

What is promised of an object in the store: nothing that failed to verify is left there, and what
stood there before is only ever replaced by something verified.

- The target is free, nothing was kept from an earlier run: all bytes pass the hasher on their
  way, and the upload is completed only once they are verified.
- Parts were kept from an earlier run: a digest can't go on in another process, so the upload is
  completed first, then read back from the store, and removed if it isn't the model. Until then
  nobody uses it, since no server starts from a Model that is not Verified.
- The target holds something else: the same at a key beside it, then the store copies it over.
- The target holds what may be this very model (sizes and metadata agree): it is read, and if it
  is the model, nothing is moved. The same for what a killed run left at the key beside it.
- The same transfer may be run twice at once: by a pod that is taken for dead, and the next one.
  Who finds its upload gone, or what it completed, looks whether the other has brought the model,
  then whether it is at work, which ends this run: so no two drop each other's uploads in turns, and
  parts that both kept and one of them found wrong are brought by one. Completing is what one of
  them alone can do: an upload is completed once, and to a free key on condition that it is.
- Kept parts that turn out wrong say nothing of the source, since some servers keep a part as whole
  whose connection broke: the transfer begins anew, once.

Uploads are kept wherever going on makes sense (a kill, an expired URL, a store that is full or
away), and dropped where the bytes are wrong or the source has changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from roadstead.api.location import StoreLocation
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
from roadstead.transfer.origin import Origin, find
from roadstead.transfer.placement import destination
from roadstead.transfer.rate import Reporter
from roadstead.transfer.store_state import TAKEN, StoreState
from roadstead.transfer.transfer_settings import TransferSettings
from roadstead.transfer.uploader import Uploader

log = logging.getLogger("roadstead.transfer")

MAX_BEGINNINGS = 3
"""A source or a store that changes under each of so many uploads is left to the next run."""


class Transfer:
    """Runs one job; `emit` is told what happens, `clock` is any monotonic clock in seconds.

    Raises StoreError where there are no keys for the job's store.
    """

    def __init__(
        self,
        job: TransferJob,
        settings: TransferSettings,
        retry_policy: RetryPolicy,
        emit: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_endpoint(settings.store, job.target)
        reporter = Reporter(emit, clock)
        self._job = job
        self._settings = settings
        self._retry_policy = retry_policy
        self._standing = StoreState(job, settings, retry_policy, reporter)
        self._uploader = Uploader(self._standing, settings, retry_policy, reporter)

    def run(self) -> Completed:
        """Bring the model to its target; raises ModelError or Stopping."""
        existing = self._standing.first()
        if isinstance(self._job.source, StoredInput):
            return self._adopt_stored(existing)
        completed = self._adopt(existing, sha256=self._job.expected_sha256, origin=None)
        if completed is not None:
            return completed
        origin = self._find()
        if self._job.expected_sha256 is None:
            completed = self._adopt(existing, sha256=origin.sha256, origin=origin)
            if completed is not None:
                return completed
        return self._bring(existing, origin)

    # What is there already

    def _adopt_stored(self, existing: StoredObject | None) -> Completed:
        target = self._job.target
        if existing is None:
            existing = self._standing.see(target)
        if existing is None:
            message = f"{target}: there is no such object; correct minioPath or upload it"
            raise StoreError("StoreObjectMissing", message, retry=Retry.BACKOFF)
        verified = self._standing.read(target, existing.size, self._job.expected_sha256)
        self._standing.tidy()
        return _completed(existing, verified, None)

    def _adopt(
        self, existing: StoredObject | None, *, sha256: str | None, origin: Origin | None
    ) -> Completed | None:
        if sha256 is None and origin is None:
            return None
        found = origin.found if origin else None
        verified = self._standing.verified(self._job.target, existing, sha256, found)
        if verified is not None and existing is not None:
            log.info("the store has the model already")
            self._standing.tidy()
            return _completed(existing, verified, origin)
        return self._adopt_staged(sha256, origin)

    def _adopt_staged(self, sha256: str | None, origin: Origin | None) -> Completed | None:
        """Go on where a run was killed between its upload beside the target and the copy."""
        where = self._standing.beside
        staged = self._standing.find(where)
        verified = self._standing.verified(where, staged, sha256, origin.found if origin else None)
        if verified is None or staged is None:
            return None
        log.info("an earlier run had brought the model; it only has to be put in its place")
        self._standing.replace()
        self._standing.tidy()
        return _completed(self._standing.last(staged.size), verified, origin)

    # What has to be brought

    def _bring(self, existing: StoredObject | None, origin: Origin) -> Completed:
        where = destination(self._job.target, self._job.model_uid, existing)
        resume = self._job.resume
        # What is left there was looked at: it isn't the model.
        self._standing.remove(self._standing.beside)
        for beginning in range(MAX_BEGINNINGS):
            try:
                verified = self._uploader.upload(where, origin, resume)
                break
            except (SourceChanged, UploadMissing, PartsDamaged) as error:
                completed = self._by_another(where, origin, error)
                if completed is not None:
                    return completed
                if beginning + 1 == MAX_BEGINNINGS:
                    raise
                log.warning("%s: the transfer begins anew", error)
                resume = None
                origin = self._find()
            except StoreError as error:
                return self._instead(origin, error)
        try:
            if where != self._job.target:
                self._standing.replace()
        except StoreError as error:
            return self._instead(origin, error)
        return _completed(self._standing.last(origin.found.size), verified, origin)

    def _by_another(
        self, where: StoreLocation, origin: Origin, error: ModelError
    ) -> Completed | None:
        """What another run made of it, should the upload be gone; raises Displaced."""
        if not isinstance(error, UploadMissing):
            return None
        existing = self._standing.find(self._job.target)
        completed = self._adopt(existing, sha256=origin.sha256, origin=origin)
        if completed is None and self._standing.unfinished(where):
            message = "another run of this transfer has taken over; it goes on there"
            raise Displaced("TransferDisplaced", message)
        return completed

    def _instead(self, origin: Origin, error: StoreError) -> Completed:
        """The model, should another run have put it in the place that was found taken."""
        if error.reason not in TAKEN:
            raise error
        target = self._job.target
        existing = self._standing.find(target)
        verified = self._standing.verified(target, existing, origin.sha256, origin.found)
        if verified is None or existing is None:
            raise error
        log.info("another run of this transfer has brought the model")
        self._standing.tidy()
        return _completed(existing, verified, origin)

    def _find(self) -> Origin:
        if isinstance(self._job.source, StoredInput):
            raise AssertionError("a stored model has no origin")
        return find(self._job.source, self._job.expected_sha256, self._settings, self._retry_policy)


def _completed(stored: StoredObject, verified: Verified, origin: Origin | None) -> Completed:
    told = origin.quantization if origin else None
    return Completed(
        size_bytes=stored.size,
        sha256=verified.sha256,
        etag=stored.etag,
        gguf=verified.header,
        quantization=verified.header.quantization or told,
    )
