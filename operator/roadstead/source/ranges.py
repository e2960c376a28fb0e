"""Reads an object at a URL by ranges, and detects when it is replaced.

The first request is for one byte (`bytes=0-0`), because a presigned GET refuses HEAD; its
Content-Range has the size. Later ones have If-Range (RFC 9110, 13.1.5), and the response must be
206 with exactly the requested range and the ETag of the first response.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import math
import re
import time
from typing import Final
from urllib.parse import urljoin

from roadstead.clocks import utc_now
from roadstead.errors import SourceDenied, SourceError, SourceInterrupted
from roadstead.source.dial import (
    READ_SECONDS,
    DialledConnection,
    Egress,
    Target,
    connect,
    connection_error,
)
from roadstead.source.refusals import interpret_response, source_changed
from roadstead.source.source_responses import MAX_BODY_BYTES, SourceAnswer
from roadstead.source.urls import Urls
from roadstead.source.validity import parse_validity

MAX_REDIRECTS: Final = 3
ERROR_BODY_SECONDS: Final = 5.0
"""How long the body of an error response is read: its status is sufficient."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceObject:
    """Size and ETag of the first response; `etag` includes its quotes, "" if there is none."""

    size: int
    etag: str


class RangeReader:
    """Reads ranges from a source over one connection, one after the other."""

    def __init__(
        self,
        urls: Urls,
        egress: Egress,
        found: SourceObject | None = None,
        *,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._read_seconds = read_seconds
        self._reading_since = math.inf
        self._urls = urls
        self._egress = egress
        self._found = found
        self._connection: DialledConnection | None = None
        self._authority = ""
        self._response: http.client.HTTPResponse | None = None
        self._left = 0
        self._where = ""

    def probe(self) -> SourceObject:
        """Request the first byte; raises SourceError."""
        response = self._request_range(0, 1)
        match = _CONTENT_RANGE.fullmatch(response.getheader("Content-Range") or "")
        if match is None:
            raise SourceError(
                "SourceUnusable", f"{self._where}: the response has no size (Content-Range)"
            )
        etag = response.getheader("ETag") or ""
        response.read(1)
        self._found = SourceObject(size=int(match[3]), etag=etag)
        return self._found

    def open(self, start: int, size: int) -> None:
        """Request `size` bytes from `start`; raises SourceError."""
        response = self._request_range(start, size)
        found = self._found
        expected = f"bytes {start}-{start + size - 1}/{found.size if found else ''}"
        etag = response.getheader("ETag") or ""
        if found is None or response.getheader("Content-Range") != expected or etag != found.etag:
            self.close()
            raise source_changed(self._where)
        self._response, self._left = response, size

    def readinto(self, view: memoryview) -> int:
        """Fill the view as far as the range has bytes left; raises SourceInterrupted."""
        if self._response is None:
            raise SourceInterrupted("SourceUnreachable", f"{self._where}: no range is open")
        wanted = view[: self._left]
        self._reading_since = time.monotonic()
        try:
            count = self._response.readinto(wanted)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost_connection(error, wanted=len(wanted)) from None
        finally:
            self._reading_since = math.inf
        if count < len(wanted):
            if self._interrupted:
                raise self._too_slow(f"fewer than {len(wanted)} bytes")
            self.close()
            message = f"{self._where}: ended {self._left - count} bytes early"
            raise SourceInterrupted("SourceTruncated", message)
        self._left -= count
        return count

    def interrupt_if_slow(self) -> None:
        """Interrupt another thread's `readinto` that takes too long though bytes still arrive."""
        connection = self._connection
        if time.monotonic() - self._reading_since > self._read_seconds and connection is not None:
            connection.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._response = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _request_range(self, start: int, size: int) -> http.client.HTTPResponse:
        url = used = self._urls.current()
        for _ in range(MAX_REDIRECTS + 1):
            target = Target.parse(url)
            response = self._request(target, start, size)
            if response.status not in _REDIRECTS or not response.getheader("Location"):
                break
            url = _redirect_url(url, response)
            self.close()
        else:
            raise SourceError("SourceUnusable", f"{target}: redirects more than {MAX_REDIRECTS}x")
        if response.status != 206:
            self._raise_refusal(response, target, used)
        return response

    def _raise_refusal(self, response: http.client.HTTPResponse, target: Target, used: str) -> None:
        """Raise the error of the response; requests another URL first if that may help."""
        error = interpret_response(
            self._read_error_response(response, target),
            str(target),
            validity=parse_validity(target.resource),
            now=utc_now(),
            is_first=self._found is None,
        )
        if error is None:
            return
        if isinstance(error, SourceDenied) or error.reason == "SourceClockSkewed":
            self._urls.renew(used, error)
            raise SourceInterrupted(error.reason, str(error))
        raise error

    def _read_error_response(
        self, response: http.client.HTTPResponse, target: Target
    ) -> SourceAnswer:
        body = b""
        connection = self._connection
        if response.status >= 300 and connection is not None:
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                connection.interrupt_after(min(ERROR_BODY_SECONDS, self._read_seconds)),
            ):
                body = response.read(MAX_BODY_BYTES)
        self.close()
        return SourceAnswer.read(response.status, response.headers, body, target.resource)

    def _request(self, target: Target, start: int, size: int) -> http.client.HTTPResponse:
        self._where = str(target)
        if self._connection is None or self._authority != f"{target.scheme}://{target.authority}":
            self.close()
            self._connection = connect(target, self._egress, read_seconds=self._read_seconds)
            self._authority = f"{target.scheme}://{target.authority}"
        headers = {
            "Host": target.authority,
            "Range": f"bytes={start}-{start + size - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": "roadstead",
        }
        # A weak validator must not be sent (RFC 9110, 13.1.5); the response's ETag is compared.
        if self._found is not None and self._found.etag.startswith('"'):
            headers["If-Range"] = self._found.etag
        try:
            self._connection.putrequest(
                "GET", target.resource, skip_host=True, skip_accept_encoding=True
            )
            for name, value in headers.items():
                self._connection.putheader(name, value)
            self._connection.endheaders()
            with self._connection.interrupt_after(self._read_seconds):
                response = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            if self._interrupted:
                raise self._too_slow("no complete response head") from None
            self.close()
            raise connection_error(target, error) from None
        if self._interrupted:
            # The bytes received before the interruption may parse as a whole head.
            response.close()
            raise self._too_slow("no complete response head")
        return response

    @property
    def _interrupted(self) -> bool:
        return self._connection is not None and self._connection.interrupted

    def _too_slow(self, sent: str) -> SourceInterrupted:
        self.close()
        message = f"{self._where}: sent {sent} in {self._read_seconds:.0f} s"
        return SourceInterrupted("SourceTooSlow", message)

    def _lost_connection(self, error: Exception, *, wanted: int) -> SourceError:
        if self._interrupted:
            # Bytes that arrive after the interruption reset the connection.
            return self._too_slow(f"fewer than {wanted} bytes")
        self.close()
        why = (
            error.strerror if isinstance(error, OSError) and error.strerror else "no bytes received"
        )
        return SourceInterrupted(
            "SourceUnreachable", f"{self._where}: the connection broke ({why})"
        )


def _redirect_url(url: str, response: http.client.HTTPResponse) -> str:
    location = response.getheader("Location") or ""
    following = urljoin(url, location)
    if url.startswith("https:") and not following.startswith("https:"):
        raise SourceError("SourceUnusable", f"{Target.parse(url)}: redirects from https to http")
    return following
