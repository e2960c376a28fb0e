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

import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Final

from minio import Minio

from roadstead.api.location import StoreLocation
from roadstead.errors import (
    ContentError,
    Displaced,
    ModelError,
    PartsDamaged,
    Retry,
    SourceChanged,
    StoreError,
    StoreInterrupted,
    UploadMissing,
)
from roadstead.source.patience import Patience
from roadstead.source.pump import Pump
from roadstead.source.spans import default_part_size
from roadstead.store.multipart import Multipart
from roadstead.store.objects import StoredObject, check_endpoint, copy, minio_client, remove, stat
from roadstead.transfer.content import PartsVerifier, Verified, Verifier
from roadstead.transfer.messages import (
    Completed,
    Event,
    Phase,
    Resume,
    StoredSource,
    TransferJob,
)
from roadstead.transfer.origin import Origin, find
from roadstead.transfer.placement import destination, leftovers, may_be_it, staging
from roadstead.transfer.rate import Rate
from roadstead.transfer.reading import StoredReader
from roadstead.transfer.settings import TransferSettings
from roadstead.transfer.upload import Upload, Uploads, abort

log = logging.getLogger("roadstead.transfer")

MAX_BEGINNINGS = 3
"""A source or a store that changes under each of so many uploads is left to the next run."""
_TAKEN: Final = ("StoreObjectExists", "StoreObjectMissing")
"""What a run meets where another has put the model in its place, or has taken the copy for it."""
_GONE: Final = ("StoreObjectMissing", "StoreObjectChanged")
"""What a run meets that reads what another one finds wrong, and removes or writes anew."""


