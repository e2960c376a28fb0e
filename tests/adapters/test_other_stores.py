"""Stores that answer otherwise than MinIO: a real server, and before it what others do."""

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from minio import Minio

from dev.servers.objectstore import ObjectStore
from roadstead.api.location import StoreLocation
from roadstead.errors import Retry, StoreError
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from roadstead.transfer.messages import Completed, Resume, Started, StoredInput, UrlInput
from tests.adapters.test_transfer import Put, failed, keys, read
from tests.adapters.test_transfer_faults import killed_on_the_way
from tests.support.fault_server import FaultServer
from tests.support.s3_proxy import Asked, Refusal, Rule, S3Proxy, proxied
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
    """What stands before the real server."""
    with proxied(store) as running:
        yield running


@pytest.fixture
def there(proxy: S3Proxy, target: StoreLocation) -> StoreLocation:
    """The target as it is reached through the proxy."""
    return dataclasses.replace(target, endpoint=proxy.store.endpoint)


Bring = Callable[..., Ended]


@pytest.fixture
def bring(faults: FaultServer, proxy: S3Proxy, there: StoreLocation, sha256: str) -> Bring:
    """Transfer the fault server's model to the store behind the proxy, or go on with an upload."""
    environ = transfer_environ(proxy.store, allow=f"127.0.0.1:{faults.port}")
    wanted = job(UrlInput(url=faults.url), there, sha256)

    def run(resume: Resume | None = None) -> Ended:
        return run_transfer(dataclasses.replace(wanted, resume=resume), environ)

    return run


def without_conditions(asked: Asked) -> Refusal | None:
    """A store that does not know conditional completion."""
    return UNKNOWN_HEADER if asked.is_completion and "if-none-match" in asked.headers else None


def with_object_lock(asked: Asked) -> Refusal | None:
    """A bucket with Object Lock, at Amazon."""
    return NO_CHECKSUM if asked.is_part and "content-md5" not in asked.headers else None


def hiding(client: Minio, target: StoreLocation) -> Rule:
    """Amazon, to keys without s3:ListBucket: what is not there is denied, and so is a list."""

    def rule(asked: Asked) -> Refusal | None:
        if asked.method not in ("GET", "HEAD") or "uploadId" in asked.query:
            return None
        if asked.path == f"/{target.bucket}/{target.path}":
            return None if keys(client, target) == [target.path] else DENIED
        return DENIED

    return rule


def test_free_key_is_written_to_where_the_store_hides_what_is_not_there(
    proxy: S3Proxy, there: StoreLocation, client: Minio, content: bytes, bring: Bring
) -> None:
    proxy.rule = hiding(client, there)
    ended = bring()
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, there) == content


async def test_hidden_object_is_not_taken_for_a_missing_one(
    proxy: S3Proxy, there: StoreLocation, client: Minio, access: StoreAccess
) -> None:
    proxy.rule = hiding(client, there)
    environ = transfer_environ(proxy.store, allow="")
    failure = failed(run_transfer(job(StoredInput(), there), environ), "StoreDenied")
    assert "s3:ListBucket" in failure.message
    # A Model that was verified is not brought again for it.
    store = MinioStore(dataclasses.replace(access, endpoint=proxy.store.endpoint))
    with pytest.raises(StoreError, match="s3:ListBucket"):
        await store.stat(there)
    await store.ensure_bucket(there.bucket)


def test_store_without_conditional_completion_is_looked_at_before(
    proxy: S3Proxy, there: StoreLocation, client: Minio, content: bytes, bring: Bring
) -> None:
    proxy.rule = without_conditions
    ended = bring()
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, there) == content
    completions = [at for at, asked in enumerate(proxy.asked) if asked.is_completion]
    between = proxy.asked[completions[0] + 1 : completions[1]]
    assert [asked.method for asked in between] == ["HEAD"]


def test_object_that_came_meanwhile_is_not_written_over_without_conditions(
    proxy: S3Proxy, there: StoreLocation, client: Minio, put: Put, bring: Bring
) -> None:
    def rule(asked: Asked) -> Refusal | None:
        refusal = without_conditions(asked)
        if refusal is not None:
            put(b"somebody else's")
        return refusal

    proxy.rule = rule
    failed(bring(), "StoreObjectExists")
    assert read(client, there) == b"somebody else's"


def test_parts_are_sent_with_checksums_where_the_store_wants_them(
    proxy: S3Proxy, there: StoreLocation, client: Minio, content: bytes, bring: Bring
) -> None:
    proxy.rule = with_object_lock
    ended = bring()
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
    bring: Bring,
) -> None:
    resume = killed_on_the_way(faults, store, target, sha256)
    proxy.rule = with_object_lock
    ended = bring(resume)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, there) == content


def test_parts_are_sent_as_they_come_where_no_checksum_is_wanted(
    proxy: S3Proxy, bring: Bring
) -> None:
    assert isinstance(bring().last, Completed)
    assert not any("content-md5" in asked.headers for asked in proxy.asked if asked.is_part)


def test_what_the_store_says_is_told(proxy: S3Proxy, bring: Bring) -> None:
    proxy.rule = lambda asked: (
        Refusal(status=403, code="AccessDenied", message="The bucket is frozen. " * 100)
        if asked.is_part
        else None
    )
    message = failed(bring(), "StoreDenied").message
    assert "(message of the store: The bucket is frozen." in message
    assert len(message) < 600


@pytest.mark.parametrize("answer", [BAD_PART, BROKEN], ids=lambda answer: answer.code)
def test_kept_upload_that_cannot_be_completed_is_aborted_and_begun_anew(
    access: StoreAccess, proxy: S3Proxy, target: StoreLocation, answer: Refusal, bring: Bring
) -> None:
    resume = sent_whole(proxy, bring)
    proxy.rule = lambda asked: (
        answer if asked.is_completion and asked.query["uploadId"] == [resume.upload_id] else None
    )
    ended = bring(resume)
    assert isinstance(ended.last, Completed), ended.stderr
    assert resume.upload_id not in Multipart(access).list_unfinished(target)


def sent_whole(proxy: S3Proxy, bring: Bring) -> Resume:
    """All parts of an upload whose completion never worked; what the next run is given."""
    proxy.rule = lambda asked: Refusal(status=503, code="SlowDown") if asked.is_completion else None
    ended = bring()
    failed(ended, "StoreBusy")
    first = ended.events[0]
    assert isinstance(first, Started)
    return first.resume


@pytest.mark.parametrize("answer", [BAD_PART, TOO_SMALL], ids=lambda answer: answer.code)
def test_upload_that_is_never_taken_is_aborted_and_not_repeated(
    access: StoreAccess, proxy: S3Proxy, target: StoreLocation, answer: Refusal, bring: Bring
) -> None:
    proxy.rule = lambda asked: answer if asked.is_completion else None
    failure = failed(bring(), "StoreUploadRefused")
    assert failure.retry is Retry.ON_CHANGE
    assert answer.message in failure.message
    assert Multipart(access).list_unfinished(target) == ()


def test_upload_that_is_denied_completion_is_kept(
    access: StoreAccess, proxy: S3Proxy, target: StoreLocation, bring: Bring
) -> None:
    proxy.rule = lambda asked: (
        Refusal(status=403, code="AccessDenied") if asked.is_completion else None
    )
    failure = failed(bring(), "StoreDenied")
    assert failure.retry is Retry.BACKOFF
    assert len(Multipart(access).list_unfinished(target)) == 1
