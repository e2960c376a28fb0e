"""Relays chats to servers on another host, so that their responses don't have the console's origin.

The browser sends the console its cookie, the console sends the gateway the session's token, and
forward auth decides as for any caller. Only status, content type and body are returned.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web

from roadstead.api.object_names import UUID
from roadstead.console.auth.console_sessions import Session
from roadstead.console.servers_host import ServersHost
from roadstead.console.web.openings import Openings
from roadstead.console.web.site import SESSION, json_answer

logger = logging.getLogger(__name__)

CHAT: Final = "/v1/chat/completions"
MAX_CHAT_BYTES: Final = 1024 * 1024
"""Limit of a request, which contains the whole conversation."""
CONNECT_SECONDS: Final = 10.0
MAX_OPEN: Final = 200
"""Concurrent chats of one process."""
MAX_OPEN_PER_SUBJECT: Final = 20
"""Concurrent chats of one subject."""
CONTENT_TYPES: Final = ("application/json", "text/event-stream")
"""The allowed types of responses, so that no server's page gets the console's origin."""


class ChatRelay:
    """`/api/servers/<uuid>/v1/chat/completions`, if servers have another host."""

    _client: aiohttp.ClientSession
    """Set while the application runs."""

    def __init__(self, servers: ServersHost) -> None:
        self._servers = servers
        self._openings = Openings(most=MAX_OPEN, each=MAX_OPEN_PER_SUBJECT)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.post(f"/api/servers/{{uuid:{UUID}}}{CHAT}", self._chat)]

    async def connected(self, _: web.Application) -> AsyncIterator[None]:
        """Open the HTTP client while the application runs; for its `cleanup_ctx`."""
        # The first byte may take minutes. A terminated pod of the gateway breaks its connections,
        # and a POST is not retried: each chat opens a new one.
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            auto_decompress=False,
            trust_env=False,
        ) as self._client:
            yield

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        with self._openings.acquire(request[SESSION].claims) as acquired:
            if not acquired:
                return _error_response(web.HTTPTooManyRequests.status_code)
            return await self._relay(request)

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        body = await request.clone(client_max_size=MAX_CHAT_BYTES).read()
        server_uuid = request.match_info["uuid"]
        try:
            async with self._post(server_uuid, request[SESSION], body) as answer:
                if answer.content_type not in CONTENT_TYPES or 300 <= answer.status < 400:
                    return _error_response(answer.status)
                return await _stream_response(request, answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            logger.warning("the gateway does not answer: %s", error or type(error).__name__)
            return _error_response(web.HTTPBadGateway.status_code)

    def _post(
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
            ssl=self._servers.authorities.context(),
            server_hostname=self._servers.hostname,
            allow_redirects=False,
        )


async def _stream_response(
    request: web.Request, answer: aiohttp.ClientResponse
) -> web.StreamResponse:
    """Stream the response; abort the connection if it breaks off, so that it is not complete."""
    headers = {"Content-Type": answer.content_type}
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    try:
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
    except (aiohttp.ClientError, ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    return response


def _error_response(status: int) -> web.Response:
    """Return the gateway's status as JSON: its own error responses are plain text."""
    status = status if status >= 400 else web.HTTPBadGateway.status_code
    error = {"code": "NotAnswered", "message": f"The gateway answered {status}; retry."}
    return json_answer({"error": error}, status=status)
