"""Signed S3 requests over connections of our own.

minio-py signs (`minio.signer`), but reads a part's body as a whole and hashes it first. Here the
payload is unsigned, so that a part's first byte can leave while its last has not yet arrived;
its integrity is what the transfer's sha256 is for.
"""

from __future__ import annotations

import dataclasses
import datetime
import http.client
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit
from xml.etree import ElementTree

from minio.signer import sign_v4_s3
from minio.time import to_amz_date

from roadstead.api.location import StoreLocation
from roadstead.errors import StoreError
from roadstead.store.faults import answer_fault, fault
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_fencing import READING

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
ANSWER_SECONDS: Final = 120.0
"""A store may take its time to put the parts of a large object together."""
_MAX_ANSWER_BYTES: Final = 8 * 2**20


@dataclasses.dataclass(frozen=True, kw_only=True)
class StoreResponse:
    """An S3 answer, read to its end."""

    status: int
    etag: str
    body: bytes

    @property
    def code(self) -> str:
        """The error code in the body, "" without one; also in an answer of status 200."""
        root = self.xml()
        return "" if root is None or local(root) != "Error" else text(root, "Code")

    @property
    def message(self) -> str:
        """What the store says of the error, "" without a word."""
        root = self.xml()
        return "" if root is None or local(root) != "Error" else text(root, "Message")

    def xml(self) -> ElementTree.Element | None:
        """The body as XML, None where it is none."""
        try:
            return ElementTree.fromstring(self.body)  # noqa: S314 - from the operator's own store
        except ElementTree.ParseError:
            return None


def local(element: ElementTree.Element) -> str:
    """The element's name without its namespace, which servers differ in."""
    return element.tag.rpartition("}")[2]


def text(element: ElementTree.Element, name: str) -> str:
    """The text of the child `name`, "" without one."""
    return next((child.text or "" for child in element if local(child) == name), "")


class Wire:
    """Opens connections to the store and signs requests for them."""

    def __init__(self, access: StoreAccess) -> None:
        self._access = access
        self._endpoint = urlsplit(access.endpoint)

    def connect(self, bucket: str) -> http.client.HTTPConnection:
        """A connection for requests to a bucket; it isn't dialled before its first one."""
        netloc, _ = self._access.addressing.locate(self._endpoint, bucket)
        parts = urlsplit(f"//{netloc}")
        host, port = parts.hostname or "", parts.port
        if self._endpoint.scheme == "https":
            return http.client.HTTPSConnection(
                host, port, timeout=ANSWER_SECONDS, context=ssl.create_default_context()
            )
        return http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)

    def head(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        location: StoreLocation,
        query: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> None:
        """Send the signed head of a request; the body, if any, is the caller's to send.

        Raises LeaseLost where a request that changes something may no longer be sent.
        """
        url = self._url(location, query)
        keys = self._access.credentials()
        now = datetime.datetime.now(datetime.UTC)
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
        if method not in READING:
            self._access.fence.check()
        connection.endheaders()

    def call(
        self,
        method: str,
        location: StoreLocation,
        query: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        doing: str,
    ) -> StoreResponse:
        """One request on a connection of its own; raises StoreError unless all went well."""
        connection = self.connect(location.bucket)
        try:
            length = {"Content-Length": str(len(body))}
            self.head(connection, method, location, query, {**(headers or {}), **length})
            if body:
                self._access.fence.check()
                connection.send(body)
            answer = read_answer(connection)
        except (OSError, http.client.HTTPException) as error:
            raise fault(error, doing) from None
        finally:
            connection.close()
        return accepted(answer, doing)

    def _url(self, location: StoreLocation, query: Mapping[str, str]) -> SplitResult:
        netloc, prefix = self._access.addressing.locate(self._endpoint, location.bucket)
        path = f"{prefix}/{quote(location.path, safe='/~')}".rstrip("/") or "/"
        encoded = "&".join(
            f"{quote(name, safe='~')}={quote(value, safe='~')}"
            for name, value in sorted(query.items())
        )
        # The signer wants the host as it will be sent: without the scheme's own port.
        default = {"http": 80, "https": 443}[self._endpoint.scheme]
        host = netloc.removesuffix(f":{default}")
        return SplitResult(self._endpoint.scheme, host, path, encoded, "")


def read_answer(connection: http.client.HTTPConnection) -> StoreResponse:
    """The answer to what was sent; raises OSError or HTTPException."""
    response = connection.getresponse()
    body = response.read(_MAX_ANSWER_BYTES)
    etag = (response.getheader("ETag") or "").strip('"')
    return StoreResponse(status=response.status, etag=etag, body=body)


def accepted(answer: StoreResponse, doing: str) -> StoreResponse:
    """The answer if it says that all went well, else raises StoreError."""
    code = answer.code
    if answer.status >= 300 or code:
        raise answer_fault(answer.status, code, doing, answer.message)
    return answer


def unexpected(doing: str) -> StoreError:
    """What answers is not what S3 would say."""
    return StoreError("StoreFailed", f"{doing}: what answers there is not an S3 server")
