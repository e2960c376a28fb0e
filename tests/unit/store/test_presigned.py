"""Presigned URLs that were signed with earlier keys are detected."""

import dataclasses
import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from roadstead.api.model import StoreLocation
from roadstead.s3 import Addressing
from roadstead.store.store_access import StoreAccess
from roadstead.store.store_client import is_signed_by, presign
from roadstead.store.stored_objects import minio_client

ENDPOINT = "https://store.example:9000"
HOUR = datetime.timedelta(hours=1)
MODEL = StoreLocation(endpoint=ENDPOINT, bucket="models", path="gemma/a b.gguf")


@pytest.fixture
def access(tmp_path: Path) -> StoreAccess:
    """A store whose keys are files."""
    user, secret = tmp_path / "user", tmp_path / "secret"
    user.write_text("roadstead")
    secret.write_text("first")
    return StoreAccess(
        endpoint=ENDPOINT,
        bucket="models",
        region="us-east-1",
        access_key_file=user,
        secret_key_file=secret,
    )


def test_url_is_recognized_with_the_keys_that_signed_it(access: StoreAccess) -> None:
    assert is_signed_by(minio_client(access), MODEL, presign(minio_client(access), MODEL, HOUR))


def test_url_of_an_earlier_secret_is_not_recognized(access: StoreAccess) -> None:
    url = presign(minio_client(access), MODEL, HOUR)
    access.secret_key_file.write_text("second")
    assert not is_signed_by(minio_client(access), MODEL, url)


@pytest.mark.parametrize("endpoint", [ENDPOINT, "https://s3.eu-west-1.amazonaws.com"])
@pytest.mark.parametrize("addressing", Addressing)
def test_url_has_the_bucket_in_host_or_path(
    access: StoreAccess, endpoint: str, addressing: Addressing
) -> None:
    there = dataclasses.replace(
        access, endpoint=endpoint, region="eu-west-1", addressing=addressing
    )
    url = urlsplit(presign(minio_client(there), MODEL, HOUR))
    is_by_path = addressing is Addressing.PATH
    host = urlsplit(endpoint).netloc
    assert url.netloc == (host if is_by_path else f"models.{host}")
    assert url.path == f"{'/models' if is_by_path else ''}/gemma/a%20b.gguf"


def test_url_of_an_earlier_session_is_not_recognized(access: StoreAccess) -> None:
    token = access.secret_key_file.with_name("token")
    session = dataclasses.replace(access, session_token_file=token)
    token.write_text("first")
    url = presign(minio_client(session), MODEL, HOUR)
    assert "X-Amz-Security-Token=first&" in url
    assert is_signed_by(minio_client(session), MODEL, url)
    token.write_text("second")
    assert not is_signed_by(minio_client(session), MODEL, url)


def test_url_of_another_object_is_not_recognized(access: StoreAccess) -> None:
    other = dataclasses.replace(MODEL, path="gemma/c.gguf")
    url = presign(minio_client(access), other, HOUR)
    assert not is_signed_by(minio_client(access), MODEL, url)


@pytest.mark.parametrize(
    "url", ["", "https://store.example:9000/models/x", "https://x/?X-Amz-Date=1&X-Amz-Expires=2"]
)
def test_other_text_is_not_recognized(access: StoreAccess, url: str) -> None:
    assert not is_signed_by(minio_client(access), MODEL, url)
