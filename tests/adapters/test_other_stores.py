"""Stores that differ from MinIO: a real server behind a proxy that responds like others."""

import dataclasses
from collections.abc import Callable, Iterator

import msgspec
import pytest
from minio import Minio

from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.errors import Retry, StoreError
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from roadstead.transfer.messages import Completed, Resume, Started, StoredInput, UrlInput
from tests.adapters.test_transfer import Put, failed, keys, read
from tests.adapters.test_transfer_faults import kill_midway
from tests.support.fault_server import FaultServer
from tests.support.s3_proxy import Asked, Refusal, Rule, S3Proxy, running_s3_proxy
from tests.support.transfer_process import Ended, job, run_transfer, transfer_environ

UNKNOWN_HEADER = Refusal(
    status=501,
    code="NotImplemented",
    message="A header you provided implies functionality that is not implemented",
)
NO_CHECKSUM = Refusal(
    status=400,
    code="InvalidRequest",
    message="Content-MD5 OR x-amz-checksum- HTTP header is required for Put Part requests with "
    "Object Lock parameters",
)
DENIED = Refusal(status=403, code="AccessDenied", message="Access Denied")
BAD_PART = Refusal(status=400, code="InvalidPart", message="One or more parts could not be found")
BROKEN = Refusal(status=500, code="InternalError", message="We encountered an internal error.")
TOO_SMALL = Refusal(status=400, code="EntityTooSmall", message="Your proposed upload is too small")


@pytest.fixture
def proxy(store: ObjectStore) -> Iterator[S3Proxy]:
    """The proxy in front of the real server."""
    with running_s3_proxy(store) as running:
        yield running


@pytest.fixture
def there(proxy: S3Proxy, target: StoreLocation) -> StoreLocation:
    """The target through the proxy."""
    return dataclasses.replace(target, endpoint=proxy.store.endpoint)


RunTransfer = Callable[..., Ended]


@pytest.fixture
def transfer(faults: FaultServer, proxy: S3Proxy, there: StoreLocation, sha256: str) -> RunTransfer:
    """Transfers the fault server's model to the store behind the proxy, or resumes an upload."""
    environ = transfer_environ(proxy.store, allow=f"127.0.0.1:{faults.port}")
    wanted = job(UrlInput(url=faults.url), there, sha256)

    def run(resume: Resume | None = None) -> Ended:
        return run_transfer(msgspec.structs.replace(wanted, resume=resume), environ)

    return run


def without_conditions(asked: Asked) -> Refusal | None:
    """A store without conditional completion."""
    return UNKNOWN_HEADER if asked.is_completion and "if-none-match" in asked.headers else None


def with_object_lock(asked: Asked) -> Refusal | None:
    """A bucket with Object Lock on Amazon S3."""
    return NO_CHECKSUM if asked.is_part and "content-md5" not in asked.headers else None


def hiding(client: Minio, target: StoreLocation) -> Rule:
    """Amazon S3 for keys without s3:ListBucket: missing objects and lists are denied."""

    def rule(asked: Asked) -> Refusal | None:
        if asked.method not in ("GET", "HEAD") or "uploadId" in asked.query:
            return None
        if asked.path == f"/{target.bucket}/{target.path}":
            return None if keys(client, target) == [target.path] else DENIED
        return DENIED

    return rule


def test_free_key_is_written_if_the_store_hides_missing_objects(
    proxy: S3Proxy, there: StoreLocation, client: Minio, content: bytes, transfer: RunTransfer
) -> None:
    proxy.rule = hiding(client, there)
    ended = transfer()
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, there) == content


async def test_hidden_object_is_not_treated_as_missing(
    proxy: S3Proxy, there: StoreLocation, client: Minio, access: StoreAccess
) -> None:
    proxy.rule = hiding(client, there)
    environ = transfer_environ(proxy.store, allow="")
    failure = failed(run_transfer(job(StoredInput(), there), environ), "StoreDenied")
    assert "s3:ListBucket" in failure.message
    # A verified Model is not transferred again because of it.
    store = MinioStore(dataclasses.replace(access, endpoint=proxy.store.endpoint))
    with pytest.raises(StoreError, match="s3:ListBucket"):
        await store.stat(there)
    await store.ensure_bucket(there.bucket)


