"""Reads `/metrics/cadvisor` of kubelets, over verified TLS."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp

from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.errors import InvalidSettings, UsageError
from roadstead.usage.asking import fetch_page, host_port
from roadstead.usage.cadvisor import CadvisorReader, Readings
from roadstead.usage.readings import Wanted

PATH: Final = "/metrics/cadvisor"
MAX_BODY: Final = 64 * 2**20
"""A page of 1,000 containers is about 20 MB."""
TIMEOUT_SECONDS: Final = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class KubeletEndpoint:
    """The address of a kubelet."""

    address: str
    port: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Identity:
    """The client credentials for kubelets, and the authority of their certificates.

    `authorization` is the whole header; it is empty with a client certificate.
    """

    ca_file: str
    authorization: str = dataclasses.field(default="", repr=False)
    cert_file: str = ""
    key_file: str = ""


class Kubelets:
    """Reads from kubelets; a session lasts one round, since tokens and authorities are renewed."""

    def __init__(self, session: aiohttp.ClientSession, identity: Identity) -> None:
        self._session = session
        self._identity = identity

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, identity: Identity, *, timeout: float = TIMEOUT_SECONDS
    ) -> AsyncIterator[Kubelets]:
        """Open a session; UsageError if the certificates can't be read."""
        try:
            ca_file = Path(identity.ca_file) if identity.ca_file else None
            context = Authorities.of_file(ca_file, otherwise=SYSTEM_AUTHORITIES).new_context()
            if identity.cert_file:
                context.load_cert_chain(identity.cert_file, identity.key_file or None)
        except (OSError, InvalidSettings) as error:
            raise UsageError("Certificate", f"{identity.ca_file}: {error}") from error
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        limit = aiohttp.ClientTimeout(total=timeout)
        async with aiohttp.ClientSession(
            connector=connector, timeout=limit, auto_decompress=False
        ) as session:
            yield cls(session, identity)

    async def read(self, endpoint: KubeletEndpoint, wanted: Wanted) -> Readings:
        """Return the readings of the wanted containers on one node; raises UsageError."""
        reader = CadvisorReader(wanted)
        url = f"https://{host_port(endpoint.address, endpoint.port)}{PATH}"
        chunks = fetch_page(
            self._session, url, authorization=self._identity.authorization, limit=MAX_BODY
        )
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                reader.feed(chunk)
        return reader.readings()
