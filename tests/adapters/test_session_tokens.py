"""Temporary keys of the store and the source: from MinIO's STS, and replaced while in use."""

import dataclasses
import datetime
import io
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from minio import Minio, MinioAdmin
from minio.credentials.providers import AssumeRoleProvider, StaticProvider

from dev import samplegguf
from dev.servers.objectstore import ObjectStore
from roadstead.api.model import StoreLocation
from roadstead.errors import StoreError
from roadstead.s3 import S3Credentials
from roadstead.source.dial import Anywhere, Egress
from roadstead.source.quant_client import QuantClient
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import MinioStore
from roadstead.transfer.messages import Completed, UrlInput
from tests.adapters.test_transfer import failed, read
from tests.support.fault_server import FaultServer
from tests.support.quant_process import running_quant
from tests.support.s3_proxy import Asked, Refusal, S3Proxy, running_s3_proxy
from tests.support.transfer_process import (
    Ended,
    fetch_environ,
    job,
    run_fetch,
    run_transfer,
    transfer_environ,
)

BUCKET = "sessions"
HOUR = datetime.timedelta(hours=1)
EXPIRED = Refusal(status=400, code="ExpiredToken", message="The provided token has expired.")
"""The response of Amazon S3; for HEAD only the status."""
NewSession = Callable[[], S3Credentials]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """A store whose keys are in files, like those of a mounted Secret."""

    store: ObjectStore
    token_file: Path

    def write(self, keys: S3Credentials) -> None:
        """Replace all three keys."""
        self.store.access_key_file.write_text(keys.access_key)
        self.store.secret_key_file.write_text(keys.secret_key)
        self.token_file.write_text(keys.session_token)

    def access(self) -> StoreAccess:
        """Return Roadstead's access to it."""
        return StoreAccess(
            endpoint=self.store.endpoint,
            bucket=BUCKET,
            region="us-east-1",
            access_key_file=self.store.access_key_file,
            secret_key_file=self.store.secret_key_file,
            session_token_file=self.token_file,
        )

    def transfer(self, source: FaultServer, target: StoreLocation) -> Ended:
        """Transfer the source's model."""
        environ = transfer_environ(
            self.store,
            allow=f"127.0.0.1:{source.port}",
            ROADSTEAD_STORE_SESSION_TOKEN_FILE=str(self.token_file),
        )
        return run_transfer(job(UrlInput(url=source.url), target), environ)


@pytest.fixture(scope="module")
def new_session(source_store: ObjectStore, source_client: Minio) -> NewSession:
    """Creates temporary keys with all rights in the bucket of these tests."""
    if not source_client.bucket_exists(BUCKET):
        source_client.make_bucket(BUCKET)
    netloc = urlsplit(source_store.endpoint).netloc
    root = StaticProvider(source_store.access_key, source_store.secret_key)
    admin = MinioAdmin(endpoint=netloc, credentials=root, region="us-east-1", secure=False)
    user, secret = secrets.token_hex(8), secrets.token_hex(16)
    admin.user_add(user, secret)
    admin.attach_policy(["readwrite"], user=user)

    def new_session() -> S3Credentials:
        made = AssumeRoleProvider(
            sts_endpoint=source_store.endpoint,
            access_key=user,
            secret_key=secret,
            region="us-east-1",
        ).retrieve()
        return S3Credentials(
            access_key=made.access_key,
            secret_key=made.secret_key,
            session_token=made.session_token or "",
        )

    return new_session


@pytest.fixture
def proxy(source_store: ObjectStore) -> Iterator[S3Proxy]:
    """The proxy in front of the real server."""
    with running_s3_proxy(source_store) as running:
        yield running


@pytest.fixture
def session(proxy: S3Proxy, new_session: NewSession, tmp_path: Path) -> Session:
    """The store with temporary keys."""
    files = tmp_path / "access-key", tmp_path / "secret-key"
    store = dataclasses.replace(proxy.store, access_key_file=files[0], secret_key_file=files[1])
    made = Session(store=store, token_file=tmp_path / "session-token")
    made.write(new_session())
    return made


@pytest.fixture
def target(session: Session) -> StoreLocation:
    """The target of a model."""
    path = f"{secrets.token_hex(4)}/a model.gguf"
    return StoreLocation(endpoint=session.store.endpoint, bucket=BUCKET, path=path)


async def test_temporary_keys_store_replace_and_remove_a_model(
    session: Session, small: FaultServer, source_client: Minio, target: StoreLocation
) -> None:
    store = MinioStore(session.access())
    await store.ensure_bucket(BUCKET)
    source_client.put_object(BUCKET, target.path, io.BytesIO(b"the older one"), 13)
    ended = session.transfer(small, target)
    assert isinstance(ended.last, Completed), ended.stderr
    assert read(source_client, target) == small.content
    assert await store.remove(target, ended.last.etag)


