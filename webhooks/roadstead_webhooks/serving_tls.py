"""The serving certificate, and its renewal without closing connections.

A renewed certificate is loaded into the live context: new handshakes use it, and open connections
keep the one that they started with.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509

from roadstead.errors import InvalidSettings
from roadstead_webhooks import webhook_metrics

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 5.0


class Certificates(Protocol):
    """A source of the serving certificate."""

    async def context(self) -> ssl.SSLContext:
        """Return a server's context with a certificate; waits until there is one."""

    async def run(self) -> None:
        """Load each renewed certificate into that context, until cancelled."""


def server_context(client_ca: Path | None = None) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or later, without a certificate yet.

    With `client_ca`, PEM certificates, clients need a certificate signed by one of them. Raises
    InvalidSettings if the file can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or type(error).__name__
            raise InvalidSettings(
                f"{client_ca} contains no valid PEM certificates: {why}"
            ) from None
    return context


class FileCertificates:
    """Reads `tls.crt` and `tls.key` of a folder, as in a Secret of type kubernetes.io/tls."""

    def __init__(
        self, folder: Path, *, poll: float = POLL_SECONDS, client_ca: Path | None = None
    ) -> None:
        self._chain = folder / "tls.crt"
        self._key = folder / "tls.key"
        self._poll = poll
        self._context = server_context(client_ca)
        self._loaded: tuple[bytes, bytes] | None = None

    async def context(self) -> ssl.SSLContext:
        """As in Certificates."""
        while True:
            if self._load():
                return self._context
            await asyncio.sleep(self._poll)

    async def run(self) -> None:
        """As in Certificates; an invalid pair is skipped and read again later."""
        while True:
            await asyncio.sleep(self._poll)
            self._load()

    def _load(self) -> bool:
        """Load a changed pair; return whether a certificate is in use."""
        try:
            pair = (self._chain.read_bytes(), self._key.read_bytes())
            if pair != self._loaded:
                # Loaded into another context first: a pair that doesn't match must not replace
                # only the certificate of the live context.
                server_context().load_cert_chain(self._chain, self._key)
                self._context.load_cert_chain(self._chain, self._key)
                self._loaded = pair
                webhook_metrics.CERTIFICATE_EXPIRY.labels("serving").set(_expires_at(pair[0]))
                logger.info("serving with the certificate in %s", self._chain)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or type(error).__name__
            logger.warning("can't use the certificate in %s: %s", self._chain, why)
        return self._loaded is not None


def _expires_at(chain: bytes) -> float:
    """Return when the first certificate of a chain expires, in Unix time; NaN if unknown.

    OpenSSL accepts some certificates that cryptography can't parse; they are served too.
    """
    try:
        return x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()
    except ValueError:
        return float("nan")
