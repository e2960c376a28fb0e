"""The serving certificate: where it comes from, and how a renewed one comes into use.

New handshakes take what is loaded into the one live context; open connections go on with what they
began with. So a renewal closes nothing.
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
        """A server's context with a certificate in it; waits until there is one."""

    async def run(self) -> None:
        """Load each renewed certificate into that context, until cancelled."""


def server_context(client_ca: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 at least, and no certificate yet.

    With a `client_ca`, PEM certificates, nobody connects without a certificate that they vouch for.
    Raises InvalidSettings where it can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or type(error).__name__
            raise InvalidSettings(f"{client_ca} holds no PEM certificates: {why}") from None
    return context


class FileCertificates:
    """`tls.crt` and `tls.key` of a folder, as a Secret of type kubernetes.io/tls is mounted."""

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
        """As in Certificates; a pair that can't be used changes nothing and is tried again."""
        while True:
            await asyncio.sleep(self._poll)
            self._load()

    def _load(self) -> bool:
        """Whether there is a certificate in use."""
        try:
            pair = (self._chain.read_bytes(), self._key.read_bytes())
            if pair != self._loaded:
                # On a context of its own first: a pair that doesn't match must not half replace
                # one that does.
                server_context().load_cert_chain(self._chain, self._key)
                self._context.load_cert_chain(self._chain, self._key)
                self._loaded = pair
                webhook_metrics.CERTIFICATE_EXPIRY.labels("serving").set(_ends_at(pair[0]))
                logger.info("serving with the certificate of %s", self._chain)
        except (OSError, ssl.SSLError) as error:
            why = error.strerror or type(error).__name__
            logger.warning("no certificate in %s: %s", self._chain, why)
        return self._loaded is not None


def _ends_at(chain: bytes) -> float:
    """When the first certificate of a chain ends, in Unix time; NaN where it can't be told.

    OpenSSL takes some that cryptography does not: those are served all the same.
    """
    try:
        return x509.load_pem_x509_certificate(chain).not_valid_after_utc.timestamp()
    except ValueError:
        return float("nan")
