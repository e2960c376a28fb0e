"""One multipart upload: begun or gone on with, filled by the pump, completed or dropped."""

from __future__ import annotations

import base64
import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from typing import Final

from roadstead.api.location import StoreLocation
from roadstead.errors import RightMissing, StoreError, UploadMissing
from roadstead.source.pump import Sink
from roadstead.source.ranges import SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.spans import Layout, Span, plan_layout
from roadstead.store.multipart import Multipart, Part, PartChannel
from roadstead.store.stored_objects import SHA256_METADATA, SOURCE_ETAG_METADATA
from roadstead.transfer.messages import Resume, Started
from roadstead.transfer.placement import fits, kept

log = logging.getLogger("roadstead.transfer")

ABORTS: Final = 5
ABORT_SECONDS: Final = 0.1
"""How long the store has to end what it is at before what an abort left is looked for; doubles."""


class Upload:
    """An upload that exists; `parts` grows as the pump's workers finish them."""

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
        """The ETags of the parts that an earlier run sent, by number."""
        self.resumed_bytes = sum(part.size for part in parts.values())
        self.checksums = False
        """Whether each part is sent with its MD5, which then has to be known before it is sent."""

    @property
    def is_all_resumed(self) -> bool:
        """Whether nothing was missing when this run began."""
        return len(self.resumed) == len(self.layout.spans)

    def started(self, found: SourceObject) -> Started:
        """What the operator persists."""
        return Started(
            upload_id=self.upload_id,
            key=self.where.path,
            part_size_bytes=self.layout.part_size,
            source_etag=found.etag,
            bytes_total=found.size,
            resumed_bytes=self.resumed_bytes,
        )

    def sink(self) -> Sink:
        """A connection to the store for one of the pump's workers."""
        channel = self._multipart.open_channel(self.where, self.upload_id)
        return CheckedSink(self, channel) if self.checksums else UploadSink(self, channel)

    def add(self, part: Part) -> None:
        """The store has taken a part."""
        with self._lock:
            self._parts[part.number] = part

    def complete(self, *, if_absent: bool, retry_policy: RetryPolicy) -> str:
        """Make the object of the parts; once more is harmless. Its ETag."""
        parts = list(self._parts.values())
        return retry_policy.run(
            lambda: self._multipart.complete(self.where, self.upload_id, parts, if_absent=if_absent)
        )

    def drop(self) -> None:
        """Abort it; a store that can't be reached now sweeps it later."""
        abort(self._multipart, self.where, self.upload_id)


class UploadSink:
    """Takes parts for an upload."""

    def __init__(self, upload: Upload, channel: PartChannel) -> None:
        self._upload = upload
        self._channel = channel

    def begin(self, span: Span) -> None:
        """Open a part."""
        self._channel.begin(span.number, span.size)

    def send(self, view: memoryview) -> None:
        """Stream bytes of it."""
        self._channel.send(view)

    def finish(self, span: Span) -> None:
        """The store has the part."""
        etag = self._channel.finish()
        self._upload.add(Part(number=span.number, size=span.size, etag=etag))

    def reset(self) -> None:
        """Drop the connection."""
        self._channel.close()


class CheckedSink:
    """Takes parts for an upload, and sends each with its MD5 once it is whole.

    The pump's buffers hold whole parts, which are not copied then; where they don't, for models
    of hundreds of GB, each connection holds a part of its own.
    """

    def __init__(self, upload: Upload, channel: PartChannel) -> None:
        self._upload = upload
        self._channel = channel
        self._views: list[memoryview] = []

    def begin(self, span: Span) -> None:
        """The next bytes are of this part."""
        self._views = []

    def send(self, view: memoryview) -> None:
        """Hold bytes of it."""
        self._views.append(view if self._upload.layout.buffers else memoryview(bytes(view)))

    def finish(self, span: Span) -> None:
        """Send the part; the store has it then."""
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
        """Drop what is held, and the connection."""
        self._views = []
        self._channel.close()


class Uploads:
    """Begins uploads and goes on with those of an earlier run."""

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
        """The upload to `where`: that of `resume` if it still serves, else a new one."""
        if resume is not None:
            upload = self._go_on(where, found, resume)
            if upload is not None:
                return upload
        self._clear(where)
        metadata = {SHA256_METADATA: sha256, SOURCE_ETAG_METADATA: _printable(found.etag)}
        told = {name: value for name, value in metadata.items() if value}
        upload_id = self._retry_policy.run(lambda: self._multipart.create(where, told))
        return Upload(
            self._multipart, where, upload_id, plan_layout(found.size, self._connections), {}
        )

    def _go_on(self, where: StoreLocation, found: SourceObject, resume: Resume) -> Upload | None:
        earlier = StoreLocation(endpoint=where.endpoint, bucket=where.bucket, path=resume.key)
        if not fits(resume, where, found):
            log.warning("the source or the target has changed: the transfer begins anew")
            abort(self._multipart, earlier, resume.upload_id)
            return None
        layout = plan_layout(found.size, self._connections, part_size=resume.part_size_bytes)
        try:
            stored = self._retry_policy.run(
                lambda: self._multipart.list_parts(where, resume.upload_id)
            )
        except UploadMissing:
            log.warning("the store has forgotten the upload: the transfer begins anew")
            return None
        except RightMissing as error:
            log.warning("the transfer begins anew; allow s3:ListMultipartUploadParts: %s", error)
            abort(self._multipart, earlier, resume.upload_id)
            return None
        parts = kept(stored, layout.spans)
        log.info("going on with %d of %d parts", len(parts), len(layout.spans))
        return Upload(self._multipart, where, resume.upload_id, layout, parts)

    def _clear(self, where: StoreLocation) -> None:
        """Abort uploads to this key that nobody knows of: begun just before a kill."""
        for upload_id in self._retry_policy.run(lambda: self._multipart.list_unfinished(where)):
            log.info("dropping an upload that an earlier run left behind")
            abort(self._multipart, where, upload_id)


def abort(multipart: Multipart, where: StoreLocation, upload_id: str) -> None:
    """Abort an upload as well as it goes: a failure here must not hide why it is dropped.

    Parts on their way may outlive it, so that S3 asks to look for some and abort again
    (AbortMultipartUpload in its API reference); some stores fail at the first one then.
    """
    for attempt in range(ABORTS):
        try:
            left = _aborted(multipart, where, upload_id, wait=ABORT_SECONDS * 2**attempt)
        except StoreError as error:
            left = str(error)
            break
        if not left:
            return
    log.warning("an upload is left behind: %s", left)


def _aborted(multipart: Multipart, where: StoreLocation, upload_id: str, *, wait: float) -> str:
    """Try it once; what is left, or empty. Raises StoreError where it is no use to try again."""
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
    return "parts of it were on their way"


def _printable(etag: str) -> str:
    return "".join(char for char in etag if " " <= char <= "~")[:256]
