"""Connections to Postgres, and the translation of their errors."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import asyncpg

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import LedgerError, LedgerUnavailable, RowRefused
from roadstead.ledger.dsn import EXAMPLE, parse_dsn

CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 30.0
IDLE_TRANSACTION_SECONDS: Final = 30.0
"""How long a transaction may be idle before Postgres ends it."""

_TRANSIENT: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # asyncpg raises this for the same error between two statements.
    asyncpg.InternalClientError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    # A Secret that is being rotated, a database that is being created.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    OSError,
    TimeoutError,
)
_UNMIGRATED: Final = (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError)


async def connect(
    dsn_file: Path, authorities: Authorities = SYSTEM_AUTHORITIES
) -> asyncpg.Connection:
    """Connect with the DSN in a file, which is read each time: a mounted Secret changes.

    Without a `sslrootcert`, the server's certificate is verified with `authorities`.
    Raises LedgerUnavailable; LedgerError for an invalid DSN.
    """
    try:
        text = dsn_file.read_text().strip()  # noqa: ASYNC240 - a mounted file of one line
    except OSError as error:
        message = f"the ledger's DSN can't be read: {error.strerror}: {dsn_file}"
        raise LedgerUnavailable(message, reason="DsnMissing") from None
    try:
        dsn = parse_dsn(text)
        context = dsn.tls.context(dsn_file.parent, authorities)
    except LedgerError as error:
        raise LedgerError(f"{dsn_file}: {error}", reason=error.reason) from None
    with translate_errors(), _translate_tls_errors():
        try:
            return await asyncpg.connect(
                dsn.url,
                ssl=context,
                timeout=min(CONNECT_SECONDS, dsn.connect_seconds or CONNECT_SECONDS),
                command_timeout=STATEMENT_SECONDS,
                server_settings=dict(dsn.settings),
            )
        except ssl.SSLError:
            # An invalid certificate is a ValueError too.
            raise
        except (ValueError, asyncpg.ClientConfigurationError):
            message = f"invalid DSN in {dsn_file}: expected a URL such as {EXAMPLE}"
            raise LedgerError(message, reason="DsnInvalid") from None


@contextlib.contextmanager
def _translate_tls_errors() -> Iterator[None]:
    """Report TLS errors as such, not as an unavailable server or an invalid DSN."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        message = (
            f"Postgres's certificate is not trusted: {error.verify_message}. Add its authority to "
            "the chart's value trust, or name its CA file with the DSN's sslrootcert; the "
            "certificate must cover the DSN's host"
        )
        raise LedgerUnavailable(message, reason="CertificateRefused") from None
    except ssl.SSLError as error:
        message = f"TLS with Postgres failed: {error.reason or type(error).__name__}"
        raise LedgerUnavailable(message, reason="TlsFailed") from None
    except ConnectionError as error:
        if "SSL upgrade" not in str(error):
            raise
        message = "Postgres does not support TLS, which the DSN's sslmode requires"
        raise LedgerUnavailable(message, reason="TlsUnavailable") from None


@contextlib.asynccontextmanager
async def connected(
    dsn_file: Path, authorities: Authorities = SYSTEM_AUTHORITIES
) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is closed on exit, within 2 s even without a response."""
    connection = await connect(dsn_file, authorities)
    try:
        yield connection
    finally:
        await close(connection)


async def close(connection: asyncpg.Connection) -> None:
    """Close it; terminate it if the server doesn't answer or the caller is cancelled."""
    try:
        await connection.close(timeout=2)
    except asyncio.CancelledError:
        connection.terminate()
        if _is_cancelled():
            raise
    except _TRANSIENT:
        connection.terminate()


def _is_cancelled() -> bool:
    """Whether the caller itself is cancelled: asyncpg also raises it for lost connections."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@contextlib.asynccontextmanager
async def transaction(
    connection: asyncpg.Connection, *, idle_seconds: float = IDLE_TRANSACTION_SECONDS
) -> AsyncIterator[None]:
    """A transaction that Postgres ends after `idle_seconds` without a statement.

    If the client's node fails, its rows would otherwise stay locked until TCP times out: hours.
    """
    async with connection.transaction():
        milliseconds = round(1000 * idle_seconds)
        await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}")
        yield


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise errors of asyncpg and of the network as LedgerError and LedgerUnavailable.

    Messages of the server are not included: they may quote values.
    """
    try:
        yield
    except _UNMIGRATED:
        message = "the database lacks a table or function: run `roadstead ledger migrate`"
        raise LedgerUnavailable(message, reason="SchemaMissing") from None
    except _TRANSIENT as error:
        name = type(error).__name__
        raise LedgerUnavailable(f"Postgres does not answer: {name}", reason=name) from None
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        name = type(error).__name__
        message = f"Postgres refuses a value: {name} ({error.sqlstate})"
        raise RowRefused(message, reason=name) from None
    except asyncpg.PostgresError as error:
        name = type(error).__name__
        message = f"Postgres refuses the statement: {name} ({error.sqlstate})"
        raise LedgerError(message, reason=name) from None
