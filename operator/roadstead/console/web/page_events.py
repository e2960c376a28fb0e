"""`/api/events`: notifies open pages of changes (server-sent events, WHATWG)."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from roadstead.console.auth.console_sessions import Session
from roadstead.console.data.live import COALESCE_SECONDS
from roadstead.console.web.openings import Openings
from roadstead.console.web.site import SESSION, Site
from roadstead.errors import InvalidToken

HEARTBEAT_SECONDS: Final = 20.0
"""Interval of heartbeats, which detect closed connections."""
MAX_OPEN: Final = 5000
"""Open streams of one process, of 13 kB each."""
MAX_OPEN_PER_SUBJECT: Final = 100
"""Open streams of one subject."""
_RETRY: Final = b"retry: 3000\n\n"
_HEARTBEAT: Final = b": here\n\n"


class Events:
    """Streams of events, which end with their session or the process."""

    def __init__(self, site: Site, stopping: asyncio.Event) -> None:
        self._site = site
        self._stopping = stopping
        self._openings = Openings(most=MAX_OPEN, each=MAX_OPEN_PER_SUBJECT)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/api/events", self._stream)]

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        with self._openings.acquire(request[SESSION].claims) as acquired:
            if not acquired:
                # The page falls back to polling.
                raise web.HTTPServiceUnavailable
            return await self._send_events(request)

    async def _send_events(self, request: web.Request) -> web.StreamResponse:
        session = request[SESSION]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(_RETRY)
        with self._site.news.subscribe() as listener:
            while True:
                changed = await listener.wait(HEARTBEAT_SECONDS)
                if self._stopping.is_set() or not await self._is_valid(session):
                    return response
                kinds = " ".join(sorted(changed))
                await response.write(
                    f"event: records\ndata: {kinds}\n\n".encode() if kinds else _HEARTBEAT
                )
                await asyncio.sleep(COALESCE_SECONDS)

    async def _is_valid(self, session: Session) -> bool:
        """Whether the session is valid; it may have been ended or its token revoked meanwhile."""
        try:
            await self._site.sessions.verify(session.token)
        except InvalidToken:
            return False
        return True
