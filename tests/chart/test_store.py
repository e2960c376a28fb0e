"""The embedded store's start command, with the versitygw of the local cluster."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from minio import Minio

from dev.binaries import ensure
from dev.servers import process
from dev.servers.process import answers, free_port
from tests.support.charts import Chart, Object

START_SECONDS = 60.0


@pytest.fixture
def container(chart: Chart) -> Object:
    spec = chart.render({"store": {"region": "eu-test-1"}}).one("StatefulSet", "roadstead-store")
    (found,) = spec["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The mounted Secret."""
    folder = tmp_path / "keys"
    folder.mkdir()
    (folder / "accessKey").write_text("an-access-key")
    (folder / "secretKey").write_text("a 'secret' $key")
    return folder


@pytest.fixture
def port(container: Object, keys: Path, tmp_path: Path) -> Iterator[int]:
    """The container's command, with the paths and the port of the test."""
    chosen, program = free_port(), ensure("versitygw")["versitygw"]
    script = (
        container["args"][0]
        .replace("/data", str(tmp_path / "data"))
        .replace("/etc/roadstead/store", str(keys))
        .replace(":9000", f"127.0.0.1:{chosen}")
    )
    environ = {each["name"]: each["value"] for each in container["env"]}
    path = f"{program.parent}:{os.environ['PATH']}"
    health = container["readinessProbe"]["httpGet"]["path"]
    with process.running(
        "the embedded store",
        [*container["command"], script],
        tmp_path / "store.log",
        partial(answers, f"http://127.0.0.1:{chosen}{health}"),
        seconds=START_SECONDS,
        env={**environ, "PATH": path},
    ):
        yield chosen


def client(port: int, secret: str, region: str) -> Minio:
    return Minio(
        f"127.0.0.1:{port}",
        access_key="an-access-key",
        secret_key=secret,
        region=region,
        secure=False,
    )


def test_store_starts_with_the_keys_and_the_region_of_the_values(port: int, tmp_path: Path) -> None:
    store = client(port, "a 'secret' $key", "eu-test-1")
    store.make_bucket("models")
    assert [each.name for each in store.list_buckets()] == ["models"]
    assert (tmp_path / "data" / "objects" / "models").is_dir()
