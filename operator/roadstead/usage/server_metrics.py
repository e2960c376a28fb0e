"""llama-server's own metrics, asked of each pod at its own address."""

from __future__ import annotations

import contextlib
from typing import Final, Self

import aiohttp

from roadstead.usage.asking import host_port, page
from roadstead.usage.llama import parse_llama
from roadstead.usage.readings import LlamaReading

MAX_BODY: Final = 256 * 2**10
TIMEOUT_SECONDS: Final = 5.0
"""It answers between two steps of a computation, which take a second on a busy CPU."""


class LlamaServers:
    """Asks llama-servers. Each answer is a connection of its own: one that is kept holds a thread
    of the server."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    def open(cls, *, timeout: float = TIMEOUT_SECONDS) -> Self:
        """With a session of its own."""
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        limit = aiohttp.ClientTimeout(total=timeout)
        return cls(aiohttp.ClientSession(connector=connector, timeout=limit, auto_decompress=False))

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def read(self, address: str, port: int, *, key: str) -> LlamaReading:
        """What one says; `key` is its API key, empty without one. Raises UsageError."""
        url = f"http://{host_port(address, port)}/metrics"
        authorization = f"Bearer {key}" if key else ""
        body = bytearray()
        chunks = page(self._session, url, authorization=authorization, limit=MAX_BODY)
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                body += chunk
        return parse_llama(bytes(body))
