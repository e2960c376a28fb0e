"""Signed S3 requests over http.client.

minio-py signs (`minio.signer`), but reads the whole body of a part and hashes it first. Here the
payload is unsigned, so that a part can be streamed while it still arrives; its integrity is
checked with the transfer's sha256.
"""

from __future__ import annotations

import dataclasses
import http.client
import math
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit
from xml.etree import ElementTree

from minio.signer import sign_v4_s3
from minio.time import to_amz_date

from roadstead.api.model import StoreLocation
from roadstead.clocks import utc_now
from roadstead.errors import StoreError
from roadstead.store.faults import translate_error, translate_response
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_fencing import READ_METHODS

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
RESPONSE_TIMEOUT_SECONDS: Final = 120.0
COPIED_BYTES_PER_SECOND: Final = 32 * 2**20
"""Of a store on a slow disk, which reads and writes at the same time."""
_STEP_SECONDS: Final = 60
_MAX_RESPONSE_BYTES: Final = 8 * 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreResponse:
    """An S3 response, read completely."""

    status: int
    etag: str
    body: bytes

    @property
    def code(self) -> str:
        """The error code in the body, or ""; a response of status 200 may have one too."""
        root = self.xml()
        return "" if root is None or local_name(root) != "Error" else child_text(root, "Code")

    @property
    def message(self) -> str:
        """The store's message about the error, or ""."""
        root = self.xml()
        return "" if root is None or local_name(root) != "Error" else child_text(root, "Message")

    def xml(self) -> ElementTree.Element | None:
        """Return the body parsed as XML, or None if it isn't XML."""
        try:
            return ElementTree.fromstring(self.body)  # noqa: S314 - from the operator's own store
        except ElementTree.ParseError:
            return None


def local_name(element: ElementTree.Element) -> str:
    """Return the element's name without its namespace, which differs between servers."""
    return element.tag.rpartition("}")[2]


def child_text(element: ElementTree.Element, name: str) -> str:
    """Return the text of the child `name`, or ""."""
    return next((child.text or "" for child in element if local_name(child) == name), "")


def copy_timeout_seconds(size: int) -> float:
    """Return how long a store may take to copy `size` bytes, in whole minutes.

    Some stores copy all parts of an upload to complete it, and answer only then (versitygw, unless
    the file system shares blocks between files).
    """
    copying = math.ceil(size / COPIED_BYTES_PER_SECOND / _STEP_SECONDS) * _STEP_SECONDS
    return RESPONSE_TIMEOUT_SECONDS + copying


class Wire:
    """Opens connections to the store and signs requests for them."""

    def __init__(self, access: StoreAccess) -> None:
        self._access = access
        self._endpoint = urlsplit(access.endpoint)

    def connect(
        self, bucket: str, *, seconds: float = RESPONSE_TIMEOUT_SECONDS
    ) -> http.client.HTTPConnection:
        """Return a connection for requests to a bucket; the first request connects it.

        A request times out after `seconds` of silence.
        """
        netloc, _ = self._access.addressing.locate(self._endpoint, bucket)
        parts = urlsplit(f"//{netloc}")
        host, port = parts.hostname or "", parts.port
        if self._endpoint.scheme == "https":
            context = self._access.authorities.context()
            return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
        return http.client.HTTPConnection(host, port, timeout=seconds)

    def send_head(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        location: StoreLocation,
        query: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> None:
        """Send the signed head of a request; the caller sends the body, if any.

        Raises LeaseLost if a request that writes may no longer be sent.
        """
        url = self._url(location, query)
        keys = self._access.credentials()
        now = utc_now()
        token = {"x-amz-security-token": keys.session_token} if keys.session_token else {}
        signed = sign_v4_s3(
            method=method,
            url=url,
            region=self._access.region,
            headers={
                **headers,
                **token,
                "Host": url.netloc,
                "x-amz-content-sha256": UNSIGNED,
                "x-amz-date": to_amz_date(now),
            },
            credentials=keys.for_minio(),
            content_sha256=UNSIGNED,
            date=now,
        )
        connection.putrequest(
            method, f"{url.path}?{url.query}", skip_host=True, skip_accept_encoding=True
        )
        for name, value in signed.items():
            connection.putheader(name, str(value))
        if connection.sock is None:
            connection.connect()
        if method not in READ_METHODS:
            self._access.fence.check()
        connection.endheaders()

    def request(
        self,
        method: str,
        location: StoreLocation,
        query: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        seconds: float = RESPONSE_TIMEOUT_SECONDS,
        action: str,
    ) -> StoreResponse:
        """Send one request on a new connection; raises StoreError unless it succeeds."""
        connection = self.connect(location.bucket, seconds=seconds)
        try:
            length = {"Content-Length": str(len(body))}
            self.send_head(connection, method, location, query, {**(headers or {}), **length})
            if body:
                self._access.fence.check()
                connection.send(body)
            response = read_response(connection)
        except (OSError, http.client.HTTPException) as error:
            raise translate_error(error, action) from None
        finally:
            connection.close()
        return check_response(response, action)

    def _url(self, location: StoreLocation, query: Mapping[str, str]) -> SplitResult:
        netloc, prefix = self._access.addressing.locate(self._endpoint, location.bucket)
        path = f"{prefix}/{quote(location.path, safe='/~')}".rstrip("/") or "/"
        encoded = "&".join(
            f"{quote(name, safe='~')}={quote(value, safe='~')}"
            for name, value in sorted(query.items())
        )
        # The signer needs the host as it is sent: without the scheme's default port.
        default = {"http": 80, "https": 443}[self._endpoint.scheme]
        host = netloc.removesuffix(f":{default}")
        return SplitResult(self._endpoint.scheme, host, path, encoded, "")


def read_response(connection: http.client.HTTPConnection) -> StoreResponse:
    """Read the response to the request that was sent; raises OSError or HTTPException."""
    response = connection.getresponse()
    body = response.read(_MAX_RESPONSE_BYTES)
    etag = (response.getheader("ETag") or "").strip('"')
    return StoreResponse(status=response.status, etag=etag, body=body)


def check_response(response: StoreResponse, action: str) -> StoreResponse:
    """Return the response if it is a success, else raise StoreError."""
    code = response.code
    if response.status >= 300 or code:
        raise translate_response(response.status, code, action, response.message)
    return response


def unexpected_response(action: str) -> StoreError:
    """Return the error for a response that isn't S3's."""
    return StoreError("StoreFailed", f"{action}: the endpoint is not an S3 server")
