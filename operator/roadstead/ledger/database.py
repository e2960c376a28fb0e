"""One connection to Postgres, with its errors turned into ours."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import asyncpg

from roadstead.errors import LedgerError, LedgerUnavailable, RowRefused
from roadstead.ledger.dsn import EXAMPLE, parse_dsn

CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 30.0
TRANSACTION_SILENCE_SECONDS: Final = 30.0
"""How long Postgres bears a transaction in which it is asked nothing."""

_PASSING: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # What asyncpg makes of that error where it comes between two statements.
    asyncpg.InternalClientError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    # A Secret that is being changed, a database that is being made.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    OSError,
    TimeoutError,
)
_UNMIGRATED: Final = (asyncpg.UndefinedTableError, asyncpg.UndefinedFunctionError)


async def connect(dsn_file: Path) -> asyncpg.Connection:
    """A connection by the DSN in a file, which is read each time: a mounted Secret changes.

    Raises LedgerUnavailable; LedgerError for a DSN that is none.
    """
    try:
        text = dsn_file.read_text().strip()  # noqa: ASYNC240 - a mounted file of one line
    except OSError as error:
        message = f"the ledger's DSN can't be read: {error.strerror}: {dsn_file}"
        raise LedgerUnavailable(message, reason="DsnMissing") from None
    try:
        dsn = parse_dsn(text)
        context = dsn.tls.context(dsn_file.parent)
    except LedgerError as error:
        raise LedgerError(f"{dsn_file}: {error}", reason=error.reason) from None
    with translate_errors(), _encrypting():
        try:
            return await asyncpg.connect(
                dsn.url,
                ssl=context,
                timeout=min(CONNECT_SECONDS, dsn.connect_seconds or CONNECT_SECONDS),
                command_timeout=STATEMENT_SECONDS,
                server_settings=dict(dsn.settings),
            )
        except ssl.SSLError:
            # A certificate that does not hold is a ValueError too.
            raise
        except (ValueError, asyncpg.ClientConfigurationError):
            message = f"{dsn_file} is no DSN such as {EXAMPLE}"
            raise LedgerError(message, reason="DsnInvalid") from None


@contextlib.contextmanager
def _encrypting() -> Iterator[None]:
    """Tell of TLS what would pass for a server that is away, or for a DSN that is none."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        message = (
            f"Postgres's certificate is refused: {error.verify_message}. The DSN's sslrootcert "
            "names the file of the authority, and its host is one that the certificate has"
        )
        raise LedgerUnavailable(message, reason="CertificateRefused") from None
    except ssl.SSLError as error:
        message = f"no TLS with Postgres: {error.reason or type(error).__name__}"
        raise LedgerUnavailable(message, reason="TlsFailed") from None
    except ConnectionError as error:
        if "SSL upgrade" not in str(error):
            raise
        message = "Postgres takes no TLS, which the DSN's sslmode asks for"
        raise LedgerUnavailable(message, reason="TlsUnavailable") from None


@contextlib.asynccontextmanager
async def connected(dsn_file: Path) -> AsyncIterator[asyncpg.Connection]:
    """A connection that is closed on the way out, within a moment even if nobody answers."""
    connection = await connect(dsn_file)
    try:
        yield connection
    finally:
        await close(connection)


async def close(connection: asyncpg.Connection) -> None:
    """Close it, by force where the server doesn't answer or the caller is cancelled."""
    try:
        await connection.close(timeout=2)
    except asyncio.CancelledError:
        connection.terminate()
        if _is_cancelled():
            raise
    except _PASSING:
        connection.terminate()


def _is_cancelled() -> bool:
    """Whether the caller itself is cancelled: asyncpg also raises that for a connection it lost."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@contextlib.asynccontextmanager
async def transaction(
    connection: asyncpg.Connection, *, silence: float = TRANSACTION_SILENCE_SECONDS
) -> AsyncIterator[None]:
    """A transaction that Postgres itself gives up after `silence` seconds without a statement.

    One whose client went with its node would hold its rows for as long as TCP waits: hours.
    """
    async with connection.transaction():
        milliseconds = round(1000 * silence)
        await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}")
        yield


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Turn what asyncpg and the network raise within it into LedgerError and LedgerUnavailable.

    The server's own messages are not passed on: they may quote values.
    """
    try:
        yield
    except _UNMIGRATED:
        message = (
            "the database has no such table or function: `roadstead ledger migrate` makes them"
        )
        raise LedgerUnavailable(message, reason="SchemaMissing") from None
    except _PASSING as error:
        name = type(error).__name__
        raise LedgerUnavailable(f"Postgres does not answer: {name}", reason=name) from None
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        name = type(error).__name__
        message = f"Postgres refuses a value: {name} ({error.sqlstate})"
        raise RowRefused(message, reason=name) from None
    except asyncpg.PostgresError as error:
        name = type(error).__name__
        message = f"Postgres refuses it: {name} ({error.sqlstate})"
        raise LedgerError(message, reason=name) from None
