"""Reading an object behind a URL by ranges, and noticing when it is another one.

The first request asks for one byte (`bytes=0-0`), because a presigned GET refuses HEAD; its
Content-Range says the size. Each later one carries If-Range (RFC 9110, 13.1.5) and must answer
206 with exactly the range that was asked for and the ETag that the first one had.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import http.client
import math
import re
import time
from typing import Final
from urllib.parse import urljoin

from roadstead.errors import SourceDenied, SourceError, SourceInterrupted
from roadstead.source.dial import (
    READ_SECONDS,
    AddressPolicy,
    DialledConnection,
    Target,
    connect,
    unreachable,
)
from roadstead.source.refusals import changed, refusal
from roadstead.source.source_responses import MAX_BODY_BYTES, SourceAnswer
from roadstead.source.urls import Urls
from roadstead.source.validity import validity

MAX_REDIRECTS: Final = 3
ERROR_BODY_SECONDS: Final = 5.0
"""How long the body of a refusal is read: its status alone says enough."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceObject:
    """What the first answer said; `etag` is as it was sent, quotes included, "" without one."""

    size: int
    etag: str


class RangeReader:
    """One connection to a source that ranges are read from, one after the other."""

    def __init__(
        self,
        urls: Urls,
        guard: AddressPolicy,
        found: SourceObject | None = None,
        *,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self._read_seconds = read_seconds
        self._reading_since = math.inf
        self._urls = urls
        self._guard = guard
        self._found = found
        self._connection: DialledConnection | None = None
        self._authority = ""
        self._response: http.client.HTTPResponse | None = None
        self._left = 0
        self._where = ""

    def probe(self) -> SourceObject:
        """Ask for the first byte; raises SourceError."""
        response = self._answered(0, 1)
        match = _CONTENT_RANGE.fullmatch(response.getheader("Content-Range") or "")
        if match is None:
            raise SourceError("SourceUnusable", f"{self._where}: does not say how large it is")
        etag = response.getheader("ETag") or ""
        response.read(1)
        self._found = SourceObject(size=int(match[3]), etag=etag)
        return self._found

    def open(self, start: int, size: int) -> None:
        """Ask for `size` bytes from `start`; raises SourceError."""
        response = self._answered(start, size)
        found = self._found
        expected = f"bytes {start}-{start + size - 1}/{found.size if found else ''}"
        etag = response.getheader("ETag") or ""
        if found is None or response.getheader("Content-Range") != expected or etag != found.etag:
            self.close()
            raise changed(self._where)
        self._response, self._left = response, size

    def readinto(self, view: memoryview) -> int:
        """Fill the view, or as much of it as the range still has; raises SourceInterrupted."""
        if self._response is None:
            raise SourceInterrupted("SourceUnreachable", f"{self._where}: no range is open")
        wanted = view[: self._left]
        self._reading_since = began = time.monotonic()
        try:
            count = self._response.readinto(wanted)
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from None
        finally:
            self._reading_since = math.inf
        if count < len(wanted):
            self.close()
            if time.monotonic() - began > self._read_seconds:
                message = f"{self._where}: sent {count} bytes in {self._read_seconds:.0f} s"
                raise SourceInterrupted("SourceTooSlow", message)
            message = f"{self._where}: ended {self._left - count} bytes early"
            raise SourceInterrupted("SourceTruncated", message)
        self._left -= count
        return count

    def interrupt_if_slow(self) -> None:
        """For another thread: end a `readinto` that takes too long, though bytes drip in."""
        connection = self._connection
        if time.monotonic() - self._reading_since > self._read_seconds and connection is not None:
            connection.interrupt()

    def close(self) -> None:
        """Drop the connection."""
        self._response = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answered(self, start: int, size: int) -> http.client.HTTPResponse:
        url = used = self._urls.current()
        for _ in range(MAX_REDIRECTS + 1):
            target = Target.parse(url)
            response = self._request(target, start, size)
            if response.status not in _REDIRECTS or not response.getheader("Location"):
                break
            url = _redirected(url, response)
            self.close()
        else:
            raise SourceError("SourceUnusable", f"{target}: redirects more than {MAX_REDIRECTS}x")
        if response.status != 206:
            self._refused(response, target, used)
        return response

    def _refused(self, response: http.client.HTTPResponse, target: Target, used: str) -> None:
        """Raise what the answer means; first ask for another URL where that may help."""
        error = refusal(
            self._read_refusal(response, target),
            str(target),
            validity=validity(target.resource),
            now=datetime.datetime.now(datetime.UTC),
            first=self._found is None,
        )
        if error is None:
            return
        if isinstance(error, SourceDenied) or error.reason == "SourceClockSkewed":
            self._urls.renew(used, error)
            raise SourceInterrupted(error.reason, str(error))
        raise error

    def _read_refusal(self, response: http.client.HTTPResponse, target: Target) -> SourceAnswer:
        body = b""
        connection = self._connection
        if response.status >= 300 and connection is not None:
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                connection.ended_after(min(ERROR_BODY_SECONDS, self._read_seconds)),
            ):
                body = response.read(MAX_BODY_BYTES)
        self.close()
        return SourceAnswer.read(response.status, response.headers, body, target.resource)

    def _request(self, target: Target, start: int, size: int) -> http.client.HTTPResponse:
        self._where = str(target)
        if self._connection is None or self._authority != f"{target.scheme}://{target.authority}":
            self.close()
            self._connection = connect(target, self._guard, read_seconds=self._read_seconds)
            self._authority = f"{target.scheme}://{target.authority}"
        headers = {
            "Host": target.authority,
            "Range": f"bytes={start}-{start + size - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": "roadstead",
        }
        # A weak validator must not be sent here (RFC 9110, 13.1.5); the answer's is compared.
        if self._found is not None and self._found.etag.startswith('"'):
            headers["If-Range"] = self._found.etag
        try:
            self._connection.putrequest(
                "GET", target.resource, skip_host=True, skip_accept_encoding=True
            )
            for name, value in headers.items():
                self._connection.putheader(name, value)
            self._connection.endheaders()
            began = time.monotonic()
            with self._connection.ended_after(self._read_seconds):
                response = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error, target) from None
        if time.monotonic() - began > self._read_seconds:
            # What came until it was interrupted may look like a whole head.
            self.close()
            message = f"{target}: sent no whole answer's head in {self._read_seconds:.0f} s"
            raise SourceInterrupted("SourceTooSlow", message)
        return response

    def _lost(self, error: Exception, target: Target | None = None) -> SourceError:
        self.close()
        if target is not None:
            return unreachable(target, error)
        why = error.strerror if isinstance(error, OSError) and error.strerror else "no byte came"
        return SourceInterrupted("SourceUnreachable", f"{self._where}: broke off ({why})")


def _redirected(url: str, response: http.client.HTTPResponse) -> str:
    location = response.getheader("Location") or ""
    following = urljoin(url, location)
    if url.startswith("https:") and not following.startswith("https:"):
        raise SourceError("SourceUnusable", f"{Target.parse(url)}: redirects from https to http")
    return following
