"""One multipart upload: created or resumed, filled by the pump, completed or aborted."""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from typing import Final

from roadstead.api.model import StoreLocation
from roadstead.errors import RightMissing, StoreError, UploadMissing
from roadstead.source.pump import Sink
from roadstead.source.ranges import SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.spans import Layout, Span, plan_layout
from roadstead.store.multipart import Multipart, Part, PartChannel
from roadstead.store.stored_objects import SHA256_METADATA, SOURCE_ETAG_METADATA
from roadstead.transfer.messages import Resume, Started
from roadstead.transfer.placement import can_resume, reusable_parts

log = logging.getLogger("roadstead.transfer")

ABORT_ATTEMPTS: Final = 5
ABORT_SECONDS: Final = 0.1
"""Delay before checking whether an abort left parts; doubles with each attempt."""


class Upload:
    """An existing upload, to which the pump's workers add parts."""

    def __init__(
        self,
        multipart: Multipart,
        where: StoreLocation,
        upload_id: str,
        layout: Layout,
        parts: Mapping[int, Part],
    ) -> None:
        self._multipart = multipart
        self.where = where
        self.upload_id = upload_id
        self.layout = layout
        self._parts = dict(parts)
        self._lock = threading.Lock()
        self.resumed = {number: part.etag for number, part in parts.items()}
        """The ETags of the parts of an earlier run, by number."""
        self.resumed_bytes = sum(part.size for part in parts.values())
        self.checksums = False
        """Whether each part is sent with its MD5, which has to be computed before it is sent."""

    @property
    def is_all_resumed(self) -> bool:
        """Whether an earlier run sent all parts."""
        return len(self.resumed) == len(self.layout.spans)

    def started(self, found: SourceObject) -> Started:
        """Return the event that the operator persists."""
        return Started(
            upload_id=self.upload_id,
            key=self.where.path,
            part_size_bytes=self.layout.part_size,
            source_etag=found.etag,
            bytes_total=found.size,
            resumed_bytes=self.resumed_bytes,
        )

    def sink(self) -> Sink:
        """Return a sink with a new connection for one of the pump's workers."""
        channel = self._multipart.open_channel(self.where, self.upload_id)
        return CheckedSink(self, channel) if self.checksums else UploadSink(self, channel)

    def add(self, part: Part) -> None:
        """Add a part that the store has."""
        with self._lock:
            self._parts[part.number] = part

    def complete(self, *, if_absent: bool, retry_policy: RetryPolicy) -> str:
        """Complete the upload, which may be repeated; returns the object's ETag."""
        parts = list(self._parts.values())
        return retry_policy.run(
            lambda: self._multipart.complete(self.where, self.upload_id, parts, if_absent=if_absent)
        )

    def abort(self) -> None:
        """Abort the upload; if the store is unavailable, its own sweep removes the upload later."""
        abort(self._multipart, self.where, self.upload_id)


class UploadSink:
    """Sends parts of an upload."""

    def __init__(self, upload: Upload, channel: PartChannel) -> None:
        self._upload = upload
        self._channel = channel

    def begin(self, span: Span) -> None:
        """Open a part."""
        self._channel.begin(span.number, span.size)

    def send(self, view: memoryview) -> None:
        """Send bytes of the part."""
        self._channel.send(view)

    def finish(self, span: Span) -> None:
        """Finish the part and add it to the upload."""
        etag = self._channel.finish()
        self._upload.add(Part(number=span.number, size=span.size, etag=etag))

    def reset(self) -> None:
        """Close the connection."""
        self._channel.close()


class CheckedSink:
    """Sends each part of an upload with its MD5, once all its bytes are known.

    If the pump's buffers contain whole parts, these are not copied; otherwise, for models of
    hundreds of GB, each connection buffers a part.
    """

    def __init__(self, upload: Upload, channel: PartChannel) -> None:
        self._upload = upload
        self._channel = channel
        self._views: list[memoryview] = []

    def begin(self, span: Span) -> None:
        """Start a part."""
        self._views = []

    def send(self, view: memoryview) -> None:
        """Buffer bytes of the part."""
        self._views.append(view if self._upload.layout.buffers else memoryview(bytes(view)))

    def finish(self, span: Span) -> None:
        """Send the part and add it to the upload."""
        digest = hashlib.md5(usedforsecurity=False)
        for view in self._views:
            digest.update(view)
        self._channel.begin(span.number, span.size, base64.b64encode(digest.digest()).decode())
        for view in self._views:
            self._channel.send(view)
        etag = self._channel.finish()
        self._views = []
        self._upload.add(Part(number=span.number, size=span.size, etag=etag))

    def reset(self) -> None:
        """Discard the buffered bytes and close the connection."""
        self._views = []
        self._channel.close()