class Transfer:
    """Runs one job; `emit` is told what happens, `clock` is any monotonic clock in seconds."""

    def __init__(
        self,
        job: TransferJob,
        settings: TransferSettings,
        patience: Patience,
        emit: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._settings = settings
        self._patience = patience
        self._emit = emit
        self._clock = clock
        self._target = job.target
        self._multipart = Multipart(settings.store)
        self._stood = ""
        """The ETag of what stood at the target at the beginning; empty for nothing."""

    def run(self) -> Completed:
        """Bring the model to its target; raises ModelError or Stopping."""
        check_endpoint(self._settings.store, self._target)
        if isinstance(self._job.source, StoredSource):
            return self._adopt_stored()
        client = minio_client(self._settings.store)
        existing = self._stat(client, self._target)
        self._stood = existing.etag if existing else ""
        completed = self._adopt(client, existing, sha256=self._job.expected_sha256, origin=None)
        if completed is not None:
            return completed
        origin = self._find()
        if self._job.expected_sha256 is None:
            completed = self._adopt(client, existing, sha256=origin.sha256, origin=origin)
            if completed is not None:
                return completed
        return self._bring(client, existing, origin)

    # What is there already

    def _adopt_stored(self) -> Completed:
        client = minio_client(self._settings.store)
        existing = self._stat(client, self._target)
        if existing is None:
            message = f"{self._target}: there is no such object; correct minioPath or upload it"
            raise StoreError("StoreObjectMissing", message, retry=Retry.BACKOFF)
        verified = self._read(client, self._target, existing.size, self._job.expected_sha256)
        self._tidy(client)
        return self._completed(existing, verified, None)

    def _adopt(
        self,
        client: Minio,
        existing: StoredObject | None,
        *,
        sha256: str | None,
        origin: Origin | None,
    ) -> Completed | None:
        if sha256 is None and origin is None:
            return None
        verified = self._verified(client, self._target, existing, sha256, origin)
        if verified is not None and existing is not None:
            log.info("the store has the model already")
            self._tidy(client)
            return self._completed(existing, verified, origin)
        return self._adopt_staged(client, sha256, origin)

    def _adopt_staged(
        self, client: Minio, sha256: str | None, origin: Origin | None
    ) -> Completed | None:
        """Go on where a run was killed between its upload beside the target and the copy."""
        where = staging(self._target, self._job.model_uid)
        staged = self._stat(client, where)
        verified = self._verified(client, where, staged, sha256, origin)
        if verified is None or staged is None:
            return None
        log.info("an earlier run had brought the model; it only has to be put in its place")
        self._replace(client, where)
        self._tidy(client)
        return self._completed(self._stored(client, staged.size), verified, origin)

    def _verified(
        self,
        client: Minio,
        where: StoreLocation,
        existing: StoredObject | None,
        sha256: str | None,
        origin: Origin | None,
    ) -> Verified | None:
        """What stands there if it is the model, found out by reading it where it may be."""
        found = origin.found if origin else None
        if existing is None or not may_be_it(existing, sha256=sha256, found=found):
            return None
        verifier = None if sha256 else self._by_etag(existing)
        try:
            return self._read(client, where, existing.size, sha256, verifier)
        except (ContentError, PartsDamaged) as error:
            log.warning("%s holds something else: %s", where, error)
        except StoreError as error:
            if error.reason not in _GONE:
                raise
            log.warning("what stood there went while it was read: %s", error)
        return None

    def _by_etag(self, existing: StoredObject) -> PartsVerifier:
        """For an object that an earlier run may have completed and never verified."""
        resume = self._job.resume
        part_size = resume.part_size_bytes if resume else default_part_size(existing.size)
        return PartsVerifier(existing.size, part_size, etags={}, etag=existing.etag)

    def _tidy(self, client: Minio) -> None:
        """Drop what earlier runs left that is not needed any more, as well as it goes."""
        resume = self._job.resume
        if resume is not None:
            abort(self._multipart, self._at(resume.key), resume.upload_id)
        key = resume.key if resume is not None else None
        for where in leftovers(self._target, self._job.model_uid, key):
            try:
                remove(client, where)
            except StoreError as error:
                log.warning("an object is left behind: %s", error)

    # What has to be brought

    def _bring(self, client: Minio, existing: StoredObject | None, origin: Origin) -> Completed:
        where = destination(self._target, self._job.model_uid, existing)
        resume = self._job.resume
        # What is left there was looked at: it isn't the model.
        self._patience.run(lambda: remove(client, staging(self._target, self._job.model_uid)))
        for beginning in range(MAX_BEGINNINGS):
            try:
                verified = self._upload(client, where, origin, resume)
                break
            except (SourceChanged, UploadMissing, PartsDamaged) as error:
                completed = self._by_another(client, where, origin, error)
                if completed is not None:
                    return completed
                if beginning + 1 == MAX_BEGINNINGS:
                    raise
                log.warning("%s: the transfer begins anew", error)
                resume = None
                origin = self._find()
            except StoreError as error:
                return self._instead(client, origin, error)
        try:
            if where != self._target:
                self._replace(client, where)
        except StoreError as error:
            return self._instead(client, origin, error)
        return self._completed(self._stored(client, origin.found.size), verified, origin)

    def _by_another(
        self, client: Minio, where: StoreLocation, origin: Origin, error: ModelError
    ) -> Completed | None:
        """What another run made of it, should the upload be gone; raises Displaced."""
        if not isinstance(error, UploadMissing):
            return None
        existing = self._stat(client, self._target)
        completed = self._adopt(client, existing, sha256=origin.sha256, origin=origin)
        if completed is None and self._patience.run(lambda: self._multipart.unfinished(where)):
            message = "another run of this transfer has taken over; it goes on there"
            raise Displaced("TransferDisplaced", message)
        return completed

    def _instead(self, client: Minio, origin: Origin, error: StoreError) -> Completed:
        """The model, should another run have put it in the place that was found taken."""
        if error.reason not in _TAKEN:
            raise error
        existing = self._stat(client, self._target)
        verified = self._verified(client, self._target, existing, origin.sha256, origin)
        if verified is None or existing is None:
            raise error
        log.info("another run of this transfer has brought the model")
        self._tidy(client)
        return self._completed(existing, verified, origin)

    def _upload(
        self, client: Minio, where: StoreLocation, origin: Origin, resume: Resume | None
    ) -> Verified:
        """Bring all parts to `where`, verified one way or the other."""
        uploads = Uploads(self._multipart, self._settings.connections, self._patience)
        upload = uploads.open(where, origin.found, resume, origin.sha256)
        self._emit(upload.started(origin.found))
        try:
            verifier = self._move(upload, origin)
            verified = verifier.finish(origin.sha256) if verifier else None
        except (ContentError, SourceChanged):
            upload.drop()
            raise
        etag = self._complete(client, upload)
        return verified or self._verify_completed(client, upload, origin, etag)

    def _move(self, upload: Upload, origin: Origin) -> Verifier | None:
        """Bring the parts that are missing; what followed them, if something could."""
        cut = upload.layout
        verifier = Verifier(cut.size) if cut.buffers and not upload.resumed else None
        missing = [span for span in cut.spans if span.number not in upload.resumed]
        pump = Pump(
            layout=cut if verifier else dataclasses.replace(cut, buffers=0),
            spans=missing,
            reader=origin.reader,
            sink=upload.sink,
            patience=self._patience,
            follower=verifier,
        )
        pump.run(self._reporter(cut.size, upload.resumed_bytes, Phase.TRANSFERRING))
        return verifier

    def _complete(self, client: Minio, upload: Upload) -> str:
        """Make the object; its ETag. UploadMissing too where only the answer to it was lost."""
        where = upload.where
        try:
            etag = upload.complete(if_absent=where == self._target, patience=self._patience)
        except StoreError as error:
            if error.reason in _TAKEN:
                upload.drop()
            raise
        self._patience.run(lambda: self._see(client, where))
        return etag

    def _see(self, client: Minio, where: StoreLocation) -> None:
        """Raise StoreInterrupted as long as the store doesn't show what was completed.

        versitygw says yes to a second run while it still puts the parts together for a first one.
        That may have found them wrong by now, or put them from beside the target in its place.
        """
        if stat(client, where) is not None or (where != self._target and self._taken(client)):
            return
        if self._multipart.unfinished(where):
            raise UploadMissing("StoreUploadMissing", f"{where}: another run has begun it anew")
        message = f"{where}: was completed, but the store doesn't show it yet"
        raise StoreInterrupted("StoreObjectMissing", message, retry=Retry.BACKOFF)

    def _verify_completed(
        self, client: Minio, upload: Upload, origin: Origin, etag: str
    ) -> Verified:
        """Read what was completed of kept and new parts; if it is wrong, it is removed.

        Only that one: by now another run may have put something else there.
        """
        size, sha256 = origin.found.size, origin.sha256
        by_parts = sha256 is None and upload.resumed
        part_size = upload.layout.part_size
        verifier = PartsVerifier(size, part_size, etags=upload.resumed) if by_parts else None
        try:
            return self._read(client, upload.where, size, sha256, verifier)
        except PartsDamaged:
            remove(client, upload.where, etag=etag)
            raise
        except ContentError as error:
            remove(client, upload.where, etag=etag)
            if upload.resumed:
                raise PartsDamaged("StorePartsDamaged", f"with kept parts, {error}") from None
            raise
        except StoreError as error:
            if error.reason not in _GONE:
                raise
            raise UploadMissing("StoreUploadMissing", f"another run removed it: {error}") from None

    def _replace(self, client: Minio, where: StoreLocation) -> None:
        """Put what was verified in the place of what stood at the target, and of nothing else."""
        if self._patience.run(lambda: self._taken(client)):
            message = f"{self._target}: another object has come to stand there"
            raise StoreError("StoreObjectExists", message)
        self._patience.run(lambda: copy(client, where, self._target))
        self._patience.run(lambda: remove(client, where))

    def _taken(self, client: Minio) -> bool:
        """Whether something stands at the target that did not at the beginning."""
        standing = stat(client, self._target)
        return standing is not None and standing.etag != self._stood

    # Small things

    def _find(self) -> Origin:
        if isinstance(self._job.source, StoredSource):
            raise AssertionError("a stored model has no origin")
        return find(self._job.source, self._job.expected_sha256, self._settings, self._patience)

    def _stat(self, client: Minio, where: StoreLocation) -> StoredObject | None:
        return self._patience.run(lambda: stat(client, where))

    def _stored(self, client: Minio, size: int) -> StoredObject:
        """What stands at the target once all is done."""
        stored = self._stat(client, self._target)
        if stored is None or stored.size != size:
            raise StoreError("StoreObjectChanged", f"{self._target}: was removed meanwhile")
        return stored

    def _read(
        self,
        client: Minio,
        where: StoreLocation,
        size: int,
        sha256: str | None,
        verifier: PartsVerifier | None = None,
    ) -> Verified:
        reader = StoredReader(client, self._settings.connections, self._patience)
        report = self._reporter(size, 0, Phase.VERIFYING)
        return reader.verify(where, size, sha256, report, verifier)

    def _reporter(self, total: int, start: int, phase: Phase) -> Callable[[int], None]:
        rate = Rate(total=total, start=start, now=self._clock(), phase=phase)
        return lambda moved: self._emit(rate.progress(start + moved, self._clock()))

    def _at(self, key: str) -> StoreLocation:
        return dataclasses.replace(self._target, path=key)

    def _completed(
        self, stored: StoredObject, verified: Verified, origin: Origin | None
    ) -> Completed:
        told = origin.quantization if origin else None
        return Completed(
            size_bytes=stored.size,
            sha256=verified.sha256,
            etag=stored.etag,
            gguf=verified.header,
            quantization=verified.header.quantization or told,
        )
