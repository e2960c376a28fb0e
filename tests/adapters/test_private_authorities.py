"""A store, a Postgres and an issuer with certificates of one private authority.

SSL_CERT_FILE names another authority in place of the system's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from minio import Minio

from dev import samplegguf
from dev.servers import objectstore, postgres
from dev.servers.objectstore import Certificate, ObjectStore
from dev.servers.postgres import Postgres
from dev.servers.process import free_port
from roadstead.api.model import StoreLocation
from roadstead.authorities import Authorities
from roadstead.errors import LedgerUnavailable, StoreError
from roadstead.issuers.key_reader import KeysUnavailable, UrlReader
from roadstead.ledger.database import connected
from roadstead.store.store_access import StoreAccess
from roadstead.store.stored_objects import minio_client, stat
from roadstead.transfer.messages import Completed, UrlInput
from tests.adapters.issuer_server import IssuerServer, issuer_server
from tests.adapters.issuer_tokens import FIRST
from tests.adapters.test_transfer import failed
from tests.support.builders.key_sets import document
from tests.support.certificates import Authority
from tests.support.server_tls import server_context
from tests.support.store_client import minio
from tests.support.transfer_process import job, run_transfer, transfer_environ

ABSENT = "absent.gguf"


@dataclasses.dataclass
class Site:
    """The servers of an installation; each `serve` gives them new certificates."""

    folder: Path
    database: Postgres
    issuer: IssuerServer
    store_port: int = dataclasses.field(default_factory=free_port)
    store: ObjectStore | None = None

    @contextlib.asynccontextmanager
    async def serving(self, authority: Authority) -> AsyncIterator[None]:
        """Serve with certificates of this authority."""
        certificate = authority.issue(self.folder)
        secure_postgres(self.database, certificate)
        running = objectstore.running(
            self.folder / "store", port=self.store_port, certificate=certificate
        )
        async with self.issuer.listening(server_context(certificate)):
            with running as self.store:
                ensure_bucket(self.store, certificate)
                yield


def ensure_bucket(store: ObjectStore, certificate: Certificate) -> None:
    client = minio(store, certificate.authority)
    if not client.bucket_exists("models"):
        client.make_bucket("models")


def secure_postgres(database: Postgres, certificate: Certificate) -> None:
    """Give Postgres a certificate, and restart it."""
    data = database.folder / "data"
    for source, name in ((certificate.certificate, "server.crt"), (certificate.key, "server.key")):
        copied = Path(shutil.copy(source, data / name))
        os.chown(copied, data.stat().st_uid, data.stat().st_gid)
        copied.chmod(0o600)
    settings = data / "postgresql.auto.conf"
    if "ssl" not in settings.read_text():
        with settings.open("a") as file:
            file.write("ssl = on\n")
    database.stop()
    database.start()


@dataclasses.dataclass
class Clients:
    """The product's clients, which live as long as the process."""

    store: Minio
    keys: UrlReader
    dsn: Path
    authorities: Authorities

    async def results(self) -> list[str]:
        """What reading each server leads to: `ok`, or the reason of the refusal."""
        return [self._store(), await self._ledger(), await self._issuer()]

    def _store(self) -> str:
        where = StoreLocation(endpoint="", bucket="models", path=ABSENT)
        try:
            assert stat(self.store, where) is None
        except StoreError as error:
            return error.reason
        return "ok"

    async def _ledger(self) -> str:
        try:
            async with connected(self.dsn, self.authorities) as connection:
                assert await connection.fetchval("SELECT 1") == 1
        except LedgerUnavailable as error:
            return error.reason
        return "ok"

    async def _issuer(self) -> str:
        try:
            assert await self.keys.read() == document(FIRST)
        except KeysUnavailable as error:
            return str(error).partition("(")[2].rstrip(")")
        return "ok"


