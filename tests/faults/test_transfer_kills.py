"""`roadstead transfer` is killed at random offsets, and resumes."""

import hashlib
import mmap
import random
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from dev import samplegguf
from dev.servers.toxiproxy import Toxiproxy
from roadstead.api.model import StoreLocation
from roadstead.transfer.messages import (
    Completed,
    Resume,
    Started,
    TransferJob,
    UrlInput,
    parse_event,
)
from tests.support.builders.objects import fresh_name
from tests.support.fault_server import FaultServer, running_fault_server
from tests.support.faults_table import Healing
from tests.support.operator.site import Site
from tests.support.store_client import minio
from tests.support.transfer_process import (
    CONNECTIONS,
    job,
    start_transfer,
    transfer_environ,
    wait_for_exit,
)

MIB = 2**20
PART_BYTES = 16 * MIB
KILLS = 10
SEED = 20261126


@pytest.fixture
def source(tmp_path: Path, size: int) -> Iterator[tuple[FaultServer, str]]:
    """A source with a model of this size, which counts the bytes that it sends; the sha256."""
    path = tmp_path / "model.gguf"
    samplegguf.write(path, size)
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        running_fault_server(content) as faults,
    ):
        yield faults, hashlib.sha256(content).hexdigest()


@pytest.mark.fault(
    "R2", heals="the transfer resumes; at most one part per connection is transferred again"
)
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(160 * MIB, id="160MiB"),
        pytest.param(2048 * MIB, id="2GiB", marks=pytest.mark.long),
    ],
)
def test_transfer_killed_ten_times_transfers_little_twice(
    servers: Site,
    proxies: Toxiproxy,
    source: tuple[FaultServer, str],
    size: int,
    healing: Healing,
) -> None:
    faults, sha256 = source
    client, bucket, resume = minio(servers.store), fresh_name("bucket"), None
    client.make_bucket(bucket)
    upstream = servers.store.endpoint.removeprefix("http://")
    offsets = sorted(random.Random(SEED).randrange(size) for _ in range(KILLS))
    with proxies.link(fresh_name("store"), upstream) as link:
        target = StoreLocation(endpoint=f"http://{link.address}", bucket=bucket, path="model.gguf")
        environ = transfer_environ(
            servers.store,
            allow=f"127.0.0.1:{faults.port}",
            ROADSTEAD_STORE_ENDPOINT=target.endpoint,
        )
        asked = job(UrlInput(url=faults.url), target, sha256)
        with link.toxic("bandwidth", stream="upstream", rate=size // KILLS // 2000):
            for offset in offsets:
                resume = _killed(
                    msgspec.structs.replace(asked, resume=resume), environ, faults, offset
                )
        with healing():
            last = wait_for_exit(
                start_transfer(msgspec.structs.replace(asked, resume=resume), environ)
            )
    assert isinstance(last.last, Completed), last.stderr
    assert last.last.sha256 == sha256
    assert faults.bytes_sent <= size + KILLS * CONNECTIONS * PART_BYTES
    assert _digest(client.get_object(bucket, "model.gguf").stream(MIB)) == sha256


def _killed(
    asked: TransferJob, environ: Mapping[str, str], faults: FaultServer, offset: int
) -> Resume | None:
    """Start a transfer and kill it at an offset; returns what a later run resumes with."""
    before = faults.bytes_sent
    process = start_transfer(asked, environ)
    assert process.stdout is not None
    started = parse_event(process.stdout.readline())
    assert isinstance(started, Started)
    while started.resumed_bytes + faults.bytes_sent - before < offset and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return started.resume


def _digest(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()
