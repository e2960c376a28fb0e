"""Transfers that recover when their URL expires or their store is unavailable for a while."""

import os
import signal
import time
from pathlib import Path

import pytest
from minio import Minio

from dev.servers import objectstore
from dev.servers.objectstore import ObjectStore, Server
from dev.servers.process import free_port
from roadstead.api.model import StoreLocation
from roadstead.transfer.messages import Completed, QuantInput, UrlInput
from tests.adapters.test_transfer import read
from tests.adapters.test_transfer_faults import PART_BYTES
from tests.support.fault_server import FaultServer
from tests.support.store_client import minio
from tests.support.transfer_process import (
    CONNECTIONS,
    job,
    run_transfer,
    start_transfer,
    transfer_environ,
    wait_for_exit,
)


@pytest.mark.fault("R11", heals="another URL is requested, and nothing is transferred twice")
def test_expired_url_of_the_quant_service_is_requested_again(
    faults: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    tmp_path: Path,
    content: bytes,
    sha256: str,
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("k" * 32)
    faults.expire_after = 10 * 2**20
    environ = transfer_environ(
        store,
        allow=f"127.0.0.1:{faults.port}",
        ROADSTEAD_QUANT_ENDPOINT=faults.endpoint,
        ROADSTEAD_QUANT_KEY_FILE=str(key_file),
    )
    source = QuantInput(endpoint=faults.endpoint, model_id="model")
    ended = run_transfer(job(source, target, sha256), environ)
    assert isinstance(ended.last, Completed), ended.stderr
    assert faults.asked == 2
    assert read(client, target) == content


@pytest.mark.fault("R10", heals="the transfer waits for the store, and transfers the rest")
def test_transfer_resumes_after_the_store_was_killed_and_restarted(
    server: Server, faults: FaultServer, tmp_path: Path, content: bytes, sha256: str
) -> None:
    folder, port = tmp_path / "store", free_port()
    target = StoreLocation(endpoint=f"http://127.0.0.1:{port}", bucket="models", path="m.gguf")
    faults.slowness = 0.03
    with objectstore.running(folder, server, port=port) as store:
        minio(store).make_bucket("models")
        environ = transfer_environ(
            store, allow=f"127.0.0.1:{faults.port}", ROADSTEAD_TRANSFER_ATTEMPTS="12"
        )
        process = start_transfer(job(UrlInput(url=faults.url), target, sha256), environ)
        while faults.bytes_sent < 20 * 2**20:
            time.sleep(0.01)
        os.kill(store.pid, signal.SIGKILL)
    faults.slowness = 0.0
    with objectstore.running(folder, server, port=port) as store:
        ended = wait_for_exit(process)
        assert isinstance(ended.last, Completed), ended.stderr
        assert read(minio(store), target) == content
    assert faults.bytes_sent <= len(content) + CONNECTIONS * PART_BYTES
