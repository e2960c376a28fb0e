"""Hostile sources: they respond slowly, redirect, or send other content than announced."""

import mmap
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from minio import Minio

from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.errors import SourceInterrupted
from roadstead.source.allowlist import AllowList
from roadstead.source.dial import Egress
from roadstead.source.pump import Pump
from roadstead.source.ranges import RangeReader, SourceObject
from roadstead.source.retry_policy import RetryPolicy
from roadstead.source.spans import plan_layout
from roadstead.source.urls import FixedUrl
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.transfer.messages import UrlInput
from roadstead.transfer.object_reader import Nowhere
from tests.adapters.test_transfer import failed, from_faults, keys
from tests.support.fault_server import FaultServer, running_fault_server
from tests.support.names_by_file import with_hosts_file
from tests.support.transfer_process import (
    job,
    run_transfer,
    start_transfer,
    transfer_environ,
    wait_for_exit,
)

METADATA_SERVICE = "169.254.169.254"


@pytest.mark.fault(
    "R11", heals="a source that sends very slowly occupies a transfer slot for minutes only"
)
@pytest.mark.long
@pytest.mark.parametrize("where", ["head", "body"])
def test_slow_source_times_out(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, where: str
) -> None:
    faults.drips = where
    environ = transfer_environ(
        store, allow=f"127.0.0.1:{faults.port}", ROADSTEAD_TRANSFER_ATTEMPTS="1"
    )
    ended = run_transfer(job(UrlInput(url=faults.url), target), environ)
    failed(ended, "SourceTooSlow")


@pytest.mark.fault("R11", heals="a connection that sends less than 256 KiB in a minute is closed")
def test_read_from_a_slow_source_is_interrupted(faults: FaultServer) -> None:
    allow = AllowList.parse([f"127.0.0.1:{faults.port}"])
    found = _probe(faults, allow)
    faults.drips = "body"
    layout = plan_layout(found.size, 1)
    pump = Pump(
        layout=layout,
        spans=layout.spans,
        reader=lambda: RangeReader(
            FixedUrl(faults.url), Egress(policy=allow), found, read_seconds=1
        ),
        sink=Nowhere,
        retry_policy=RetryPolicy(attempts=1, stop=threading.Event()),
    )
    with pytest.raises(SourceInterrupted, match="in 1 s"):
        pump.run(lambda _: None)


@pytest.mark.fault("R11", heals="bytes that arrive after the interruption don't hide the reason")
def test_interrupted_source_is_too_slow_if_bytes_still_arrive(faults: FaultServer) -> None:
    egress = Egress(policy=AllowList.parse([f"127.0.0.1:{faults.port}"]))
    faults.drips, faults.drip_seconds = "head", 0.001

    def reason() -> str:
        reader = RangeReader(FixedUrl(faults.url), egress, read_seconds=0.3)
        with pytest.raises(SourceInterrupted) as failure:
            reader.probe()
        return failure.value.reason

    # About a third of the reads have bytes between the interruption and its effect.
    with ThreadPoolExecutor(20) as readers:
        reasons = {task.result() for task in [readers.submit(reason) for _ in range(40)]}
    assert reasons == {"SourceTooSlow"}


def _probe(faults: FaultServer, allow: AllowList) -> SourceObject:
    reader = RangeReader(FixedUrl(faults.url), Egress(policy=allow))
    try:
        return reader.probe()
    finally:
        reader.close()


@pytest.mark.fault("R11", heals="the source's response is refused, and nothing stays in the store")
def test_compressed_response_is_refused(
    faults: FaultServer, store: ObjectStore, client: Minio, target: StoreLocation
) -> None:
    faults.compresses = True
    failed(from_faults(faults, store, target), "InvalidGguf")
    assert keys(client, target) == []


@pytest.fixture
def sparse(tmp_path: Path) -> Iterator[FaultServer]:
    """A source with a sparse object of 40 GB."""
    path = tmp_path / "sparse.gguf"
    with path.open("w+b") as file:
        file.truncate(40 * 10**9)
        with (
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            running_fault_server(content) as faults,
        ):
            yield faults


@pytest.mark.fault(
    "R11", heals="40 GB of zeros are refused at the first bytes; the store stays empty"
)
def test_huge_sparse_object_is_refused_early(
    sparse: FaultServer,
    store: ObjectStore,
    client: Minio,
    access: StoreAccess,
    target: StoreLocation,
) -> None:
    failed(from_faults(sparse, store, target), "InvalidGguf")
    assert sparse.bytes_sent < 2**28
    assert keys(client, target) == []
    assert Multipart(access).list_unfinished(target) == ()


@pytest.mark.fault(
    "R11", heals="a host name that is changed to resolve to a metadata service is not contacted"
)
def test_name_that_resolves_to_another_address_later_is_not_followed(
    faults: FaultServer, store: ObjectStore, target: StoreLocation, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    faults.slowness, faults.cuts_bodies = 0.05, 1000
    environ = transfer_environ(
        store, allow=f"localhost:{faults.port}", ROADSTEAD_TRANSFER_ATTEMPTS="8"
    )
    source = UrlInput(url=faults.url.replace("127.0.0.1", "localhost"))
    process = start_transfer(job(source, target), environ, within=with_hosts_file(hosts))
    while faults.bytes_sent < 2**20:
        time.sleep(0.01)
    hosts.write_text(f"{METADATA_SERVICE} localhost\n")
    failure = failed(wait_for_exit(process), "SourceNotAllowed")
    assert re.search("never read from", failure.message)
