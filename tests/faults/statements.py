"""A proxy for Postgres that sees each CommandComplete before the client does.

Only the framing of the server's messages is parsed (PostgreSQL documentation, "Message Formats"):
a byte for the type, four for the length. Connections are without TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from typing import Final

from dev.servers.process import free_port

_HEADER: Final = 5
_COMPLETE: Final = b"C"

Done = Callable[[str], None]
"""Called with each statement's tag, such as `INSERT 0 5` or `COMMIT`."""


@dataclasses.dataclass(kw_only=True)
class Statements:
    """Completed statements; if `after` raises, the connection is closed without an answer."""

    upstream_port: int
    after: Done
    clients: set[asyncio.Task[None]] = dataclasses.field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Start a task for each client; it is cancelled with the proxy."""
        task = asyncio.create_task(self.serve(reader, writer))
        self.clients.add(task)
        task.add_done_callback(self.clients.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        there, back = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        asking = asyncio.create_task(_pump(reader, back))
        try:
            await self._answer(there, writer)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            asking.cancel()
            back.close()
            writer.close()

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while header := await there.readexactly(_HEADER):
            body = await there.readexactly(int.from_bytes(header[1:]) - 4)
            if header[:1] == _COMPLETE:
                self.after(body.rstrip(b"\0").decode())
            writer.write(header + body)
            await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
    finally:
        # In any case: what a killed client had started must not keep its rows locked.
        writer.close()


@contextlib.asynccontextmanager
async def running_statement_proxy(upstream_port: int, after: Done) -> AsyncIterator[int]:
    """Run a proxy for a Postgres on 127.0.0.1; yields its port."""
    statements = Statements(upstream_port=upstream_port, after=after)
    port = free_port()
    server = await asyncio.start_server(statements.accept, "127.0.0.1", port)
    try:
        yield port
    finally:
        server.close()
        for task in statements.clients:
            task.cancel()
        await asyncio.gather(*statements.clients, return_exceptions=True)