class Uploads:
    """Creates uploads and resumes those of an earlier run."""

    def __init__(self, multipart: Multipart, connections: int, retry_policy: RetryPolicy) -> None:
        self._multipart = multipart
        self._connections = connections
        self._retry_policy = retry_policy

    def open(
        self,
        where: StoreLocation,
        found: SourceObject,
        resume: Resume | None,
        sha256: str | None,
    ) -> Upload:
        """Return the upload to `where`: that of `resume` if it is still usable, else a new one."""
        if resume is not None:
            upload = self._resume(where, found, resume)
            if upload is not None:
                return upload
        self._abort_unknown(where)
        metadata = {SHA256_METADATA: sha256, SOURCE_ETAG_METADATA: _printable(found.etag)}
        known = {name: value for name, value in metadata.items() if value}
        upload_id = self._retry_policy.run(lambda: self._multipart.create(where, known))
        return Upload(
            self._multipart, where, upload_id, plan_layout(found.size, self._connections), {}
        )

    def _resume(self, where: StoreLocation, found: SourceObject, resume: Resume) -> Upload | None:
        earlier = StoreLocation(endpoint=where.endpoint, bucket=where.bucket, path=resume.key)
        if not can_resume(resume, where, found):
            log.warning("the source or the target has changed: the transfer starts over")
            abort(self._multipart, earlier, resume.upload_id)
            return None
        layout = plan_layout(found.size, self._connections, part_size=resume.part_size_bytes)
        try:
            stored = self._retry_policy.run(
                lambda: self._multipart.list_parts(where, resume.upload_id)
            )
        except UploadMissing:
            log.warning("the store no longer has the upload: the transfer starts over")
            return None
        except RightMissing as error:
            log.warning("the transfer starts over; allow s3:ListMultipartUploadParts: %s", error)
            abort(self._multipart, earlier, resume.upload_id)
            return None
        parts = reusable_parts(stored, layout.spans)
        log.info("resuming with %d of %d parts", len(parts), len(layout.spans))
        return Upload(self._multipart, where, resume.upload_id, layout, parts)

    def _abort_unknown(self, where: StoreLocation) -> None:
        """Abort unknown uploads to this key, which a run created just before it was killed."""
        for upload_id in self._retry_policy.run(lambda: self._multipart.list_unfinished(where)):
            log.info("aborting an unfinished upload of an earlier run")
            abort(self._multipart, where, upload_id)


def abort(multipart: Multipart, where: StoreLocation, upload_id: str) -> None:
    """Abort an upload; failures are only logged, so that they don't hide the original error.

    Parts in flight may survive the abort, so S3 recommends to list the parts and abort again
    (AbortMultipartUpload in its API reference); some stores then fail at the first abort.
    """
    for attempt in range(ABORT_ATTEMPTS):
        try:
            left = _abort_once(multipart, where, upload_id, wait=ABORT_SECONDS * 2**attempt)
        except StoreError as error:
            left = str(error)
            break
        if not left:
            return
    log.warning("can't abort an upload: %s", left)


def _abort_once(multipart: Multipart, where: StoreLocation, upload_id: str, *, wait: float) -> str:
    """Abort once; returns why parts are left, or "". Raises StoreError if retries can't help."""
    aborted = False
    try:
        multipart.abort(where, upload_id)
        aborted = True
        time.sleep(wait)
        multipart.list_parts(where, upload_id)
    except UploadMissing:
        return ""
    except StoreError as error:
        if aborted and isinstance(error, RightMissing):
            return ""
        if error.reason != "StoreBusy":
            raise
        time.sleep(wait)
        return str(error)
    return "some of its parts were in flight"


def _printable(etag: str) -> str:
    return "".join(char for char in etag if " " <= char <= "~")[:256]
