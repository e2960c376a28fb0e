"""The kubelets' own numbers, `/metrics/cadvisor`, over TLS that is checked."""

from __future__ import annotations

import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator
from typing import Final

import aiohttp

from roadstead.errors import UsageError
from roadstead.usage.asking import host_port, page
from roadstead.usage.cadvisor import CadvisorReader, Readings
from roadstead.usage.readings import Wanted

PATH: Final = "/metrics/cadvisor"
MAX_BODY: Final = 64 * 2**20
"""A page of 1,000 containers has about 20 MB."""
TIMEOUT_SECONDS: Final = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class KubeletEndpoint:
    """Where a kubelet listens."""

    address: str
    port: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """Whom kubelets are asked as, and who vouches for them.

    `authorization` is the whole header, empty with a client certificate.
    """

    ca_file: str
    authorization: str = dataclasses.field(default="", repr=False)
    cert_file: str = ""
    key_file: str = ""


class Kubelets:
    """Asks kubelets; one session is for one round, since tokens and authorities are renewed."""

    def __init__(self, session: aiohttp.ClientSession, identity: Identity) -> None:
        self._session = session
        self._identity = identity

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, identity: Identity, *, timeout: float = TIMEOUT_SECONDS
    ) -> AsyncIterator[Kubelets]:
        """With connections of its own; UsageError where the certificates can't be read."""
        try:
            context = ssl.create_default_context(cafile=identity.ca_file or None)
            if identity.cert_file:
                context.load_cert_chain(identity.cert_file, identity.key_file or None)
        except (OSError, ssl.SSLError) as error:
            raise UsageError("Certificate", f"{identity.ca_file}: {error}") from error
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        limit = aiohttp.ClientTimeout(total=timeout)
        async with aiohttp.ClientSession(
            connector=connector, timeout=limit, auto_decompress=False
        ) as session:
            yield cls(session, identity)

    async def read(self, endpoint: KubeletEndpoint, wanted: Wanted) -> Readings:
        """What one node says of the wanted containers; raises UsageError."""
        reader = CadvisorReader(wanted)
        url = f"https://{host_port(endpoint.address, endpoint.port)}{PATH}"
        chunks = page(
            self._session, url, authorization=self._identity.authorization, limit=MAX_BODY
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                reader.feed(chunk)
        return reader.readings()