TRUSTED = ["ok", "ok", "ok"]
UNTRUSTED = ["StoreUntrusted", "CertificateRefused", "ClientConnectorCertificateError"]


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres.running() as found:
        yield found


@pytest.fixture
def site(database: Postgres, tmp_path: Path) -> Site:
    return Site(tmp_path / "site", database, issuer_server(FIRST))


@contextlib.asynccontextmanager
async def running_clients(site: Site, authorities: Authorities) -> AsyncIterator[Clients]:
    assert site.store is not None
    access = StoreAccess(
        endpoint=site.store.endpoint,
        bucket="models",
        region="us-east-1",
        access_key_file=site.store.access_key_file,
        secret_key_file=site.store.secret_key_file,
        authorities=authorities,
    )
    dsn = site.folder / "dsn"
    text = site.database.dsn("reader").replace("sslmode=disable", "sslmode=verify-full")
    dsn.write_text(text)
    async with aiohttp.ClientSession() as session:
        keys = UrlReader(url=site.issuer.url, session=session, authorities=authorities)
        yield Clients(minio_client(access), keys, dsn, authorities)


def trust(folder: Path, *authorities: Authority) -> Path:
    """Replace the mounted file."""
    new, file = folder / "new", folder / "ca.crt"
    new.write_text("".join(each.pem for each in authorities))
    new.rename(file)
    return file


async def test_rotated_authority_is_followed_by_running_clients(site: Site, tmp_path: Path) -> None:
    old, new = Authority.create(), Authority.create()
    authorities = Authorities(file=trust(tmp_path, old))
    async with contextlib.AsyncExitStack() as stack:
        async with site.serving(old):
            clients = await stack.enter_async_context(running_clients(site, authorities))
            assert await clients.results() == TRUSTED
        trust(tmp_path, old, new)
        async with site.serving(new):
            assert await clients.results() == TRUSTED
        trust(tmp_path, old)
        async with site.serving(new):
            assert await clients.results() == UNTRUSTED


@pytest.fixture(scope="module")
def public() -> Authority:
    """The authority that is used in place of the system's."""
    return Authority.create()


@pytest.fixture(scope="module")
def stores(
    public: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ObjectStore, ObjectStore, Path]]:
    """A private store, a public source, and the file of the private authority."""
    folder, private = tmp_path_factory.mktemp("stores"), Authority.create()
    ours, theirs = private.issue(folder / "private"), public.issue(folder / "public")
    with (
        objectstore.running(folder / "store", certificate=ours) as store,
        objectstore.running(folder / "source", certificate=theirs) as source,
    ):
        minio(store, ours.authority).make_bucket("models")
        minio(source, theirs.authority).make_bucket("models")
        yield store, source, ours.authority


@pytest.mark.parametrize("mode", ["add", "replace"])
def test_transfer_from_a_public_source_to_a_private_store(
    stores: tuple[ObjectStore, ObjectStore, Path],
    public: Authority,
    tmp_path: Path,
    small_model: bytes,
    mode: str,
) -> None:
    store, source, private = stores
    system = tmp_path / "system.pem"
    system.write_text(public.pem)
    client = minio(source, system)
    client.put_object("models", "m.gguf", io.BytesIO(small_model), len(small_model))
    url = client.presigned_get_object("models", "m.gguf")
    environ = transfer_environ(
        store,
        allow=source.endpoint,
        SSL_CERT_FILE=str(system),
        ROADSTEAD_TRUST_FILE=str(private),
        ROADSTEAD_TRUST_MODE=mode,
    )
    target = StoreLocation(endpoint=store.endpoint, bucket="models", path=f"{mode}.gguf")
    ended = run_transfer(job(UrlInput(url=url), target), environ)
    if mode == "add":
        assert isinstance(ended.last, Completed), ended.stderr
    else:
        assert "the chart's value trust" in failed(ended, "SourceUntrusted").message


@pytest.fixture(scope="module")
def small_model() -> bytes:
    return samplegguf.sample(2**21)
