"""Objects that a kill leaves at the staging key: the next run uses or removes them."""

import io
import subprocess
import time
from collections.abc import Callable

import msgspec
import pytest
from minio import Minio

from dev.servers.objectstore import ObjectStore
from roadstead.api.model import Model, StoreLocation
from roadstead.controllers.model.model_removal import clear_store
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from roadstead.store.stored_objects import SHA256_METADATA, SOURCE_ETAG_METADATA
from roadstead.transfer.messages import (
    Completed,
    Resume,
    Started,
    UrlInput,
    parse_event,
)
from roadstead.transfer.placement import staging_location
from tests.adapters.test_transfer import Put, failed, from_faults, keys, read
from tests.support.fault_server import FaultServer
from tests.support.transfer_process import (
    UID,
    job,
    run_transfer,
    start_transfer,
    transfer_environ,
    wait_for_exit,
)

Stage = Callable[..., None]


@pytest.fixture
def stage(client: Minio, target: StoreLocation) -> Stage:
    """Puts an object at the staging key."""

    def stage(data: bytes, **metadata: str) -> None:
        where = staging_location(target, UID)
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        client.put_object(
            where.bucket, where.path, io.BytesIO(data), len(data), metadata=dict(named)
        )

    return stage


def model(**transfer: object) -> Model:
    """Return a Model with an unfinished transfer."""
    return Model.parse(
        {
            "metadata": {"name": "sample", "uid": UID, "generation": 1},
            "spec": {"source": {"stored": {}}},
            "status": {"transfer": transfer},
        }
    )


def test_staged_replacement_of_a_killed_run_is_copied_to_its_target(
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    put: Put,
    stage: Stage,
    content: bytes,
    sha256: str,
) -> None:
    put(b"the older one")
    stage(content, **{SHA256_METADATA: sha256})
    ended = from_faults(faults, store, target, sha256)
    assert isinstance(ended.last, Completed), ended.stderr
    assert faults.requests == 0
    assert read(client, target) == content
    assert keys(client, target) == [target.path]


def test_staged_replacement_without_a_digest_is_matched_by_its_source(
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    put: Put,
    stage: Stage,
    content: bytes,
) -> None:
    put(b"the older one")
    stage(content, **{SOURCE_ETAG_METADATA: faults.etag})
    ended = from_faults(faults, store, target)
    assert isinstance(ended.last, Completed), ended.stderr
    assert faults.bytes_sent == 1
    assert keys(client, target) == [target.path]


def test_staged_object_that_is_not_the_model_is_removed(
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    stage: Stage,
    content: bytes,
    sha256: str,
) -> None:
    stage(bytes(len(content)), **{SHA256_METADATA: sha256})
    ended = from_faults(faults, store, target, sha256)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content
    assert keys(client, target) == [target.path]


def test_staged_replacement_that_was_copied_is_removed(
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    put: Put,
    stage: Stage,
    content: bytes,
    sha256: str,
) -> None:
    put(content)
    stage(content, **{SHA256_METADATA: sha256})
    assert isinstance(from_faults(faults, store, target, sha256).last, Completed)
    assert faults.requests == 0
    assert keys(client, target) == [target.path]


def test_transfer_killed_before_completion_leaves_one_object_after_the_next_run(
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    put: Put,
    content: bytes,
    sha256: str,
) -> None:
    put(b"the older one")
    task = job(UrlInput(url=faults.url), target, sha256)
    environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
    process = start_transfer(task, environ)
    while keys(client, target) == [target.path] and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    stdout, _ = process.communicate()
    (started,) = (
        event for event in map(parse_event, stdout.splitlines()) if isinstance(event, Started)
    )
    resume = Resume(
        upload_id=started.upload_id,
        key=started.key,
        part_size_bytes=started.part_size_bytes,
        source_etag=started.source_etag,
        size_bytes=started.bytes_total,
    )
    ended = run_transfer(msgspec.structs.replace(task, resume=resume), environ)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content
    assert keys(client, target) == [target.path]
    assert faults.bytes_sent == len(content) + 1


async def test_unfinished_replacement_is_removed_with_its_model(
    client: Minio, access: StoreAccess, target: StoreLocation, put: Put, stage: Stage
) -> None:
    put(b"the older one")
    stage(b"a replacement")
    where = staging_location(target, UID)
    upload_id = Multipart(access).create(where, {})
    unfinished = model(uploadId=upload_id, key=where.path, partSizeBytes=2**24, bytesTotal=13)
    await clear_store(MinioStore(access), unfinished, target, deleting_for=0, shared=False)
    assert keys(client, target) == [target.path]
    assert Multipart(access).list_unfinished(where) == ()


async def test_unknown_upload_is_aborted_with_its_model(
    access: StoreAccess, target: StoreLocation
) -> None:
    Multipart(access).create(target, {})
    await clear_store(MinioStore(access), model(attempt=1), target, deleting_for=0, shared=False)
    assert Multipart(access).list_unfinished(target) == ()


@pytest.fixture
def replacing(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, put: Put, sha256: str
) -> subprocess.Popen[bytes]:
    """A running transfer to a target with an older object; its source is paused."""
    put(b"the older one")
    faults.pause_after = 1
    task = job(UrlInput(url=faults.url), target, sha256)
    process = start_transfer(task, transfer_environ(store, allow=f"127.0.0.1:{faults.port}"))
    while faults.bytes_sent <= 1 and process.poll() is None:
        time.sleep(0.01)
    return process


def test_object_created_during_the_transfer_is_not_replaced(
    replacing: subprocess.Popen[bytes],
    faults: FaultServer,
    client: Minio,
    target: StoreLocation,
    put: Put,
) -> None:
    put(b"another runner's object")
    faults.pause_after = None
    failed(wait_for_exit(replacing), "StoreObjectExists")
    assert read(client, target) == b"another runner's object"


def test_model_is_stored_if_the_old_object_was_removed_during_the_transfer(
    replacing: subprocess.Popen[bytes],
    faults: FaultServer,
    client: Minio,
    target: StoreLocation,
    content: bytes,
) -> None:
    client.remove_object(target.bucket, target.path)
    faults.pause_after = None
    ended = wait_for_exit(replacing)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content
    assert keys(client, target) == [target.path]
