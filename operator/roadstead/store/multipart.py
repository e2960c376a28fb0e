"""Multipart uploads: begun, streamed part by part, completed or aborted.

Written against the S3 API alone (CreateMultipartUpload, UploadPart, ListParts,
ListMultipartUploads, CompleteMultipartUpload, AbortMultipartUpload), nothing of MinIO's own.
"""

from __future__ import annotations

import dataclasses
import http.client
import logging
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from roadstead.api.location import StoreLocation
from roadstead.errors import (
    LeaseLost,
    RightMissing,
    StoreError,
    StoreNotImplemented,
    UploadMissing,
)
from roadstead.store.faults import fault
from roadstead.store.store_access import StoreAccess
from roadstead.store.wire import Wire, accepted, local, read_answer, text, unexpected

log = logging.getLogger("roadstead.store")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A part that the store holds; parts count from 1."""

    number: int
    size: int
    etag: str


class Multipart:
    """The store's multipart uploads; every method raises StoreError, none sleeps or retries."""

    def __init__(self, access: StoreAccess) -> None:
        self._wire = Wire(access)

    def create(self, location: StoreLocation, metadata: Mapping[str, str]) -> str:
        """Begin an upload to `location`; returns its id."""
        doing = f"beginning the upload to {location}"
        headers = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
        headers["Content-Type"] = "application/octet-stream"
        answer = self._wire.call("POST", location, {"uploads": ""}, headers=headers, doing=doing)
        root = answer.xml()
        upload_id = "" if root is None else text(root, "UploadId")
        if not upload_id:
            raise unexpected(doing)
        return upload_id

    def parts(self, location: StoreLocation, upload_id: str) -> dict[int, Part]:
        """The parts that the store holds, by number; raises UploadMissing."""
        doing = f"listing the parts of {location}"
        found: dict[int, Part] = {}
        marker = "0"
        while True:
            query = {"uploadId": upload_id, "part-number-marker": marker, "max-parts": "1000"}
            root = self._wire.call("GET", location, query, doing=doing).xml()
            if root is None:
                raise unexpected(doing)
            for element in root:
                if local(element) == "Part":
                    part = Part(
                        number=int(text(element, "PartNumber")),
                        size=int(text(element, "Size")),
                        etag=text(element, "ETag").strip('"'),
                    )
                    found[part.number] = part
            following = text(root, "NextPartNumberMarker")
            if text(root, "IsTruncated") != "true" or following in ("", marker):
                return found
            marker = following

    def unfinished(self, location: StoreLocation) -> tuple[str, ...]:
        """Ids of the unfinished uploads of exactly this key, as far as the store knows them.

        MinIO forgets them for this list when it restarts (not for the calls that name the id);
        its own sweep removes those after a day. It also goes on listing one that was aborted while
        a part of it was on its way: so each is asked for. Where the keys may not list uploads, or
        the store can't, none are known.
        """
        doing = f"listing the uploads of {location}"
        bucket = dataclasses.replace(location, path="")
        query = {"uploads": "", "prefix": location.path}
        try:
            root = self._wire.call("GET", bucket, query, doing=doing).xml()
        except (RightMissing, StoreNotImplemented) as error:
            log.info("uploads that nobody knows of are left to the store: %s", error)
            return ()
        if root is None:
            raise unexpected(doing)
        listed = (
            text(element, "UploadId")
            for element in root
            if local(element) == "Upload" and text(element, "Key") == location.path
        )
        return tuple(upload_id for upload_id in listed if self._is_there(location, upload_id))

    def _is_there(self, location: StoreLocation, upload_id: str) -> bool:
        try:
            self.parts(location, upload_id)
        except UploadMissing:
            return False
        except RightMissing:
            return True
        return True

    def complete(
        self, location: StoreLocation, upload_id: str, parts: Sequence[Part], *, if_absent: bool
    ) -> str:
        """Put the parts together; returns the object's ETag. The answer may be a 200 that fails.

        With `if_absent` a store that knows conditional writes refuses to write over an object;
        StoreNotImplemented where it says that it does not know them.
        """
        doing = f"completing the upload to {location}"
        items = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag></Part>"
            for part in sorted(parts, key=lambda part: part.number)
        )
        body = f"<CompleteMultipartUpload>{items}</CompleteMultipartUpload>".encode()
        headers = {"Content-Type": "application/xml"}
        if if_absent:
            headers["If-None-Match"] = "*"
        query = {"uploadId": upload_id}
        root = self._wire.call(
            "POST", location, query, headers=headers, body=body, doing=doing
        ).xml()
        if root is None:
            raise unexpected(doing)
        return text(root, "ETag").strip('"')

    def abort(self, location: StoreLocation, upload_id: str) -> None:
        """Drop the upload and its parts; raises UploadMissing where it is gone already."""
        self._wire.call(
            "DELETE", location, {"uploadId": upload_id}, doing=f"aborting the upload to {location}"
        )

    def channel(self, location: StoreLocation, upload_id: str) -> PartChannel:
        """A connection that parts of this upload go through, one after the other."""
        return PartChannel(self._wire, location, upload_id)


class PartChannel:
    """One connection of an upload: `begin`, `send` as bytes arrive, `finish`, and again."""

    def __init__(self, wire: Wire, location: StoreLocation, upload_id: str) -> None:
        self._wire = wire
        self._location = location
        self._upload_id = upload_id
        self._connection: http.client.HTTPConnection | None = None
        self._doing = f"writing to {location}"

    def begin(self, number: int, size: int, md5: str = "") -> None:
        """Open part `number` of `size` bytes, with their MD5 (base64) if given.

        Raises StoreError.
        """
        if self._connection is None:
            self._connection = self._wire.connect(self._location.bucket)
        query = {"partNumber": str(number), "uploadId": self._upload_id}
        headers = {"Content-Length": str(size), **({"Content-MD5": md5} if md5 else {})}
        try:
            self._wire.head(self._connection, "PUT", self._location, query, headers)
        except LeaseLost:
            self.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            raise self._fault(error) from None

    def send(self, view: memoryview) -> None:
        """Send bytes of the part that is open; raises StoreError."""
        if self._connection is None:
            raise fault(ConnectionError("closed"), self._doing)
        try:
            self._connection.send(view)
        except OSError as error:
            raise self._fault(error) from None

    def finish(self) -> str:
        """The open part's ETag, once all its bytes are sent; raises StoreError."""
        if self._connection is None:
            raise fault(ConnectionError("closed"), self._doing)
        try:
            answer = read_answer(self._connection)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise fault(error, self._doing) from None
        return accepted(answer, self._doing).etag

    def close(self) -> None:
        """Drop the connection, and with it a part that is not finished."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _fault(self, error: Exception) -> StoreError:
        # A store that refuses a part (full, denied) answers and hangs up before it is all sent.
        try:
            if self._connection is None or self._connection.sock is None:
                # It was never there: nobody answers.
                return fault(error, self._doing)
            accepted(read_answer(self._connection), self._doing)
        except StoreError as refusal:
            return refusal
        except (OSError, http.client.HTTPException):
            pass
        finally:
            self.close()
        return fault(error, self._doing)
