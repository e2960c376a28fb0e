"""Stores that support only virtual-host style: the bucket in the host, never in the path."""

import dataclasses
import datetime
import io
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from minio import Minio

from dev import samplegguf
from dev.servers import objectstore
from dev.servers.objectstore import ObjectStore, Server
from roadstead.api.model import StoreLocation
from roadstead.s3 import Addressing
from roadstead.source.dial import Anywhere, Egress
from roadstead.source.quant_client import QuantClient
from roadstead.store.multipart import Multipart
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from roadstead.transfer.messages import Completed, UrlInput
from tests.adapters.test_transfer import failed, read
from tests.support.fault_server import FaultServer
from tests.support.names_by_file import with_hosts_file
from tests.support.quant_process import running_quant
from tests.support.s3_proxy import Asked, Refusal, S3Proxy, running_s3_proxy
from tests.support.store_client import minio
from tests.support.transfer_process import (
    Ended,
    fetch_environ,
    job,
    start_fetch,
    start_transfer,
    transfer_environ,
    wait_for_exit,
)

DOMAIN = "store.example.com"
BUCKET = "models"
HOUR = datetime.timedelta(hours=1)
BY_PATH = Refusal(
    status=400,
    code="InvalidRequest",
    message="Please use virtual hosted style to access.",
)


def by_host_alone(asked: Asked) -> Refusal | None:
    """Refuse requests without a bucket in the host, except minio-py's creation of a bucket."""
    creates = asked.method == "PUT" and asked.path == f"/{BUCKET}"
    return None if asked.headers["host"].startswith(f"{BUCKET}.{DOMAIN}:") or creates else BY_PATH


@pytest.fixture(scope="module")
def behind(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A server that also accepts buckets in the host."""
    folder = tmp_path_factory.mktemp("domain")
    with objectstore.running(folder, server, domain=DOMAIN) as running:
        minio(running).make_bucket(BUCKET)
        yield running


@pytest.fixture
def client(behind: ObjectStore) -> Minio:
    """A client of minio-py for it, by path."""
    return minio(behind)


@pytest.fixture
def proxy(behind: ObjectStore) -> Iterator[S3Proxy]:
    """A proxy in front of it that refuses requests by path."""
    with running_s3_proxy(behind) as running:
        running.rule = by_host_alone
        yield running


@pytest.fixture
def store(proxy: S3Proxy) -> ObjectStore:
    """The server with its name."""
    return dataclasses.replace(proxy.store, endpoint=f"http://{DOMAIN}:{proxy.port}")


@pytest.fixture
def access(store: ObjectStore) -> StoreAccess:
    """Roadstead's access to it."""
    return StoreAccess(
        endpoint=store.endpoint,
        bucket=BUCKET,
        region="us-east-1",
        access_key_file=store.access_key_file,
        secret_key_file=store.secret_key_file,
        addressing=Addressing.VIRTUAL_HOST,
    )


@pytest.fixture
def target(store: ObjectStore) -> StoreLocation:
    """The target of a model."""
    path = f"{secrets.token_hex(4)}/a model.gguf"
    return StoreLocation(endpoint=store.endpoint, bucket=BUCKET, path=path)


@pytest.fixture
def within(tmp_path: Path) -> list[str]:
    """A command prefix with which programs resolve the server's names."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {DOMAIN} {BUCKET}.{DOMAIN}\n")
    return with_hosts_file(hosts)


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve the names in this process too."""
    system = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **given: Any) -> Any:
        here = str(host).endswith(DOMAIN)
        return system("127.0.0.1" if here else host, *arguments, **given)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def transfer(
    source: FaultServer,
    store: ObjectStore,
    target: StoreLocation,
    within: list[str],
    addressing: Addressing = Addressing.VIRTUAL_HOST,
) -> Ended:
    """Transfer the source's model."""
    environ = transfer_environ(
        store,
        allow=f"127.0.0.1:{source.port}",
        ROADSTEAD_STORE_ADDRESSING=addressing.value,
    )
    return wait_for_exit(start_transfer(job(UrlInput(url=source.url), target), environ, within))


def test_model_is_stored_at_a_free_key_and_replaces_another(
    small: FaultServer,
    store: ObjectStore,
    client: Minio,
    target: StoreLocation,
    within: list[str],
) -> None:
    for _ in range(2):
        ended = transfer(small, store, target, within)
        assert isinstance(ended.last, Completed), ended.stderr
        assert read(client, target) == small.content
        client.put_object(target.bucket, target.path, io.BytesIO(b"another one"), 11)


def test_store_with_virtual_hosts_only_refuses_requests_by_path(
    small: FaultServer, store: ObjectStore, target: StoreLocation, within: list[str]
) -> None:
    ended = transfer(small, store, target, within, Addressing.PATH)
    assert "virtual hosted style" in failed(ended, "StoreFailed").message


@pytest.mark.usefixtures("resolved")
async def test_operator_reads_objects_uploads_and_the_bucket(
    access: StoreAccess, client: Minio, target: StoreLocation
) -> None:
    store, multipart = MinioStore(access), Multipart(access)
    await store.ensure_bucket()
    assert await store.stat(target) is None
    multipart.create(target, {})
    await store.abort_unfinished(target)
    assert multipart.list_unfinished(target) == ()
    client.put_object(target.bucket, target.path, io.BytesIO(b"to be removed"), 13)
    found = await store.stat(target)
    assert found is not None
    assert await store.remove(target, found.etag)


@pytest.mark.usefixtures("resolved")
async def test_missing_bucket_is_created(
    access: StoreAccess, behind: ObjectStore, client: Minio, proxy: S3Proxy
) -> None:
    proxy.rule = lambda asked: None
    name = f"made-{secrets.token_hex(4)}"
    await MinioStore(access).ensure_bucket(name)
    assert client.bucket_exists(name)


async def test_pod_fetches_with_a_url_with_the_bucket_in_the_host(
    small: FaultServer,
    store: ObjectStore,
    access: StoreAccess,
    target: StoreLocation,
    within: list[str],
    tmp_path: Path,
) -> None:
    ended = transfer(small, store, target, within)
    assert isinstance(ended.last, Completed), ended.stderr
    signer = MinioStore(access)
    url = await signer.presigned_get(target, HOUR)
    assert urlsplit(url).hostname == f"{BUCKET}.{DOMAIN}"
    assert signer.signed(url, target)
    url_file, model = tmp_path / "url", tmp_path / "model.gguf"
    (tmp_path / "termination-log").touch()
    url_file.write_text(url)
    digest, size = ended.last.sha256, len(small.content)
    environ = fetch_environ(url_file, model, sha256=digest, size=size)
    fetched = wait_for_exit(start_fetch(environ, within))
    assert fetched.code == 0, fetched.stderr
    assert model.read_bytes() == small.content


@pytest.mark.usefixtures("resolved")
async def test_quant_service_signs_urls_with_the_bucket_in_the_host(
    store: ObjectStore, client: Minio, within: list[str], tmp_path: Path
) -> None:
    content = samplegguf.sample(2**21)
    client.put_object(BUCKET, "offered.gguf", io.BytesIO(content), len(content))
    extra = {"ROADSTEAD_QUANT_SOURCE_ADDRESSING": "virtualHost"}
    with running_quant(store, BUCKET, tmp_path, within, **extra) as quant:
        answer = await QuantClient(
            quant.endpoint, quant.key_file, Egress(policy=Anywhere())
        ).download_url("offered")
    assert answer.size_bytes == len(content)
    assert urlsplit(answer.url).hostname == f"{BUCKET}.{DOMAIN}"
