"""Multipart uploads: created, streamed part by part, completed or aborted.

Uses the S3 API only (CreateMultipartUpload, UploadPart, ListParts, ListMultipartUploads,
CompleteMultipartUpload, AbortMultipartUpload), no extensions of MinIO.
"""

from __future__ import annotations

import dataclasses
import http.client
import logging
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from roadstead.api.model import StoreLocation
from roadstead.errors import (
    LeaseLost,
    RightMissing,
    StoreError,
    StoreNotImplemented,
    UploadMissing,
)
from roadstead.store.faults import translate_error
from roadstead.store.store_access import StoreAccess
from roadstead.store.wire import (
    Wire,
    check_response,
    child_text,
    copy_timeout_seconds,
    local_name,
    read_response,
    unexpected_response,
)

log = logging.getLogger("roadstead.store")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A part that the store has; numbers start at 1."""

    number: int
    size: int
    etag: str


class Multipart:
    """The store's multipart uploads; all methods raise StoreError and none of them retries."""

    def __init__(self, access: StoreAccess) -> None:
        self._wire = Wire(access)

    def create(self, location: StoreLocation, metadata: Mapping[str, str]) -> str:
        """Create an upload to `location`; returns its id."""
        action = f"creating the upload to {location}"
        headers = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
        headers["Content-Type"] = "application/octet-stream"
        response = self._wire.request(
            "POST", location, {"uploads": ""}, headers=headers, action=action
        )
        root = response.xml()
        upload_id = "" if root is None else child_text(root, "UploadId")
        if not upload_id:
            raise unexpected_response(action)
        return upload_id

    def list_parts(self, location: StoreLocation, upload_id: str) -> dict[int, Part]:
        """Return the parts that the store has, by number; raises UploadMissing."""
        action = f"listing the parts of {location}"
        found: dict[int, Part] = {}
        marker = "0"
        while True:
            query = {"uploadId": upload_id, "part-number-marker": marker, "max-parts": "1000"}
            root = self._wire.request("GET", location, query, action=action).xml()
            if root is None:
                raise unexpected_response(action)
            for element in root:
                if local_name(element) == "Part":
                    part = Part(
                        number=int(child_text(element, "PartNumber")),
                        size=int(child_text(element, "Size")),
                        etag=child_text(element, "ETag").strip('"'),
                    )
                    found[part.number] = part
            following = child_text(root, "NextPartNumberMarker")
            if child_text(root, "IsTruncated") != "true" or following in ("", marker):
                return found
            marker = following

    def list_unfinished(self, location: StoreLocation) -> tuple[str, ...]:
        """Return the ids of the unfinished uploads of exactly this key that the store lists.

        MinIO no longer lists them after a restart (calls with the id still work) and removes them
        after a day. It also keeps listing an upload that was aborted while a part was in flight,
        so each one is checked. The result is empty if the store can't list uploads or denies it.
        """
        action = f"listing the uploads of {location}"
        bucket = dataclasses.replace(location, path="")
        query = {"uploads": "", "prefix": location.path}
        try:
            root = self._wire.request("GET", bucket, query, action=action).xml()
        except (RightMissing, StoreNotImplemented) as error:
            log.info("can't list unfinished uploads, the store's own sweep removes them: %s", error)
            return ()
        if root is None:
            raise unexpected_response(action)
        listed = (
            child_text(element, "UploadId")
            for element in root
            if local_name(element) == "Upload" and child_text(element, "Key") == location.path
        )
        return tuple(upload_id for upload_id in listed if self._exists(location, upload_id))

    def _exists(self, location: StoreLocation, upload_id: str) -> bool:
        try:
            self.list_parts(location, upload_id)
        except UploadMissing:
            return False
        except RightMissing:
            return True
        return True

    def complete(
        self, location: StoreLocation, upload_id: str, parts: Sequence[Part], *, if_absent: bool
    ) -> str:
        """Complete the upload; returns the object's ETag. A response of status 200 may be an error.

        With `if_absent`, a store with conditional writes refuses to overwrite an object; raises
        StoreNotImplemented if the store reports that it doesn't support them.
        """
        action = f"completing the upload to {location}"
        items = "".join(
            f"<Part><PartNumber>{part.number}</PartNumber><ETag>{escape(part.etag)}</ETag></Part>"
            for part in sorted(parts, key=lambda part: part.number)
        )
        body = f"<CompleteMultipartUpload>{items}</CompleteMultipartUpload>".encode()
        headers = {"Content-Type": "application/xml"}
        if if_absent:
            headers["If-None-Match"] = "*"
        seconds = copy_timeout_seconds(sum(part.size for part in parts))
        query = {"uploadId": upload_id}
        root = self._wire.request(
            "POST", location, query, headers=headers, body=body, seconds=seconds, action=action
        ).xml()
        if root is None:
            raise unexpected_response(action)
        return child_text(root, "ETag").strip('"')

    def abort(self, location: StoreLocation, upload_id: str) -> None:
        """Abort the upload, which deletes its parts; raises UploadMissing if it is gone already."""
        self._wire.request(
            "DELETE", location, {"uploadId": upload_id}, action=f"aborting the upload to {location}"
        )

    def open_channel(self, location: StoreLocation, upload_id: str) -> PartChannel:
        """Return a channel that sends parts of this upload, one after the other."""
        return PartChannel(self._wire, location, upload_id)


class PartChannel:
    """One connection of an upload: `begin`, `send` as bytes arrive and `finish`, for each part."""

    def __init__(self, wire: Wire, location: StoreLocation, upload_id: str) -> None:
        self._wire = wire
        self._location = location
        self._upload_id = upload_id
        self._connection: http.client.HTTPConnection | None = None
        self._action = f"writing to {location}"

    def begin(self, number: int, size: int, md5: str = "") -> None:
        """Open part `number` of `size` bytes, with its MD5 (base64) if given.

        Raises StoreError.
        """
        if self._connection is None:
            self._connection = self._wire.connect(self._location.bucket)
        query = {"partNumber": str(number), "uploadId": self._upload_id}
        headers = {"Content-Length": str(size), **({"Content-MD5": md5} if md5 else {})}
        try:
            self._wire.send_head(self._connection, "PUT", self._location, query, headers)
        except LeaseLost:
            self.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            raise self._send_error(error) from None

    def send(self, view: memoryview) -> None:
        """Send bytes of the open part; raises StoreError."""
        if self._connection is None:
            raise translate_error(ConnectionError("closed"), self._action)
        try:
            self._connection.send(view)
        except OSError as error:
            raise self._send_error(error) from None

    def finish(self) -> str:
        """Finish the open part once all bytes are sent; returns its ETag, raises StoreError."""
        if self._connection is None:
            raise translate_error(ConnectionError("closed"), self._action)
        try:
            response = read_response(self._connection)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise translate_error(error, self._action) from None
        return check_response(response, self._action).etag

    def close(self) -> None:
        """Close the connection, which discards a part that is not finished."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send_error(self, error: Exception) -> StoreError:
        # A store that refuses a part (full, denied) responds and closes before all bytes are sent.
        try:
            if self._connection is None or self._connection.sock is None:
                # It was never connected, so there is no response to read.
                return translate_error(error, self._action)
            check_response(read_response(self._connection), self._action)
        except StoreError as refusal:
            return refusal
        except (OSError, http.client.HTTPException):
            pass
        finally:
            self.close()
        return translate_error(error, self._action)
