"""The write fence of the store: writes are not sent, with either client."""

import dataclasses
from collections.abc import Callable

import pytest
from minio import Minio

from roadstead.api.model import StoreLocation
from roadstead.errors import LeaseLost
from roadstead.fence import FOREVER, Fence
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.store.stored_objects import copy, minio_client, remove, stat
from tests.adapters.test_transfer import Put, keys

Change = Callable[[StoreAccess, StoreLocation], object]


@pytest.fixture
def fenced(access: StoreAccess) -> StoreAccess:
    """Access to the store of an operator that may no longer write."""
    return dataclasses.replace(access, fence=Fence.shared())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda way, at: remove(minio_client(way), at), id="remove"),
        pytest.param(
            lambda way, at: copy(
                lambda _: minio_client(way), at, dataclasses.replace(at, path="other")
            ),
            id="copy",
        ),
        pytest.param(lambda way, at: Multipart(way).create(at, {}), id="begin-an-upload"),
        pytest.param(
            lambda way, at: Multipart(way).complete(at, "some", [], if_absent=False), id="complete"
        ),
        pytest.param(lambda way, at: Multipart(way).abort(at, "some"), id="abort"),
        pytest.param(
            lambda way, at: Multipart(way).open_channel(at, "some").begin(1, 1), id="part"
        ),
    ],
)
def test_writes_are_refused_after_the_lease(
    fenced: StoreAccess, client: Minio, target: StoreLocation, put: Put, change: Change
) -> None:
    put(b"an object")
    with pytest.raises(LeaseLost):
        change(fenced, target)
    assert keys(client, target) == [target.path]


def test_reads_are_allowed_after_the_lease(
    fenced: StoreAccess, target: StoreLocation, put: Put
) -> None:
    put(b"an object")
    assert stat(minio_client(fenced), target) is not None
    assert Multipart(fenced).list_unfinished(target) == ()


def test_writes_on_an_open_connection_are_refused_after_the_lease(
    access: StoreAccess, target: StoreLocation, put: Put
) -> None:
    put(b"an object")
    fence = Fence.shared(FOREVER)
    client = minio_client(dataclasses.replace(access, fence=fence))
    assert stat(client, target) is not None
    fence.move(0)
    with pytest.raises(LeaseLost):
        client.remove_object(target.bucket, target.path)
