"""Two simultaneous runs of one transfer: one stores the model, both report the result."""

import os
import secrets
import signal
import subprocess
from collections.abc import Iterator, Mapping

import msgspec
import pytest
from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig

from dev.servers.objectstore import MINIO, VERSITYGW, ObjectStore, Server
from roadstead.api.model import StoreLocation
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.transfer.messages import Completed, Failed, TransferJob, UrlInput
from tests.adapters.test_transfer import read
from tests.adapters.test_transfer_faults import kill_midway
from tests.support.fault_server import FaultServer
from tests.support.transfer_process import (
    CONNECTIONS,
    Ended,
    job,
    start_transfer,
    transfer_environ,
    wait_for_exit,
)
from tests.support.waiting import wait_until

MIB = 2**20


@pytest.fixture
def target(server: Server, store: ObjectStore, client: Minio) -> StoreLocation:
    """A target in a bucket with versioning, if the server supports it."""
    bucket = f"kept-{secrets.token_hex(4)}"
    client.make_bucket(bucket)
    if server is MINIO:
        client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    return StoreLocation(endpoint=store.endpoint, bucket=bucket, path="sample/model.gguf")


@pytest.fixture
def environ(faults: FaultServer, store: ObjectStore) -> dict[str, str]:
    """The environment of both runs."""
    return transfer_environ(store, allow=f"127.0.0.1:{faults.port}")


@pytest.fixture
def wanted(faults: FaultServer, target: StoreLocation, sha256: str) -> TransferJob:
    """The job of both runs."""
    return job(UrlInput(url=faults.url), target, sha256)


@pytest.fixture
def once(
    server: Server, client: Minio, access: StoreAccess, target: StoreLocation, content: bytes
) -> Iterator[None]:
    """Afterwards, the model must have been written once, and no upload may remain."""
    yield
    written = list(client.list_objects(target.bucket, recursive=True, include_version=True))
    assert [item.object_name for item in written] == [target.path]
    assert read(client, target) == content
    multipart = Multipart(access)
    if server is VERSITYGW:
        # It keeps an upload that was aborted while it received a part. The next transfer to this
        # object and the deletion of the Model abort what is unfinished, as here.
        for upload_id in multipart.list_unfinished(target):
            multipart.abort(target, upload_id)
    assert multipart.list_unfinished(target) == ()


def start_and_wait(
    wanted: TransferJob, environ: Mapping[str, str], faults: FaultServer, sent: int
) -> subprocess.Popen[bytes]:
    """Start a run and wait until the source has sent so many bytes."""
    process = start_transfer(wanted, environ)
    wait_until(lambda: faults.has_sent(sent), step=0.01)
    return process


def both(wanted: TransferJob, environ: Mapping[str, str]) -> list[Ended]:
    """Run it twice at once."""
    processes = [start_transfer(wanted, environ) for _ in range(2)]
    return [wait_for_exit(process) for process in processes]


def displaced(ended: Ended) -> bool:
    """Whether the run was displaced by the other one."""
    return isinstance(ended.last, Failed) and ended.last.reason == "TransferDisplaced"


def refused(ended: Ended) -> bool:
    """Whether the run found an object at its path that isn't the model."""
    return isinstance(ended.last, Failed) and ended.last.reason == "StoreObjectExists"


def completed(ended: Ended, sha256: str) -> bool:
    """Whether the run reports the model as stored."""
    return isinstance(ended.last, Completed) and ended.last.sha256 == sha256


@pytest.mark.usefixtures("once")
def test_run_is_displaced_if_the_next_one_aborted_its_upload(
    server: Server,
    faults: FaultServer,
    environ: dict[str, str],
    wanted: TransferJob,
    sha256: str,
) -> None:
    faults.pause_after = 10 * MIB
    first = start_and_wait(wanted, environ, faults, faults.pause_after)
    begin = 1 + CONNECTIONS  # A probe, and a part for each connection.
    wait_until(lambda: faults.requests == begin, step=0.01)
    second = start_transfer(wanted, environ)
    # It requests parts after it has aborted the other's upload.
    wait_until(lambda: faults.requests >= begin + 2, step=0.01)
    faults.pause_after = None
    left, won = wait_for_exit(first), wait_for_exit(second)
    assert completed(won, sha256), won.stderr
    # versitygw continues to accept parts of an upload that was aborted while one was in flight.
    # If the run notices only after the other one has completed, it finds the model.
    if server is MINIO:
        assert displaced(left) or completed(left, sha256), left


@pytest.mark.usefixtures("once")
def test_simultaneous_runs_store_one_object(
    faults: FaultServer, environ: dict[str, str], wanted: TransferJob, sha256: str
) -> None:
    faults.slowness = 0.01
    ended = both(wanted, environ)
    others = [each for each in ended if not completed(each, sha256)]
    assert len(others) < 2, ended
    assert all(displaced(each) for each in others), ended


@pytest.mark.usefixtures("once")
def test_runs_that_resume_one_upload_both_complete(
    server: Server,
    faults: FaultServer,
    store: ObjectStore,
    environ: dict[str, str],
    wanted: TransferJob,
    target: StoreLocation,
    sha256: str,
) -> None:
    resume = kill_midway(faults, store, target, sha256)
    faults.slowness = 0.01
    again = msgspec.structs.replace(wanted, resume=resume)
    ended = both(again, environ)
    others = [each for each in ended if not completed(each, sha256)]
    # versitygw keeps the part whose connection the kill broke, so one of them starts over. Its new
    # upload is refused if the other one has just completed the damaged one, which it removes then.
    assert len(others) < (1 if server is MINIO else 2), ended
    assert all(displaced(each) or refused(each) for each in others), ended


@pytest.mark.usefixtures("once")
def test_suspended_run_finds_the_stored_model(
    faults: FaultServer,
    store: ObjectStore,
    environ: dict[str, str],
    wanted: TransferJob,
    target: StoreLocation,
    sha256: str,
) -> None:
    resume = kill_midway(faults, store, target, sha256)
    faults.slowness, faults.bytes_sent = 0.05, 0
    again = msgspec.structs.replace(wanted, resume=resume)
    first = start_and_wait(again, environ, faults, MIB)
    os.kill(first.pid, signal.SIGSTOP)
    faults.slowness = 0.0
    second = wait_for_exit(start_transfer(again, environ))
    os.kill(first.pid, signal.SIGCONT)
    assert completed(second, sha256), second.stderr
    late = wait_for_exit(first)
    assert completed(late, sha256), late.stderr
