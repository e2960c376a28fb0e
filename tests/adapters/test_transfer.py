"""Transfers between real stores, as the process that the operator starts."""

import hashlib
import io
from collections.abc import Callable

from minio import Minio

from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.errors import Retry
from roadstead.transfer.messages import (
    Completed,
    Failed,
    Progress,
    QuantInput,
    Started,
    StoredInput,
    UrlInput,
)
from tests.support.fault_server import FaultServer
from tests.support.quant_process import QuantProcess
from tests.support.transfer_process import Ended, job, run_transfer, transfer_environ

Put = Callable[[bytes], str]


def read(client: Minio, target: StoreLocation) -> bytes:
    """Return the content of the object at the target."""
    response = client.get_object(target.bucket, target.path)
    try:
        return response.read()
    finally:
        response.close()
        response.release_conn()


def keys(client: Minio, target: StoreLocation) -> list[str]:
    """Return all keys in the target's folder."""
    prefix = target.path.rpartition("/")[0] + "/"
    return [item.object_name or "" for item in client.list_objects(target.bucket, prefix)]


def from_faults(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, sha256: str | None = None
) -> Ended:
    """Transfer the model of the fault server."""
    environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
    return run_transfer(job(UrlInput(url=faults.url), target, sha256), environ)


def failed(ended: Ended, reason: str) -> Failed:
    """Return the last event, which must be this failure."""
    assert isinstance(ended.last, Failed), ended.stderr
    assert ended.last.reason == reason
    assert ended.code == 1
    return ended.last


def test_model_from_a_presigned_url_is_stored_and_verified(
    source_client: Minio,
    source_store: ObjectStore,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    content: bytes,
    sha256: str,
) -> None:
    source_client.put_object("quantised", "plain.gguf", io.BytesIO(content), len(content))
    url = source_client.presigned_get_object("quantised", "plain.gguf")
    environ = transfer_environ(store, allow=source_store.endpoint)
    ended = run_transfer(job(UrlInput(url=url), target, sha256), environ)
    assert isinstance(ended.last, Completed), ended.stderr
    assert (ended.last.sha256, ended.last.size_bytes) == (sha256, len(content))
    assert ended.last.gguf.architecture == "llama"
    assert read(client, target) == content


def test_model_from_the_quant_service_is_stored_and_verified(
    source_client: Minio,
    source_store: ObjectStore,
    store: ObjectStore,
    quant: QuantProcess,
    target: StoreLocation,
    content: bytes,
    sha256: str,
) -> None:
    source_client.put_object("quantised", "by-quant.gguf", io.BytesIO(content), len(content))
    environ = transfer_environ(
        store,
        allow=source_store.endpoint,
        ROADSTEAD_QUANT_ENDPOINT=quant.endpoint,
        ROADSTEAD_QUANT_KEY_FILE=str(quant.key_file),
    )
    source = QuantInput(endpoint=quant.endpoint, model_id="by-quant")
    ended = run_transfer(job(source, target), environ)
    assert isinstance(ended.last, Completed), ended.stderr
    assert ended.last.sha256 == sha256
    assert ended.last.quantization == "Q8_0"


def test_upload_is_reported_before_progress(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, content: bytes
) -> None:
    ended = from_faults(faults, store, target)
    first, second = ended.events[:2]
    assert isinstance(first, Started)
    assert first.upload_id
    assert isinstance(second, Progress)
    assert second.bytes_total == len(content)


def test_upload_with_a_wrong_digest_is_aborted(
    faults: FaultServer, store: ObjectStore, client: Minio, target: StoreLocation
) -> None:
    failure = failed(from_faults(faults, store, target, "0" * 64), "DigestMismatch")
    assert failure.retry is Retry.ON_CHANGE
    assert keys(client, target) == []


def test_wrong_digest_does_not_replace_the_older_object(
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    put: Put,
) -> None:
    put(b"the older one")
    failed(from_faults(faults, store, target, "0" * 64), "DigestMismatch")
    assert read(client, target) == b"the older one"
    assert keys(client, target) == [target.path]


def test_verified_model_replaces_the_older_object(
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    put: Put,
    content: bytes,
    sha256: str,
) -> None:
    put(b"the older one")
    assert isinstance(from_faults(faults, store, target, sha256).last, Completed)
    assert read(client, target) == content
    assert keys(client, target) == [target.path]


def test_stored_model_is_not_transferred_again(
    faults: FaultServer,
    store: ObjectStore,
    target: StoreLocation,
    put: Put,
    content: bytes,
    sha256: str,
) -> None:
    put(content)
    assert isinstance(from_faults(faults, store, target, sha256).last, Completed)
    assert faults.requests == 0


def test_stored_model_is_verified_and_adopted(
    store: ObjectStore,
    target: StoreLocation,
    put: Put,
    content: bytes,
    sha256: str,
) -> None:
    etag = put(content)
    ended = run_transfer(job(StoredInput(), target), transfer_environ(store, allow=""))
    assert isinstance(ended.last, Completed), ended.stderr
    assert (ended.last.sha256, ended.last.etag) == (sha256, etag)


def test_stored_object_that_is_not_the_model_is_not_changed(
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    put: Put,
    content: bytes,
) -> None:
    put(content)
    environ = transfer_environ(store, allow="")
    failed(run_transfer(job(StoredInput(), target, "0" * 64), environ), "DigestMismatch")
    assert keys(client, target) == [target.path]


def test_missing_stored_model_is_reported(store: ObjectStore, target: StoreLocation) -> None:
    ended = run_transfer(job(StoredInput(), target), transfer_environ(store, allow=""))
    failed(ended, "StoreObjectMissing")


def test_file_that_is_not_gguf_is_refused(
    faults: FaultServer, store: ObjectStore, client: Minio, target: StoreLocation
) -> None:
    faults.content = b"<html>" + bytes(40 * 2**20)
    failure = failed(from_faults(faults, store, target), "InvalidGguf")
    assert "not a gguf file" in failure.message
    assert keys(client, target) == []


def test_truncated_gguf_is_refused(
    faults: FaultServer, store: ObjectStore, client: Minio, target: StoreLocation
) -> None:
    faults.content = faults.content[: 30 * 2**20]
    failure = failed(from_faults(faults, store, target), "InvalidGguf")
    assert "after the file" in failure.message
    assert keys(client, target) == []


def test_digest_is_of_what_the_store_returns(
    faults: FaultServer, store: ObjectStore, client: Minio, target: StoreLocation
) -> None:
    ended = from_faults(faults, store, target)
    assert isinstance(ended.last, Completed)
    assert hashlib.sha256(read(client, target)).hexdigest() == ended.last.sha256
