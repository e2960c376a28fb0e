"""`/api/events`: one open page hears what has changed (server-sent events, WHATWG)."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from roadstead.console.console_sessions import Session
from roadstead.console.live import COALESCE_SECONDS
from roadstead.console.openings import Openings
from roadstead.console.site import SESSION, Site
from roadstead.errors import InvalidToken

HEARTBEAT_SECONDS: Final = 20.0
"""A connection that nobody is at any more is noticed when something is sent."""
MAX_OPEN: Final = 5000
"""Of one process: 13 kB each."""
MAX_OF_ONE: Final = 100
"""Of one subject."""
_HELLO: Final = b"retry: 3000\n\n"
_HERE: Final = b": here\n\n"


class Events:
    """Streams that end with their session, or with the process."""

    def __init__(self, site: Site, stopping: asyncio.Event) -> None:
        self._site = site
        self._stopping = stopping
        self._openings = Openings(most=MAX_OPEN, each=MAX_OF_ONE)

    def routes(self) -> list[web.RouteDef]:
        """For an aiohttp application."""
        return [web.get("/api/events", self._stream)]

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        with self._openings.taking(request[SESSION].claims) as taken:
            if not taken:
                # The page goes on by looking again by itself.
                raise web.HTTPServiceUnavailable
            return await self._told(request)

    async def _told(self, request: web.Request) -> web.StreamResponse:
        session = request[SESSION]
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(_HELLO)
        with self._site.news.listening() as listener:
            while True:
                changed = await listener.changed(HEARTBEAT_SECONDS)
                if self._stopping.is_set() or not await self._holds(session):
                    return response
                words = " ".join(sorted(changed))
                await response.write(
                    f"event: records\ndata: {words}\n\n".encode() if words else _HERE
                )
                await asyncio.sleep(COALESCE_SECONDS)

    async def _holds(self, session: Session) -> bool:
        """Asked each time: it may have been ended, or its subject revoked."""
        try:
            await self._site.sessions.verified(session.token)
        except InvalidToken:
            return False
        return True
