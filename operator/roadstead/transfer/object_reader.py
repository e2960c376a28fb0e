"""Reads an object in the store from first to last byte to verify it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Final

from minio import Minio

from roadstead.api.model import StoreLocation
from roadstead.errors import Retry, SourceError, StoreError, StoreInterrupted
from roadstead.source.dial import Egress
from roadstead.source.pump import Pump
from roadstead.source.ranges import RangeReader, SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.spans import MIN_PART_BYTES, Span, plan_layout
from roadstead.source.urls import FixedUrl
from roadstead.transfer.content import ContentVerifier, PartsVerifier, Verified

URL_LIFETIME = datetime.timedelta(days=1)

_ADVICE: Final = "check the store's keys and that their policy allows s3:GetObject"


class Nowhere:
    """A sink that discards the bytes."""

    def begin(self, span: Span) -> None:
        """Do nothing."""

    def send(self, view: memoryview) -> None:
        """Do nothing."""

    def finish(self, span: Span) -> None:
        """Do nothing."""

    def reset(self) -> None:
        """Do nothing."""


class StoredReader:
    """Reads and verifies objects of the store."""

    def __init__(
        self, client: Minio, egress: Egress, connections: int, retry_policy: RetryPolicy
    ) -> None:
        self._client = client
        self._egress = egress
        self._connections = connections
        self._retry_policy = retry_policy

    def verify(
        self,
        where: StoreLocation,
        size: int,
        expected_sha256: str | None,
        report: Callable[[int], None],
        verifier: ContentVerifier | PartsVerifier | None = None,
    ) -> Verified:
        """Read and verify the object; raises ContentError, StoreError or Stopping."""
        verifier = verifier or ContentVerifier(size)
        try:
            found = self._probe(where)
            if found.size != size:
                raise StoreInterrupted("StoreObjectChanged", f"{where}: is being written")
            # Reads have no limit on the number of parts; the verifier needs parts in memory.
            layout = plan_layout(size, self._connections, part_size=MIN_PART_BYTES)
            Pump(
                layout=layout,
                spans=layout.spans,
                reader=lambda: self._reader(where, found),
                sink=Nowhere,
                retry_policy=self._retry_policy,
                follower=verifier,
            ).run(report)
        except SourceError as error:
            raise _to_store_error(error) from None
        return verifier.finish(expected_sha256)

    def _probe(self, where: StoreLocation) -> SourceObject:
        reader = self._reader(where, None)
        try:
            return self._retry_policy.run(reader.probe)
        finally:
            reader.close()

    def _reader(self, where: StoreLocation, found: SourceObject | None) -> RangeReader:
        url = self._client.get_presigned_url("GET", where.bucket, where.path, expires=URL_LIFETIME)
        return RangeReader(FixedUrl(url, advice=_ADVICE), self._egress, found)


_STORE_REASONS: Final = {
    "SourceURLExpired": "StoreDenied",
    "SourceDenied": "StoreDenied",
    "SourceSignatureInvalid": "StoreDenied",
    "SourceRegionWrong": "StoreDenied",
    "SourceClockSkewed": "StoreClockSkewed",
    "SourceArchived": "StoreObjectArchived",
    "SourceNotFound": "StoreObjectMissing",
    "SourceChanged": "StoreObjectChanged",
}


def _to_store_error(error: SourceError) -> StoreError:
    """Return a StoreError, since the store was read with the reader of sources."""
    reason = _STORE_REASONS.get(error.reason, "StoreUnreachable")
    return StoreError(reason, f"reading from the store: {error}", retry=Retry.BACKOFF)
