"""The fence before the API server: the last thing before a request goes onto its connection.

Not earlier: a request may wait for a free connection, or for one to be made, longer than a Lease
is held. And not once: aiohttp writes a request's bytes in a task of their own, and a process that
is stopped between the two goes on there.
"""

from __future__ import annotations

from typing import Final

from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_reqrep import ClientRequest, ClientResponse
from aiohttp.connector import Connection

from roadstead.errors import LeaseLost
from roadstead.fence import Fence

_READING: Final = ("GET", "HEAD", "OPTIONS")


def fenced(fence: Fence) -> type[ClientRequest]:
    """A class of requests, for an aiohttp session, that raise LeaseLost behind the fence."""

    class Fenced(ClientRequest):
        async def send(self, conn: Connection) -> ClientResponse:
            if self.method not in _READING:
                fence.check()
            return await super().send(conn)

        async def write_bytes(
            self,
            writer: AbstractStreamWriter,
            conn: Connection,
            content_length: int | None = None,
        ) -> None:
            try:
                if self.method not in _READING:
                    fence.check()
            except LeaseLost as error:
                _give_up(conn, error)
            else:
                await super().write_bytes(writer, conn, content_length)

    return Fenced


def _give_up(conn: Connection, error: LeaseLost) -> None:
    """Whoever waits for the answer gets the error."""
    if conn.protocol is not None:
        conn.protocol.set_exception(error)
    conn.close()
