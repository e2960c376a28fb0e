"""The least rights in the store, tested with MinIO's policy engine: each is needed."""

import dataclasses
import datetime
import io
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider

from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.errors import StoreError
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from roadstead.transfer.messages import Completed, Resume, Started, UrlInput
from tests.adapters.test_transfer import failed, read
from tests.adapters.test_transfer_faults import kill_midway
from tests.support.fault_server import FaultServer
from tests.support.transfer_process import Ended, job, run_transfer, transfer_environ

BUCKET = "rights"
LEAST = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload")
BETTER = ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListMultipartUploadParts")
Granted = Callable[[Sequence[str]], ObjectStore]


@pytest.fixture(scope="module")
def root(source_store: ObjectStore, source_client: Minio) -> ObjectStore:
    """MinIO with its root user and the bucket of these tests."""
    if not source_client.bucket_exists(BUCKET):
        source_client.make_bucket(BUCKET)
    return source_store


@pytest.fixture
def granted(root: ObjectStore, tmp_path: Path) -> Granted:
    """MinIO with keys that have only some rights."""
    provider = StaticProvider(root.access_key, root.secret_key)
    netloc = root.endpoint.removeprefix("http://")
    admin = MinioAdmin(endpoint=netloc, credentials=provider, region="us-east-1", secure=False)

    def granted(rights: Sequence[str]) -> ObjectStore:
        resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
        statement = {"Effect": "Allow", "Action": list(rights), "Resource": resources}
        key, secret = tmp_path / "access-key", tmp_path / "secret-key"
        key.write_text(secrets.token_hex(8))
        secret.write_text(secrets.token_hex(16))
        admin.add_service_account(
            access_key=key.read_text(),
            secret_key=secret.read_text(),
            policy={"Version": "2012-10-17", "Statement": [statement]},
        )
        return dataclasses.replace(root, access_key_file=key, secret_key_file=secret)

    return granted


@pytest.fixture
def target(root: ObjectStore) -> StoreLocation:
    """The target of a model."""
    path = f"{secrets.token_hex(4)}/model.gguf"
    return StoreLocation(endpoint=root.endpoint, bucket=BUCKET, path=path)


def without(right: str, rights: Sequence[str] = LEAST) -> list[str]:
    """Return all rights but one."""
    assert right in rights
    return [each for each in rights if each != right]


def access(store: ObjectStore) -> StoreAccess:
    """Return Roadstead's access to it."""
    return StoreAccess(
        endpoint=store.endpoint,
        bucket=BUCKET,
        region="us-east-1",
        access_key_file=store.access_key_file,
        secret_key_file=store.secret_key_file,
    )


def transfer(
    faults: FaultServer,
    store: ObjectStore,
    target: StoreLocation,
    sha256: str | None = None,
    resume: Resume | None = None,
) -> Ended:
    """Transfer the fault server's model with these keys."""
    wanted = msgspec.structs.replace(job(UrlInput(url=faults.url), target, sha256), resume=resume)
    return run_transfer(wanted, transfer_environ(store, allow=f"127.0.0.1:{faults.port}"))


def put(client: Minio, target: StoreLocation, data: bytes = b"the older one") -> None:
    """Put an object at the target."""
    client.put_object(target.bucket, target.path, io.BytesIO(data), len(data))


async def test_least_rights_store_replace_and_remove_a_model(
    granted: Granted, small: FaultServer, source_client: Minio, target: StoreLocation
) -> None:
    store = granted(LEAST)
    await MinioStore(access(store)).ensure_bucket(BUCKET)
    put(source_client, target)
    ended = transfer(small, store, target)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(source_client, target) == small.content
    assert await MinioStore(access(store)).remove(target, ended.last.etag)


def test_least_rights_store_a_model_at_a_free_key(
    granted: Granted, small: FaultServer, source_client: Minio, target: StoreLocation
) -> None:
    ended = transfer(small, granted(LEAST), target)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(source_client, target) == small.content


