"""Full volumes and stores, on small file systems."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.servers import objectstore
from roadstead.api.model import StoreLocation
from roadstead.transfer.messages import UrlInput
from tests.adapters.test_transfer import failed
from tests.support import volumes
from tests.support.fault_server import FaultServer
from tests.support.store_client import minio
from tests.support.transfer_process import (
    fetch_environ,
    job,
    run_fetch,
    run_transfer,
    transfer_environ,
)


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MiB, less than the model."""
    with volumes.small(tmp_path) as found:
        yield found


def test_full_volume_is_reported_before_the_download(
    faults: FaultServer, tmp_path: Path, small_volume: Path, content: bytes, sha256: str
) -> None:
    url_file = tmp_path / "url"
    url_file.write_text(faults.url)
    target = small_volume / "model.gguf"
    ended = run_fetch(fetch_environ(url_file, target, sha256=sha256, size=len(content)))
    assert ended.code == 1
    assert "VolumeFull" in ended.stderr
    assert faults.bytes_sent < 2**20


@pytest.mark.fault("R10", heals="the reason is StoreFull; the upload is kept")
def test_full_store_is_reported(faults: FaultServer, small_volume: Path) -> None:
    with objectstore.running(small_volume) as store:
        minio(store).make_bucket("models")
        target = StoreLocation(endpoint=store.endpoint, bucket="models", path="model.gguf")
        environ = transfer_environ(store, allow=f"127.0.0.1:{faults.port}")
        ended = run_transfer(job(UrlInput(url=faults.url), target), environ)
    assert "free space" in failed(ended, "StoreFull").message
