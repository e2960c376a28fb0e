"""Fixtures of the session: source store, on-premises store and Quant service, all real."""

import contextlib
import functools
import hashlib
import io
import secrets
from collections.abc import Callable, Iterator

import pytest
from minio import Minio

from dev import samplegguf
from dev.servers import objectstore
from dev.servers.objectstore import MINIO, VERSITYGW, Certificate, ObjectStore, Server
from roadstead.api.model import StoreLocation
from roadstead.store.store_access import StoreAccess
from tests.support import certificates, fault_server
from tests.support.fault_server import FaultServer
from tests.support.quant_process import QuantProcess, running_quant
from tests.support.store_client import minio

SERVERS = (MINIO, VERSITYGW)
CONTENT_BYTES = 50 * 2**20
"""Four parts; the last one is short."""


@pytest.fixture(scope="session", params=SERVERS, ids=lambda server: server.name)
def server(request: pytest.FixtureRequest) -> Server:
    """The S3 server that is the store: each test runs with each kind."""
    kind = request.param
    assert isinstance(kind, Server)
    return kind


@pytest.fixture(scope="session")
def start_store(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Server], ObjectStore]]:
    """Starts a server at its first use; it runs until the end of the session.

    Each file has tests with every kind of server, so `store` changes twice for each file.
    """
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(server: Server) -> ObjectStore:
            folder = tmp_path_factory.mktemp("store")
            running = stack.enter_context(objectstore.running(folder, server))
            minio(running).make_bucket("models")
            return running

        yield start


@pytest.fixture(scope="session")
def store(server: Server, start_store: Callable[[Server], ObjectStore]) -> ObjectStore:
    """The on-premises store."""
    return start_store(server)


@pytest.fixture(scope="session")
def source_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """The store that models are transferred from."""
    with objectstore.running(tmp_path_factory.mktemp("source")) as running:
        minio(running).make_bucket("quantised")
        yield running


@pytest.fixture(scope="session")
def client(store: ObjectStore) -> Minio:
    """A client of minio-py for the on-premises store."""
    return minio(store)


@pytest.fixture(scope="session")
def source_client(source_store: ObjectStore) -> Minio:
    """A client of minio-py for the source store."""
    return minio(source_store)


@pytest.fixture(scope="session")
def access(store: ObjectStore) -> StoreAccess:
    """Roadstead's access to the on-premises store."""
    return StoreAccess(
        endpoint=store.endpoint,
        bucket="models",
        region="us-east-1",
        access_key_file=store.access_key_file,
        secret_key_file=store.secret_key_file,
    )


@pytest.fixture(scope="session")
def content() -> bytes:
    """A model of four parts."""
    return samplegguf.sample(CONTENT_BYTES)


@pytest.fixture(scope="session")
def sha256(content: bytes) -> str:
    """The model's digest."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for 127.0.0.1, from an authority that no system trusts."""
    return certificates.issue(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def faults(content: bytes) -> Iterator[FaultServer]:
    """A source with configurable faults."""
    with fault_server.running_fault_server(content) as serving:
        yield serving


@pytest.fixture
def target(store: ObjectStore) -> StoreLocation:
    """The target of a test's model."""
    path = f"models/{secrets.token_hex(4)}/model.gguf"
    return StoreLocation(endpoint=store.endpoint, bucket="models", path=path)


@pytest.fixture
def put(client: Minio, target: StoreLocation) -> Callable[[bytes], str]:
    """Puts an object at the target; returns its ETag."""

    def put(data: bytes) -> str:
        written = client.put_object(target.bucket, target.path, io.BytesIO(data), len(data))
        return written.etag or ""

    return put


@pytest.fixture(scope="session")
def quant(
    source_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[QuantProcess]:
    """The Quant service in front of the source store."""
    with running_quant(source_store, "quantised", tmp_path_factory.mktemp("quant")) as running:
        yield running


@pytest.fixture
def small(faults: FaultServer) -> FaultServer:
    """A source with a small model."""
    faults.content = samplegguf.sample(2**21)
    return faults
