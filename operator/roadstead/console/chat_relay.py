"""Chats of the console's pages with servers on another host, so that no answer has its origin.

The browser asks the console with its cookie, the console asks the gateway with the session's token,
and forward auth judges that as any caller's. Of the answer only status, kind and body go back.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web

from roadstead.console.console_sessions import Session
from roadstead.console.openings import Openings
from roadstead.console.servers_host import ServersHost
from roadstead.console.site import SESSION, UUID, json_answer

logger = logging.getLogger(__name__)

CHAT: Final = "/v1/chat/completions"
MAX_CHAT_BYTES: Final = 1024 * 1024
"""Of a request, which holds the whole conversation."""
CONNECT_SECONDS: Final = 10.0
MAX_OPEN: Final = 200
"""Of one process at once."""
MAX_OF_ONE: Final = 20
"""Of one subject."""
KINDS: Final = ("application/json", "text/event-stream")
"""A server's answer has no other; a page of its making never gets the console's origin."""


class ChatRelay:
    """`/api/servers/<uuid>/v1/chat/completions`, where servers have another host."""

    _client: aiohttp.ClientSession
    """There while the application runs."""

    def __init__(self, servers: ServersHost) -> None:
        self._servers = servers
        self._tls = servers.tls()
        self._openings = Openings(most=MAX_OPEN, each=MAX_OF_ONE)

    def routes(self) -> list[web.RouteDef]:
        """For an aiohttp application."""
        return [web.post(f"/api/servers/{{uuid:{UUID}}}{CHAT}", self._chat)]

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """The client's connections, as long as the application runs; for its `cleanup_ctx`."""
        # An answer may be computed for minutes before its first byte. The gateway's pods go with
        # their connections, and a POST is not repeated: each chat has a new one.
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, force_close=True, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            auto_decompress=False,
            trust_env=False,
        ) as self._client:
            yield

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        with self._openings.taking(request[SESSION].claims) as taken:
            if not taken:
                return _refused(web.HTTPTooManyRequests.status_code)
            return await self._relayed(request)

    async def _relayed(self, request: web.Request) -> web.StreamResponse:
        body = await request.clone(client_max_size=MAX_CHAT_BYTES).read()
        server_uuid = request.match_info["uuid"]
        try:
            async with self._asked(server_uuid, request[SESSION], body) as answer:
                if answer.content_type not in KINDS or 300 <= answer.status < 400:
                    return _refused(answer.status)
                return await _passed_on(request, answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.warning("the gateway does not answer: %s", error or type(error).__name__)
            return _refused(web.HTTPBadGateway.status_code)

    def _asked(
        self, server_uuid: str, session: Session, body: bytes
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._client.post(
            self._servers.address_of(server_uuid, CHAT),
            data=body,
            headers={
                "Host": self._servers.authority,
                "Authorization": f"Bearer {session.token}",
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
            },
            server_hostname=self._servers.hostname,
            allow_redirects=False,
        )


async def _passed_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """The answer as it comes, cut where it is cut, so that it does not pass for a whole one."""
    kind = {"Content-Type": answer.content_type}
    response = web.StreamResponse(status=answer.status, headers=kind)
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
    except (aiohttp.ClientError, ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    return response


def _refused(status: int) -> web.Response:
    """The gateway's own refusals are plain text: what a page does with them is by their status."""
    status = status if status >= 400 else web.HTTPBadGateway.status_code
    error = {"code": "NotAnswered", "message": f"The gateway answered {status}; try again."}
    return json_answer({"error": error}, status=status)
