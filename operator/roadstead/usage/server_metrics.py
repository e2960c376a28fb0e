"""Reads and parses `/metrics` of the llama-server in each pod.

Its names change between builds, and each scrape resets its gauges of tokens per second. Therefore
only counters and gauges of the current state are read.
Source: llama.cpp b11434, tools/server/server-task.cpp (server_task_result_metrics::to_metrics).
"""

from __future__ import annotations

import contextlib
from typing import Final, Self

import aiohttp

from roadstead.usage.asking import fetch_page, host_port
from roadstead.usage.exposition import SeriesReader
from roadstead.usage.readings import LlamaReading

NAMES: Final = {
    "llamacpp:prompt_tokens_total": "prompt_tokens",
    "llamacpp:tokens_predicted_total": "generated_tokens",
    "llamacpp:requests_processing": "requests_processing",
    "llamacpp:requests_deferred": "requests_deferred",
    "llamacpp:n_tokens_max": "context_tokens_max",
}
"""The metric names, and the fields of LlamaReading."""

MAX_BODY: Final = 256 * 2**10
TIMEOUT_SECONDS: Final = 5.0
"""It responds between two steps of a computation; a step takes a second on a busy CPU."""


def parse_llama(page: bytes) -> LlamaReading:
    """Parse a page; missing values are None."""
    reader = SeriesReader(tuple(NAMES))
    series = [*reader.feed(page), *reader.close()]
    return LlamaReading(**{NAMES[item.name]: item.value for item in series if not item.labels})


class LlamaServers:
    """Reads from llama-servers over new connections: an open one occupies a server thread."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    def open(cls, *, timeout: float = TIMEOUT_SECONDS) -> Self:
        """Open a session."""
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        limit = aiohttp.ClientTimeout(total=timeout)
        return cls(aiohttp.ClientSession(connector=connector, timeout=limit, auto_decompress=False))

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def read(self, address: str, port: int, *, key: str) -> LlamaReading:
        """Read one server's metrics; `key` is its API key, or empty. Raises UsageError."""
        url = f"http://{host_port(address, port)}/metrics"
        authorization = f"Bearer {key}" if key else ""
        body = bytearray()
        chunks = fetch_page(self._session, url, authorization=authorization, limit=MAX_BODY)
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                body += chunk
        return parse_llama(bytes(body))
