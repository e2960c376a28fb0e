"""A store may take long to copy a large object: such requests have a timeout of their own."""

import dataclasses
import time
from collections.abc import Iterator

import pytest

from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.errors import StoreInterrupted
from roadstead.store import multipart, stored_objects
from roadstead.store.multipart import Multipart, Part
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from roadstead.store.wire import RESPONSE_TIMEOUT_SECONDS, copy_timeout_seconds
from tests.adapters.test_transfer import Put
from tests.support.s3_proxy import Asked, Refusal, S3Proxy, running_s3_proxy

SIZE = 3 * 2**20
SECONDS = 0.3


def slow(asked: Asked) -> Refusal | None:
    """A store that takes longer than SECONDS to copy, and then denies it."""
    if not (asked.is_completion or "x-amz-copy-source" in asked.headers):
        return None
    time.sleep(4 * SECONDS)
    return Refusal(status=403, code="AccessDenied")


@pytest.fixture
def proxy(store: ObjectStore) -> Iterator[S3Proxy]:
    """A slow proxy in front of the real server."""
    with running_s3_proxy(store) as running:
        running.rule = slow
        yield running


@pytest.fixture
def there(proxy: S3Proxy, target: StoreLocation) -> StoreLocation:
    """The target through the proxy."""
    return dataclasses.replace(target, endpoint=proxy.store.endpoint)


@pytest.fixture
def through(access: StoreAccess, proxy: S3Proxy) -> StoreAccess:
    """Access through the proxy."""
    return dataclasses.replace(access, endpoint=proxy.store.endpoint)


@pytest.mark.parametrize(
    ("size", "minutes"), [(0, 0), (1, 1), (16 * 2**30, 9), (100 * 2**30, 54)], ids=str
)
def test_timeout_grows_with_the_size_of_the_object(size: int, minutes: int) -> None:
    assert copy_timeout_seconds(size) == RESPONSE_TIMEOUT_SECONDS + 60 * minutes


def test_completion_has_the_timeout_for_the_size_of_all_parts(
    through: StoreAccess, there: StoreLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(multipart, "copy_timeout_seconds", {2 * SIZE: SECONDS}.__getitem__)
    uploads = Multipart(through)
    upload_id = uploads.create(there, {})
    parts = [Part(number=number, size=SIZE, etag="0" * 32) for number in (1, 2)]
    with pytest.raises(StoreInterrupted):
        uploads.complete(there, upload_id, parts, if_absent=False)


async def test_copy_has_the_timeout_for_the_size_of_the_object(
    through: StoreAccess, there: StoreLocation, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_objects, "copy_timeout_seconds", {SIZE: SECONDS}.__getitem__)
    put(bytes(SIZE))
    with pytest.raises(StoreInterrupted):
        await MinioStore(through).copy(there, dataclasses.replace(there, path="copies/model"))
