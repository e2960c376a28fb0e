"""Transfers whose source, store or machine fails."""

import contextlib
import dataclasses
import time

import msgspec
import pytest
from minio import Minio

from dev.servers.objectstore import VERSITYGW, ObjectStore, Server
from dev.servers.process import free_port
from roadstead.api.model import StoreLocation
from roadstead.errors import Retry, StoreInterrupted
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.transfer.messages import (
    Completed,
    QuantInput,
    Resume,
    Started,
    Stopped,
    UrlInput,
    parse_event,
)
from tests.adapters.test_transfer import failed, from_faults, keys, read
from tests.support.fault_server import FaultServer
from tests.support.faults_table import Healing
from tests.support.quant_process import QuantProcess
from tests.support.transfer_process import (
    CONNECTIONS,
    job,
    run_transfer,
    start_transfer,
    transfer_environ,
    wait_for_exit,
)
from tests.support.waiting import wait_until

PART_BYTES = 16 * 2**20


def kill_midway(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, sha256: str | None
) -> Resume:
    """Start a transfer and kill it when the store has a part; returns what can be resumed."""
    faults.pause_after = 40 * 2**20
    environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
    process = start_transfer(job(UrlInput(url=faults.url), target, sha256), environ)
    wait_until(lambda: kept_parts(store, target) or process.poll() is not None, step=0.05)
    process.kill()
    stdout, _ = process.communicate()
    faults.pause_after = None
    started = parse_event(stdout.splitlines()[0])
    assert isinstance(started, Started)
    return started.resume


def kept_parts(store: ObjectStore, target: StoreLocation) -> int:
    """Return the number of parts in the store of uploads to the target."""
    access = StoreAccess(
        endpoint=store.endpoint,
        bucket=target.bucket,
        region="us-east-1",
        access_key_file=store.access_key_file,
        secret_key_file=store.secret_key_file,
    )
    multipart = Multipart(access)
    return sum(
        len(multipart.list_parts(target, each)) for each in multipart.list_unfinished(target)
    )


@pytest.mark.fault("R2", heals="the next run resumes with the parts that the store has")
def test_killed_transfer_resumes_with_the_parts_in_the_store(
    server: Server,
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    content: bytes,
    sha256: str,
    healing: Healing,
) -> None:
    resume = kill_midway(faults, store, target, sha256)
    again = msgspec.structs.replace(job(UrlInput(url=faults.url), target, sha256), resume=resume)
    environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
    with healing():
        ended = run_transfer(again, environ)
    assert isinstance(ended.last, Completed), ended.stderr
    # Each byte once, except one part per connection and the bytes in sockets at the kill. If the
    # server stored a part as complete though its connection broke, all are sent once more.
    times = 2 if server is VERSITYGW else 1
    assert faults.bytes_sent <= times * len(content) + CONNECTIONS * PART_BYTES
    first = ended.events[0]
    assert isinstance(first, Started)
    assert (first.upload_id, first.resumed_bytes > 0) == (resume.upload_id, True)
    assert read(client, target) == content


def test_resumed_transfer_of_a_wrong_model_removes_the_object(
    faults: FaultServer, store: ObjectStore, client: Minio, target: StoreLocation
) -> None:
    resume = kill_midway(faults, store, target, "0" * 64)
    again = msgspec.structs.replace(job(UrlInput(url=faults.url), target, "0" * 64), resume=resume)
    environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
    failed(run_transfer(again, environ), "DigestMismatch")
    assert keys(client, target) == []


def test_unknown_upload_is_aborted(
    faults: FaultServer,
    store: ObjectStore,
    access: StoreAccess,
    target: StoreLocation,
    sha256: str,
) -> None:
    Multipart(access).create(target, {})
    assert isinstance(from_faults(faults, store, target, sha256).last, Completed)
    assert Multipart(access).list_unfinished(target) == ()


def test_upload_that_the_store_no_longer_has_is_restarted(
    faults: FaultServer,
    store: ObjectStore,
    access: StoreAccess,
    target: StoreLocation,
    sha256: str,
) -> None:
    resume = kill_midway(faults, store, target, sha256)
    abort(access, target, resume.upload_id)
    again = msgspec.structs.replace(job(UrlInput(url=faults.url), target, sha256), resume=resume)
    environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
    ended = run_transfer(again, environ)
    assert isinstance(ended.last, Completed), ended.stderr
    assert "no longer has the upload" in ended.stderr


def abort(access: StoreAccess, target: StoreLocation, upload_id: str) -> None:
    """Abort an upload; a store that still processes an incomplete part may fail at first."""

    def aborted() -> bool:
        with contextlib.suppress(StoreInterrupted):
            Multipart(access).abort(target, upload_id)
            return True
        return False

    wait_until(aborted)


def test_upload_of_a_changed_source_is_restarted(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, sha256: str
) -> None:
    resume = kill_midway(faults, store, target, sha256)
    faults.etag = '"two"'
    again = msgspec.structs.replace(job(UrlInput(url=faults.url), target, sha256), resume=resume)
    environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
    ended = run_transfer(again, environ)
    first = ended.events[0]
    assert isinstance(first, Started)
    assert first.upload_id != resume.upload_id
    assert isinstance(ended.last, Completed), ended.stderr


@pytest.mark.fault("R11", heals="a source that changes during the transfer is read again")
def test_source_that_changes_during_the_transfer_is_read_again(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, sha256: str, healing: Healing
) -> None:
    faults.change_after = 2**20
    with healing():
        ended = from_faults(faults, store, target, sha256)
    assert isinstance(ended.last, Completed), ended.stderr
    assert sum(isinstance(event, Started) for event in ended.events) == 2


