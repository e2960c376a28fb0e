"""Error responses of sources: of real servers, and simulated ones of other services."""

import datetime
import io
from pathlib import Path

import pytest
from minio import Minio

from dev.servers.objectstore import VERSITYGW, ObjectStore, Server
from roadstead.api.model import StoreLocation
from roadstead.errors import Retry
from roadstead.transfer.messages import Completed, Failed, QuantInput, UrlInput
from tests.adapters.test_transfer import failed, from_faults
from tests.support.fault_server import FaultServer
from tests.support.transfer_process import Ended, job, run_transfer, transfer_environ

HOUR = datetime.timedelta(hours=1)
MOVED = b"""<Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access
must be addressed using the specified endpoint.</Message></Error>"""
ARCHIVED = b"""<Error><Code>InvalidObjectState</Code><Message>The operation is not valid for the
object's storage class</Message><StorageClass>GLACIER</StorageClass></Error>"""
SKEWED = b"""<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request
time and the current time is too large.</Message></Error>"""


@pytest.fixture
def signed_here(client: Minio, target: StoreLocation, content: bytes) -> StoreLocation:
    """The model in a store of the test's kind, which serves as source."""
    client.put_object(target.bucket, target.path, io.BytesIO(content), len(content))
    return target


def from_url(url: str, store: ObjectStore, where: StoreLocation) -> Failed:
    """Return the failure of a transfer from this URL of the store to a key beside it."""
    ended = ended_from_url(url, store, where)
    assert isinstance(ended.last, Failed), ended.stderr
    return ended.last


def ended_from_url(url: str, store: ObjectStore, where: StoreLocation) -> Ended:
    """Run such a transfer."""
    to = StoreLocation(endpoint=where.endpoint, bucket=where.bucket, path=f"{where.path}.copy")
    ended = run_transfer(job(UrlInput(url=url), to), transfer_environ(store, allow=store.endpoint))
    assert "X-Amz-Signature" not in ended.stdout + ended.stderr
    return ended


def presigned(client: Minio, where: StoreLocation, at: datetime.timedelta) -> str:
    """Return a URL that is valid for an hour from then."""
    begins = datetime.datetime.now(datetime.UTC) + at
    return client.get_presigned_url(
        "GET", where.bucket, where.path, expires=HOUR, request_date=begins
    )


def test_expired_url_is_reported_with_its_expiry(
    store: ObjectStore, client: Minio, signed_here: StoreLocation
) -> None:
    failure = from_url(presigned(client, signed_here, -2 * HOUR), store, signed_here)
    assert (failure.reason, failure.retry) == ("SourceURLExpired", Retry.ON_CHANGE)
    assert "the URL expired at 2" in failure.message
    assert "put a new URL into the Secret" in failure.message


def test_url_from_the_future_is_reported_as_clock_skew(
    server: Server, store: ObjectStore, client: Minio, signed_here: StoreLocation
) -> None:
    url = presigned(client, signed_here, 2 * HOUR)
    if server is VERSITYGW:  # It accepts a URL before its validity starts.
        assert isinstance(ended_from_url(url, store, signed_here).last, Completed)
        return
    failure = from_url(url, store, signed_here)
    assert (failure.reason, failure.retry) == ("SourceClockSkewed", Retry.BACKOFF)


def test_wrong_signature_is_reported(
    store: ObjectStore, client: Minio, signed_here: StoreLocation
) -> None:
    url = presigned(client, signed_here, -HOUR / 2)
    failure = from_url(url[:-8] + "0badc0de", store, signed_here)
    assert (failure.reason, failure.retry) == ("SourceSignatureInvalid", Retry.ON_CHANGE)
    assert "SignatureDoesNotMatch" in failure.message


def test_bucket_in_another_region_is_reported(
    faults: FaultServer, store: ObjectStore, target: StoreLocation
) -> None:
    faults.answer_status, faults.answer_body = 301, MOVED
    faults.answer_headers = {"x_amz_bucket_region": "eu-west-1"}
    failure = failed(from_faults(faults, store, target), "SourceRegionWrong")
    assert "eu-west-1" in failure.message


def test_archived_object_is_reported(
    faults: FaultServer, store: ObjectStore, target: StoreLocation
) -> None:
    faults.answer_status, faults.answer_body = 403, ARCHIVED
    assert "GLACIER" in failed(from_faults(faults, store, target), "SourceArchived").message


@pytest.mark.parametrize("status", [400, 407])
def test_message_of_the_source_is_quoted(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, status: int
) -> None:
    faults.answer_status = status
    faults.answer_body = b"no tenant for X-Amz-Signature=secretsignature"
    faults.answer_headers = {"Content_Type": "text/plain"}
    ended = from_faults(faults, store, target)
    assert "no tenant for" in failed(ended, "SourceUnusable").message
    assert "secretsignature" not in ended.stdout + ended.stderr


@pytest.mark.fault("R11", heals="a source whose clock was wrong is read once it is correct")
def test_corrected_clock_costs_a_retry(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, sha256: str
) -> None:
    faults.answer_status, faults.answer_body, faults.answers_left = 403, SKEWED, 2
    ended = from_faults(faults, store, target, sha256)
    assert isinstance(ended.last, Completed), ended.stderr


def test_another_url_is_requested_and_the_refusal_is_reported(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, tmp_path: Path
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("k" * 32)
    faults.answer_status = 403
    faults.answer_body = b"<Error><Code>InvalidAccessKeyId</Code></Error>"
    environ = transfer_environ(
        store,
        allow=f"127.0.0.1:{faults.port}",
        ROADSTEAD_QUANT_ENDPOINT=faults.endpoint,
        ROADSTEAD_QUANT_KEY_FILE=str(key_file),
    )
    source = QuantInput(endpoint=faults.endpoint, model_id="model")
    failure = failed(run_transfer(job(source, target), environ), "SourceSignatureInvalid")
    assert failure.retry is Retry.BACKOFF
    assert faults.asked > 1
