"""What a kill leaves beside the target: of use to the next run, and never there for ever."""

import dataclasses
import io
import subprocess
import time
from collections.abc import Callable

import pytest
from minio import Minio

from dev.servers.objectstore import ObjectStore
from roadstead.api.location import StoreLocation
from roadstead.api.model import Model
from roadstead.controllers.model_removal import clear_store
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
    finished,
    job,
    run_transfer,
    start_transfer,
    transfer_environ,
)

Stage = Callable[..., None]


@pytest.fixture
def stage(client: Minio, target: StoreLocation) -> Stage:
    """Puts an object where a replacement is built."""

    def stage(data: bytes, **metadata: str) -> None:
        where = staging_location(target, UID)
        named = {name.replace("_", "-"): value for name, value in metadata.items()}
        client.put_object(
            where.bucket, where.path, io.BytesIO(data), len(data), metadata=dict(named)
        )

    return stage


def model(**transfer: object) -> Model:
    """A Model whose transfer did not come to its end."""
    return Model.parse(
        {
            "metadata": {"name": "sample", "uid": UID, "generation": 1},
            "spec": {"source": {"stored": {}}},
            "status": {"transfer": transfer},
        }
    )


def test_replacement_that_was_brought_by_a_killed_run_is_only_put_in_its_place(
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


def test_replacement_without_a_promised_digest_is_known_by_its_source(
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


def test_replacement_that_is_not_the_model_is_removed(
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


def test_replacement_that_was_copied_already_is_removed(
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


def test_transfer_that_is_killed_at_its_end_leaves_one_object_in_the_end(
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
    ended = run_transfer(dataclasses.replace(task, resume=resume), environ)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content
    assert keys(client, target) == [target.path]
    assert faults.bytes_sent == len(content) + 1


async def test_model_that_goes_takes_its_unfinished_replacement_with_it(
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


async def test_model_that_goes_takes_an_upload_with_it_that_nobody_had_heard_of(
    access: StoreAccess, target: StoreLocation
) -> None:
    Multipart(access).create(target, {})
    await clear_store(MinioStore(access), model(attempt=1), target, deleting_for=0, shared=False)
    assert Multipart(access).list_unfinished(target) == ()


@pytest.fixture
def replacing(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, put: Put, sha256: str
) -> subprocess.Popen[bytes]:
    """A transfer on its way, to where an older object stands; its source holds it up."""
    put(b"the older one")
    faults.hold_after = 1
    task = job(UrlInput(url=faults.url), target, sha256)
    process = start_transfer(task, transfer_environ(store, allow=f"127.0.0.1:{faults.port}"))
    while faults.bytes_sent <= 1 and process.poll() is None:
        time.sleep(0.01)
    return process


def test_what_came_to_stand_at_the_target_meanwhile_is_not_replaced(
    replacing: subprocess.Popen[bytes],
    faults: FaultServer,
    client: Minio,
    target: StoreLocation,
    put: Put,
) -> None:
    put(b"what another runner brought")
    faults.hold_after = None
    failed(finished(replacing), "StoreObjectExists")
    assert read(client, target) == b"what another runner brought"


def test_model_takes_the_place_of_what_was_removed_meanwhile(
    replacing: subprocess.Popen[bytes],
    faults: FaultServer,
    client: Minio,
    target: StoreLocation,
    content: bytes,
) -> None:
    client.remove_object(target.bucket, target.path)
    faults.hold_after = None
    ended = finished(replacing)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content
    assert keys(client, target) == [target.path]
