"""Checks the fence immediately before a request is written to its connection.

Not earlier: a request may wait for a connection longer than the Lease is valid. And twice: aiohttp
writes the bytes of a request in a separate task, and the process may be paused in between.
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
    """A request class for an aiohttp session; writes raise LeaseLost if the fence is closed."""

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
                _abort(conn, error)
            else:
                await super().write_bytes(writer, conn, content_length)

    return Fenced


def _abort(conn: Connection, error: LeaseLost) -> None:
    """Close the connection; the waiting caller gets the error."""
    if conn.protocol is not None:
        conn.protocol.set_exception(error)
    conn.close()