def test_target_is_checked_before_an_unconditional_completion(
    proxy: S3Proxy, there: StoreLocation, client: Minio, content: bytes, transfer: RunTransfer
) -> None:
    proxy.rule = without_conditions
    ended = transfer()
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, there) == content
    completions = [at for at, asked in enumerate(proxy.asked) if asked.is_completion]
    between = proxy.asked[completions[0] + 1 : completions[1]]
    assert [asked.method for asked in between] == ["HEAD"]


def test_new_object_is_not_overwritten_without_conditional_writes(
    proxy: S3Proxy, there: StoreLocation, client: Minio, put: Put, transfer: RunTransfer
) -> None:
    def rule(asked: Asked) -> Refusal | None:
        refusal = without_conditions(asked)
        if refusal is not None:
            put(b"another object")
        return refusal

    proxy.rule = rule
    failed(transfer(), "StoreObjectExists")
    assert read(client, there) == b"another object"


def test_parts_are_sent_with_checksums_if_the_store_requires_them(
    proxy: S3Proxy, there: StoreLocation, client: Minio, content: bytes, transfer: RunTransfer
) -> None:
    proxy.rule = with_object_lock
    ended = transfer()
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, there) == content


def test_resumed_parts_are_sent_with_checksums_too(
    faults: FaultServer,
    store: ObjectStore,
    proxy: S3Proxy,
    there: StoreLocation,
    target: StoreLocation,
    client: Minio,
    content: bytes,
    sha256: str,
    transfer: RunTransfer,
) -> None:
    resume = kill_midway(faults, store, target, sha256)
    proxy.rule = with_object_lock
    ended = transfer(resume)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, there) == content


def test_parts_are_streamed_if_no_checksum_is_required(
    proxy: S3Proxy, transfer: RunTransfer
) -> None:
    assert isinstance(transfer().last, Completed)
    assert not any("content-md5" in asked.headers for asked in proxy.asked if asked.is_part)


def test_message_of_the_store_is_quoted(proxy: S3Proxy, transfer: RunTransfer) -> None:
    proxy.rule = lambda asked: (
        Refusal(status=403, code="AccessDenied", message="The bucket is frozen. " * 100)
        if asked.is_part
        else None
    )
    message = failed(transfer(), "StoreDenied").message
    assert "(message of the store: The bucket is frozen." in message
    assert len(message) < 600


@pytest.mark.parametrize("answer", [BAD_PART, BROKEN], ids=lambda answer: answer.code)
def test_resumed_upload_that_cannot_be_completed_is_aborted_and_restarted(
    access: StoreAccess,
    proxy: S3Proxy,
    target: StoreLocation,
    answer: Refusal,
    transfer: RunTransfer,
) -> None:
    resume = upload_all_parts(proxy, transfer)
    proxy.rule = lambda asked: (
        answer if asked.is_completion and asked.query["uploadId"] == [resume.upload_id] else None
    )
    ended = transfer(resume)
    assert isinstance(ended.last, Completed), ended.stderr
    assert resume.upload_id not in Multipart(access).list_unfinished(target)


def upload_all_parts(proxy: S3Proxy, transfer: RunTransfer) -> Resume:
    """Upload all parts, with failing completion; returns what the next run resumes."""
    proxy.rule = lambda asked: Refusal(status=503, code="SlowDown") if asked.is_completion else None
    ended = transfer()
    failed(ended, "StoreBusy")
    first = ended.events[0]
    assert isinstance(first, Started)
    return first.resume


@pytest.mark.parametrize("answer", [BAD_PART, TOO_SMALL], ids=lambda answer: answer.code)
def test_upload_that_is_refused_again_is_aborted_and_not_retried(
    access: StoreAccess,
    proxy: S3Proxy,
    target: StoreLocation,
    answer: Refusal,
    transfer: RunTransfer,
) -> None:
    proxy.rule = lambda asked: answer if asked.is_completion else None
    failure = failed(transfer(), "StoreUploadRefused")
    assert failure.retry is Retry.ON_CHANGE
    assert answer.message in failure.message
    assert Multipart(access).list_unfinished(target) == ()


def test_upload_that_is_denied_completion_is_kept(
    access: StoreAccess, proxy: S3Proxy, target: StoreLocation, transfer: RunTransfer
) -> None:
    proxy.rule = lambda asked: (
        Refusal(status=403, code="AccessDenied") if asked.is_completion else None
    )
    failure = failed(transfer(), "StoreDenied")
    assert failure.retry is Retry.BACKOFF
    assert len(Multipart(access).list_unfinished(target)) == 1
