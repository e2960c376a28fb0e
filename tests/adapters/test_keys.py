"""Keys with the characters that S3 allows, at real servers: each step names the same object."""

import dataclasses
import hashlib
import io
from collections.abc import Iterator

import pytest
from minio import Minio

from dev import samplegguf
from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from roadstead.transfer.messages import Completed, Source, StoredInput, UrlInput
from tests.adapters.test_transfer import keys, read
from tests.support import fault_server
from tests.support.fault_server import FaultServer
from tests.support.transfer_process import job, run_transfer, transfer_environ

NAMES = (
    "a#b&c;d,e$f!g'h(i)j*k:l=m@n+o p.gguf",
    "a?b%41c%2Fd.gguf",
    'a"b<c>d^e`f{g|h}i[j]k~l.gguf',
    "模型-Ünïcödé-🦙.gguf",
)
MODEL = samplegguf.sample(2**20)
SHA256 = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture
def small() -> Iterator[FaultServer]:
    """A source of a small model."""
    with fault_server.running_fault_server(MODEL) as serving:
        yield serving


@pytest.fixture(params=NAMES)
def there(request: pytest.FixtureRequest, target: StoreLocation) -> StoreLocation:
    """A target with such a name."""
    folder = target.path.rpartition("/")[0]
    return dataclasses.replace(target, path=f"{folder}/{request.param}")


def stored(source: Source, there: StoreLocation, environ: dict[str, str]) -> None:
    """Transfer the model from `source`."""
    ended = run_transfer(job(source, there, SHA256), environ)
    assert isinstance(ended.last, Completed), ended.stderr


def test_model_is_stored_replaced_and_read_at_a_special_key(
    small: FaultServer, store: ObjectStore, client: Minio, there: StoreLocation
) -> None:
    environ = transfer_environ(store, allow=f"127.0.0.1:{small.port}")
    stored(UrlInput(url=small.url), there, environ)
    client.put_object(there.bucket, there.path, io.BytesIO(b"another"), 7)
    stored(UrlInput(url=small.url), there, environ)
    stored(StoredInput(), there, environ)
    assert read(client, there) == MODEL
    assert keys(client, there) == [there.path]


async def test_object_at_a_special_key_is_listed_read_and_removed(
    access: StoreAccess, client: Minio, there: StoreLocation
) -> None:
    store, uploads = MinioStore(access), Multipart(access)
    upload_id = uploads.create(there, {})
    assert uploads.list_unfinished(there) == (upload_id,)
    uploads.abort(there, upload_id)
    client.put_object(there.bucket, there.path, io.BytesIO(MODEL), len(MODEL))
    found = await store.stat(there)
    assert found is not None
    assert found.size == len(MODEL)
    assert await store.remove(there, found.etag)
    assert await store.stat(there) is None