@pytest.mark.fault("R11", heals="a response that ended early is continued from where it ended")
def test_truncated_responses_are_retried(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, sha256: str, healing: Healing
) -> None:
    faults.cuts_bodies = 3
    with healing():
        ended = from_faults(faults, store, target, sha256)
    assert isinstance(ended.last, Completed), ended.stderr


def test_transfer_fails_if_all_responses_are_truncated(
    faults: FaultServer, store: ObjectStore, target: StoreLocation
) -> None:
    faults.cuts_bodies = 1000
    ended = from_faults(faults, store, target)
    assert failed(ended, "SourceTruncated").retry is Retry.BACKOFF


def test_expired_url_keeps_the_upload(
    faults: FaultServer, store: ObjectStore, access: StoreAccess, target: StoreLocation
) -> None:
    faults.expire_after = 2**20
    failure = failed(from_faults(faults, store, target), "SourceURLExpired")
    assert failure.retry is Retry.ON_CHANGE
    assert len(Multipart(access).list_unfinished(target)) == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        pytest.param(401, "SourceUnauthorized", id="unauthorized"),
        pytest.param(403, "SourceURLExpired", id="expired"),
        pytest.param(404, "SourceNotFound", id="not-found"),
        pytest.param(410, "SourceGone", id="gone"),
        pytest.param(503, "SourceUnavailable", id="unavailable"),
    ],
)
def test_refusal_of_the_source_is_reported_without_the_url_s_query(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, status: int, reason: str
) -> None:
    faults.answer_status = status
    ended = from_faults(faults, store, target)
    failed(ended, reason)
    assert "secretsignature" not in ended.stdout + ended.stderr


@pytest.mark.fault("R11", heals="nothing: 200 instead of a range is SourceUnusable")
def test_source_without_ranges_is_refused(
    faults: FaultServer, store: ObjectStore, target: StoreLocation
) -> None:
    faults.ignores_ranges = True
    failed(from_faults(faults, store, target), "SourceUnusable")


@pytest.mark.fault("R11", heals="nothing: a redirect to a metadata service is SourceNotAllowed")
@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param("http://169.254.169.254/latest/meta-data/", id="metadata"),
        pytest.param("http://localhost:1/", id="loopback-by-name"),
        pytest.param("http://[::ffff:169.254.169.254]/", id="metadata-in-ipv6"),
    ],
)
def test_redirect_to_an_address_that_is_not_allowed_is_refused(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, elsewhere: str
) -> None:
    faults.redirect_to = elsewhere
    failure = failed(from_faults(faults, store, target), "SourceNotAllowed")
    assert failure.retry is Retry.ON_CHANGE


def test_closed_port_of_a_source_is_unreachable(store: ObjectStore, target: StoreLocation) -> None:
    port = free_port()
    source = UrlInput(url=f"http://127.0.0.1:{port}/model.gguf?X-Amz-Signature=secretsignature")
    environ = transfer_environ(store, allow=f"127.0.0.1:{port}")
    ended = run_transfer(job(source, target), environ)
    failed(ended, "SourceUnreachable")
    assert "secretsignature" not in ended.stdout + ended.stderr


def test_closed_port_of_a_store_is_unreachable(
    faults: FaultServer, store: ObjectStore, target: StoreLocation
) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    environ = transfer_environ(
        store, allow=f"127.0.0.1:{faults.port}", ROADSTEAD_STORE_ENDPOINT=endpoint
    )
    where = dataclasses.replace(target, endpoint=endpoint)
    failed(run_transfer(job(UrlInput(url=faults.url), where), environ), "StoreUnreachable")


def test_store_without_keys_is_refused(
    faults: FaultServer, store: ObjectStore, target: StoreLocation
) -> None:
    where = dataclasses.replace(target, endpoint="http://elsewhere:9000")
    failed(from_faults(faults, store, where), "StoreUnknown")


def test_missing_bucket_is_reported(
    faults: FaultServer, store: ObjectStore, target: StoreLocation
) -> None:
    where = dataclasses.replace(target, bucket="no-such-bucket")
    failed(from_faults(faults, store, where), "StoreBucketMissing")


def test_model_that_quant_does_not_know_is_reported(
    store: ObjectStore, quant: QuantProcess, target: StoreLocation
) -> None:
    environ = transfer_environ(
        store,
        allow="",
        ROADSTEAD_QUANT_ENDPOINT=quant.endpoint,
        ROADSTEAD_QUANT_KEY_FILE=str(quant.key_file),
    )
    source = QuantInput(endpoint=quant.endpoint, model_id="no-such-model")
    failure = failed(run_transfer(job(source, target), environ), "ModelUnknown")
    assert failure.retry is Retry.ON_CHANGE


def test_stopped_transfer_exits_at_once_and_keeps_its_upload(
    faults: FaultServer, store: ObjectStore, access: StoreAccess, target: StoreLocation
) -> None:
    faults.slowness = 0.2
    environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
    process = start_transfer(job(UrlInput(url=faults.url), target), environ)
    while faults.bytes_sent < 2**20:
        time.sleep(0.01)
    process.terminate()
    ended = wait_for_exit(process)
    assert isinstance(ended.last, Stopped)
    assert ended.code == 0
    assert len(Multipart(access).list_unfinished(target)) == 1


@pytest.mark.fault("R2", heals="kept parts are verified by reading them back")
def test_killed_transfer_without_a_digest_stores_the_same_bytes(
    faults: FaultServer, store: ObjectStore, client: Minio, target: StoreLocation, content: bytes
) -> None:
    resume = kill_midway(faults, store, target, None)
    again = msgspec.structs.replace(job(UrlInput(url=faults.url), target), resume=resume)
    ended = run_transfer(again, transfer_environ(store, allow=f"127.0.0.1:{faults.port}"))
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(client, target) == content
