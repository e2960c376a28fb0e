"""Keys may have any characters that S3 allows: each is quoted once and read back unchanged."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minio import Minio

from roadstead.api.model import StoreLocation
from roadstead.source.dial import Target
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import is_signed_by, presign
from roadstead.store.stored_objects import minio_client

ENDPOINT = "http://store.example:9000"
HOUR = datetime.timedelta(hours=1)
parts = st.text(
    st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="/"), min_size=1
).filter(lambda part: part.strip() not in ("", ".", ".."))
keys = st.lists(parts, min_size=1, max_size=4).map("/".join)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Minio:
    """Return Roadstead's client of minio-py."""
    key = tmp_path_factory.mktemp("keys") / "key"
    key.write_text("roadstead")
    access = StoreAccess(
        endpoint=ENDPOINT,
        bucket="models",
        region="us-east-1",
        access_key_file=key,
        secret_key_file=key,
    )
    return minio_client(access)


def at(key: str) -> StoreLocation:
    """Return the location of this key."""
    return StoreLocation(endpoint=ENDPOINT, bucket="models", path=key)


@given(keys, keys)
def test_url_reads_only_its_own_key(client: Minio, key: str, other: str) -> None:
    url = presign(client, at(key), HOUR)
    assert is_signed_by(client, at(key), url)
    assert is_signed_by(client, at(other), url) is (key == other)


@given(keys)
def test_url_has_no_dot_segments(client: Minio, key: str) -> None:
    target = Target.parse(presign(client, at(key), HOUR))
    path = target.resource.partition("?")[0]
    assert (target.host, target.port) == ("store.example", 9000)
    assert path.count("/") == key.count("/") + 2
    assert not {".", "..", ""} & set(path.split("/")[1:])