@pytest.mark.parametrize("right", ["s3:GetObject", "s3:PutObject"])
def test_without_reading_or_writing_no_model_is_stored(
    granted: Granted, small: FaultServer, target: StoreLocation, right: str
) -> None:
    failed(transfer(small, granted(without(right)), target), "StoreDenied")


def test_without_reading_the_missing_right_is_named(
    granted: Granted, small: FaultServer, target: StoreLocation
) -> None:
    ended = transfer(small, granted(without("s3:GetObject")), target)
    assert "s3:GetObject" in failed(ended, "StoreDenied").message


def test_without_deleting_no_object_is_replaced(
    granted: Granted, small: FaultServer, source_client: Minio, target: StoreLocation
) -> None:
    put(source_client, target)
    failed(transfer(small, granted(without("s3:DeleteObject")), target), "StoreDenied")


def test_without_aborting_uploads_remain(
    granted: Granted, root: ObjectStore, small: FaultServer, target: StoreLocation
) -> None:
    store = granted(without("s3:AbortMultipartUpload"))
    failed(transfer(small, store, target, "0" * 64), "DigestMismatch")
    assert len(Multipart(access(root)).list_unfinished(target)) == 1


@pytest.mark.parametrize("rights", [LEAST, (*LEAST, *BETTER)], ids=["without", "with"])
def test_upload_is_resumed_only_with_the_right_to_list_its_parts(
    granted: Granted,
    root: ObjectStore,
    faults: FaultServer,
    target: StoreLocation,
    sha256: str,
    rights: Sequence[str],
) -> None:
    resume = kill_midway(faults, root, target, sha256)
    ended = transfer(faults, granted(rights), target, sha256, resume)
    assert isinstance(ended.last, Completed), ended.stderr
    first = ended.events[0]
    assert isinstance(first, Started)
    resumes = "s3:ListMultipartUploadParts" in rights
    assert (first.upload_id == resume.upload_id) == resumes
    assert Multipart(access(root)).list_unfinished(target) == ()


@pytest.mark.parametrize("rights", [LEAST, (*LEAST, *BETTER)], ids=["without", "with"])
def test_unknown_uploads_are_aborted_only_with_the_right_to_list_them(
    granted: Granted,
    root: ObjectStore,
    small: FaultServer,
    target: StoreLocation,
    rights: Sequence[str],
) -> None:
    unknown = Multipart(access(root)).create(target, {})
    ended = transfer(small, granted(rights), target)
    assert isinstance(ended.last, Completed), ended.stderr
    is_left = unknown in Multipart(access(root)).list_unfinished(target)
    assert is_left == ("s3:ListBucketMultipartUploads" not in rights)


async def test_with_listing_a_missing_object_is_missing(
    granted: Granted, target: StoreLocation
) -> None:
    store = granted((*LEAST, "s3:ListBucket"))
    assert await MinioStore(access(store)).stat(target) is None


async def test_with_listing_a_forbidden_object_is_not_treated_as_missing(
    granted: Granted, source_client: Minio, target: StoreLocation
) -> None:
    put(source_client, target)
    with pytest.raises(StoreError, match="allow s3:GetObject"):
        await MinioStore(access(granted(("s3:ListBucket",)))).stat(target)


async def test_invalid_keys_are_not_treated_as_missing_rights(
    granted: Granted, root: ObjectStore, target: StoreLocation
) -> None:
    store = granted(LEAST)
    store.secret_key_file.write_text("another one, of course")
    with pytest.raises(StoreError, match="SignatureDoesNotMatch"):
        await MinioStore(access(store)).stat(target)
    with pytest.raises(StoreError, match="SignatureDoesNotMatch"):
        await MinioStore(access(store)).ensure_bucket(BUCKET)


async def test_pod_reads_with_the_least_rights(
    granted: Granted, source_client: Minio, target: StoreLocation
) -> None:
    put(source_client, target)
    store = MinioStore(access(granted(LEAST)))
    url = await store.presigned_get(target, datetime.timedelta(minutes=10))
    assert store.signed(url, target)
