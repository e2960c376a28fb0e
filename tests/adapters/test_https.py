"""Source and store over https, with a certificate that is trusted through SSL_CERT_FILE only."""

import io
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from minio import Minio

from dev.servers import objectstore
from dev.servers.objectstore import Certificate, ObjectStore, Server
from roadstead.api.model import StoreLocation
from roadstead.transfer.messages import Completed, UrlInput
from tests.adapters.test_transfer import failed, read
from tests.support.fault_server import FaultServer
from tests.support.store_client import minio
from tests.support.transfer_process import (
    fetch_environ,
    job,
    run_fetch,
    run_transfer,
    transfer_environ,
)


@pytest.fixture(scope="module")
def secure(
    server: Server, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ObjectStore]:
    """A store with https only."""
    folder = tmp_path_factory.mktemp("secure")
    with objectstore.running(folder, server, certificate=certificate) as store:
        minio(store, certificate.authority).make_bucket("models")
        yield store


@pytest.fixture
def secure_client(secure: ObjectStore, certificate: Certificate) -> Minio:
    """A client of minio-py for it."""
    return minio(secure, certificate.authority)


@pytest.fixture
def where(secure: ObjectStore) -> StoreLocation:
    """The target of a model in it."""
    return StoreLocation(
        endpoint=secure.endpoint, bucket="models", path=f"{secrets.token_hex(4)}.gguf"
    )


@pytest.fixture
def url(secure_client: Minio, content: bytes) -> str:
    """A presigned https URL of the model."""
    secure_client.put_object("models", "source.gguf", io.BytesIO(content), len(content))
    return secure_client.presigned_get_object("models", "source.gguf")


def test_model_is_transferred_over_https(
    secure: ObjectStore,
    secure_client: Minio,
    certificate: Certificate,
    where: StoreLocation,
    url: str,
    content: bytes,
    sha256: str,
) -> None:
    trust = {"SSL_CERT_FILE": str(certificate.authority)}
    environ = transfer_environ(secure, allow=secure.endpoint, **trust)
    ended = run_transfer(job(UrlInput(url=url), where, sha256), environ)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(secure_client, where) == content


def test_model_is_fetched_over_https(
    certificate: Certificate, tmp_path: Path, url: str, content: bytes, sha256: str
) -> None:
    url_file = tmp_path / "url"
    url_file.write_text(url)
    model = tmp_path / "model.gguf"
    trust = {"SSL_CERT_FILE": str(certificate.authority)}
    environ = fetch_environ(url_file, model, sha256=sha256, size=len(content))
    ended = run_fetch({**environ, **trust})
    assert ended.code == 0, ended.stderr
    assert model.read_bytes() == content


def test_store_with_an_unknown_authority_is_not_trusted(
    secure: ObjectStore, where: StoreLocation, faults: FaultServer
) -> None:
    environ = transfer_environ(secure, allow=f"127.0.0.1:{faults.port}")
    ended = run_transfer(job(UrlInput(url=faults.url), where), environ)
    assert "certificate" in failed(ended, "StoreUntrusted").message


def test_source_with_an_unknown_authority_is_not_trusted(
    secure: ObjectStore, store: ObjectStore, target: StoreLocation, url: str
) -> None:
    environ = transfer_environ(store, allow=secure.endpoint)
    ended = run_transfer(job(UrlInput(url=url), target), environ)
    assert "certificate" in failed(ended, "SourceUntrusted").message
