"""The store's keys are files, which may be replaced while they are read; no repr shows a key."""

from pathlib import Path, PosixPath
from urllib.parse import urlsplit

import pytest

from roadstead.errors import StoreError
from roadstead.s3 import Addressing, KeyFiles, S3Credentials
from roadstead.store.store_access import StoreAccess

FIRST = S3Credentials(access_key="key-1", secret_key="secret-1", session_token="token-1")
SECOND = S3Credentials(access_key="key-2", secret_key="secret-2", session_token="token-2")


class Rotated(PosixPath):
    """A file: all keys are replaced after it is read for the first time."""

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:
        text = super().read_text(encoding, errors)
        if text == FIRST.access_key:
            write(self.parent, SECOND)
        return text


def write(folder: Path, keys: S3Credentials) -> None:
    """Write the files of a mounted Secret."""
    (folder / "access").write_text(keys.access_key)
    (folder / "secret").write_text(keys.secret_key)
    (folder / "token").write_text(keys.session_token)


@pytest.fixture
def access(tmp_path: Path) -> StoreAccess:
    """A store with temporary keys."""
    write(tmp_path, FIRST)
    return StoreAccess(
        endpoint="https://store.example.com",
        bucket="models",
        region="us-east-1",
        access_key_file=tmp_path / "access",
        secret_key_file=tmp_path / "secret",
        session_token_file=tmp_path / "token",
    )


def test_keys_of_two_sessions_are_never_mixed(tmp_path: Path) -> None:
    write(tmp_path, FIRST)
    files = KeyFiles(
        access_key=Rotated(tmp_path / "access"),
        secret_key=tmp_path / "secret",
        session_token=tmp_path / "token",
    )
    assert files.read() == SECOND


def test_keys_without_a_session_token_file_are_permanent(access: StoreAccess) -> None:
    assert access.credentials() == FIRST
    (access.access_key_file.parent / "token").unlink()
    assert access.credentials().session_token == ""


def test_repr_shows_no_key(access: StoreAccess) -> None:
    text = repr((access, access.credentials()))
    assert not [secret for secret in ("key-1", "secret-1", "token-1") if secret in text]


@pytest.mark.parametrize("name", ["access", "secret"])
def test_error_names_the_empty_or_missing_key_file(access: StoreAccess, name: str) -> None:
    path = access.access_key_file.parent / name
    path.write_text("\n")
    with pytest.raises(StoreError, match=f"empty in {path}"):
        access.credentials()
    path.unlink()
    with pytest.raises(StoreError, match=f"can't be read from {path}"):
        access.credentials()


@pytest.mark.parametrize(
    ("endpoint", "bucket", "located"),
    [
        ("https://s3.example.com", "models", ("models.s3.example.com", "")),
        ("http://s3.example.com:9000", "a.b", ("a.b.s3.example.com:9000", "")),
        # A certificate for *.s3.example.com does not cover a.b.s3.example.com.
        ("https://s3.example.com", "a.b", ("s3.example.com", "/a.b")),
    ],
)
def test_bucket_is_prepended_to_the_host(
    endpoint: str, bucket: str, located: tuple[str, str]
) -> None:
    assert Addressing.VIRTUAL_HOST.locate(urlsplit(endpoint), bucket) == located
    path = urlsplit(endpoint).netloc, f"/{bucket}"
    assert Addressing.PATH.locate(urlsplit(endpoint), bucket) == path