async def test_pod_fetches_with_a_url_signed_with_temporary_keys(
    session: Session,
    small: FaultServer,
    source_client: Minio,
    target: StoreLocation,
    tmp_path: Path,
) -> None:
    ended = session.transfer(small, target)
    assert isinstance(ended.last, Completed), ended.stderr
    store = MinioStore(session.access())
    url_file, model = tmp_path / "url", tmp_path / "model.gguf"
    (tmp_path / "termination-log").touch()
    url_file.write_text(await store.presigned_get(target, HOUR))
    digest, size = ended.last.sha256, len(small.content)
    fetched = run_fetch(fetch_environ(url_file, model, sha256=digest, size=size))
    assert fetched.code == 0, fetched.stderr
    assert model.read_bytes() == small.content


async def test_url_of_an_earlier_session_is_signed_again(
    session: Session, new_session: NewSession, target: StoreLocation
) -> None:
    store = MinioStore(session.access())
    url = await store.presigned_get(target, HOUR)
    assert store.signed(url, target)
    session.write(new_session())
    assert not store.signed(url, target)
    assert store.signed(await store.presigned_get(target, HOUR), target)


def test_transfer_continues_with_the_keys_of_the_next_session(
    session: Session,
    new_session: NewSession,
    proxy: S3Proxy,
    small: FaultServer,
    source_client: Minio,
    target: StoreLocation,
) -> None:
    first, second = session.access().credentials(), new_session()

    def rule(asked: Asked) -> Refusal | None:
        is_first = f"Credential={first.access_key}/" in asked.headers["authorization"]
        if asked.is_completion and is_first:
            session.write(second)
            ended.append(True)
            return Refusal(status=503, code="SlowDown")
        return EXPIRED if ended and is_first else None

    ended: list[bool] = []
    source_client.put_object(BUCKET, target.path, io.BytesIO(b"the older one"), 13)
    proxy.rule = rule
    finished = session.transfer(small, target)
    assert isinstance(finished.last, Completed), finished.stderr
    assert ended == [True]
    assert read(source_client, target) == small.content


@pytest.mark.parametrize("token", ["", "no.such.token"], ids=["none", "wrong"])
async def test_invalid_session_token_is_reported(
    session: Session, small: FaultServer, target: StoreLocation, token: str
) -> None:
    session.token_file.write_text(token)
    failure = failed(session.transfer(small, target), "StoreDenied")
    assert "sessionToken" in failure.message
    with pytest.raises(StoreError, match="sessionToken"):
        await MinioStore(session.access()).stat(target)
    with pytest.raises(StoreError, match="sessionToken"):
        await MinioStore(session.access()).ensure_bucket(BUCKET)


async def test_expired_session_is_reported(
    session: Session, proxy: S3Proxy, small: FaultServer, target: StoreLocation
) -> None:
    proxy.rule = lambda asked: EXPIRED
    failure = failed(session.transfer(small, target), "StoreDenied")
    assert "ExpiredToken" in failure.message
    store = MinioStore(session.access())
    with pytest.raises(StoreError, match=r"ExpiredToken.*sessionToken"):
        await store.stat(target)
    with pytest.raises(StoreError, match=r"ExpiredToken.*sessionToken"):
        await store.ensure_bucket(BUCKET)


def test_fetch_reports_that_the_session_of_its_url_has_expired(
    proxy: S3Proxy, target: StoreLocation, tmp_path: Path
) -> None:
    proxy.rule = lambda asked: EXPIRED
    url_file = tmp_path / "url"
    (tmp_path / "termination-log").touch()
    url_file.write_text(f"{target.endpoint}/{target.bucket}/x?X-Amz-Signature=0badc0de0badc0de")
    ended = run_fetch(fetch_environ(url_file, tmp_path / "model", sha256="0" * 64, size=9))
    assert ended.code != 0
    assert "FetchURLExpired" in (tmp_path / "termination-log").read_text()


async def test_quant_service_signs_with_the_current_session(
    session: Session, new_session: NewSession, source_client: Minio, tmp_path: Path
) -> None:
    content = samplegguf.sample(2**21)
    source_client.put_object(BUCKET, "session.gguf", io.BytesIO(content), len(content))
    extra = {"ROADSTEAD_QUANT_SOURCE_SESSION_TOKEN_FILE": str(session.token_file)}
    with running_quant(session.store, BUCKET, tmp_path, **extra) as quant:
        client = QuantClient(quant.endpoint, quant.key_file, Egress(policy=Anywhere()))
        for keys in (session.access().credentials(), new_session()):
            session.write(keys)
            query = parse_qs(urlsplit((await client.download_url("session")).url).query)
            assert query["X-Amz-Security-Token"] == [keys.session_token]
