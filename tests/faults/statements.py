"""A proxy before Postgres that sees what it has done: each CommandComplete, before the client does.

Of the protocol (PostgreSQL documentation, "Message Formats") only the framing of what the server
sends is read: a byte of kind, four of length. It takes connections without TLS.
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
"""Told of each statement's tag, such as `INSERT 0 5` or `COMMIT`."""


@dataclasses.dataclass(kw_only=True)
class Statements:
    """What is done through the proxy; raising in `after` ends the connection unanswered."""

    upstream_port: int
    after: Done
    clients: set[asyncio.Task[None]] = dataclasses.field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A task for each client, which ends with the proxy at the latest."""
        task = asyncio.create_task(self.serve(reader, writer))
        self.clients.add(task)
        task.add_done_callback(self.clients.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
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
        # However one ends: what a killed client had begun must not go on holding its rows.
        writer.close()


@contextlib.asynccontextmanager
async def stating(upstream_port: int, after: Done) -> AsyncIterator[int]:
    """The port of a proxy before a Postgres on 127.0.0.1."""
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
