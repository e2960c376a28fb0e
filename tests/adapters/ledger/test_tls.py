"""Postgres with and without TLS, and DSNs that require it."""

import os
import shutil
from pathlib import Path

import asyncpg
import pytest

from roadstead.errors import LedgerUnavailable
from roadstead.ledger.database import connected
from tests.support import certificates
from tests.support.ledger import Ledger

ENCRYPTED = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture
async def secured(own_ledger: Ledger, tmp_path: Path) -> Ledger:
    """A ledger with a certificate for 127.0.0.1, and its CA in `authority.crt` beside the DSN."""
    give_certificate(own_ledger.server.folder / "data", tmp_path)
    connection = await asyncpg.connect(own_ledger.server.superuser_dsn)
    await connection.execute("ALTER SYSTEM SET ssl = on")
    await connection.close()
    own_ledger.server.stop()
    own_ledger.server.start()
    return own_ledger


def give_certificate(data: Path, folder: Path) -> None:
    issued = certificates.issue(folder)
    for source, name in ((issued.certificate, "server.crt"), (issued.key, "server.key")):
        copied = Path(shutil.copy(source, data / name))
        os.chown(copied, data.stat().st_uid, data.stat().st_gid)
        copied.chmod(0o600)


def dsn_file(ledger: Ledger, folder: Path, query: str, host: str = "127.0.0.1") -> Path:
    text = ledger.server.dsn("reader").replace("127.0.0.1", host)
    file = folder / "dsn"
    file.write_text(text.replace("sslmode=disable", query))
    return file


async def reason(file: Path) -> str:
    with pytest.raises(LedgerUnavailable) as refused:
        async with connected(file):
            pass
    return refused.value.reason


@pytest.mark.parametrize(
    ("query", "host"),
    [
        ("sslmode=verify-full&sslrootcert=authority.crt", "127.0.0.1"),
        ("sslmode=verify-ca&sslrootcert=authority.crt", "localhost"),
        ("sslmode=require", "localhost"),
        ("sslmode=prefer", "localhost"),
    ],
)
async def test_dsn_with_tls_is_encrypted(
    secured: Ledger, tmp_path: Path, query: str, host: str
) -> None:
    async with connected(dsn_file(secured, tmp_path, query, host)) as connection:
        assert await connection.fetchval(ENCRYPTED)


@pytest.mark.parametrize(
    ("query", "host"),
    [
        pytest.param("sslmode=verify-full", "127.0.0.1", id="another authority"),
        pytest.param("sslmode=verify-full&sslrootcert=authority.crt", "localhost", id="name"),
    ],
)
async def test_untrusted_certificate_has_its_reason(
    secured: Ledger, tmp_path: Path, query: str, host: str
) -> None:
    assert await reason(dsn_file(secured, tmp_path, query, host)) == "CertificateRefused"


async def test_missing_tls_support_has_its_reason(own_ledger: Ledger, tmp_path: Path) -> None:
    file = dsn_file(own_ledger, tmp_path, "sslmode=verify-full")
    assert await reason(file) == "TlsUnavailable"
