"""`/api/events`: one open page hears what has changed (server-sent events, WHATWG)."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from aiohttp import web

from roadstead.console.live import COALESCE_SECONDS
from roadstead.console.site import SESSION, Site

HEARTBEAT_SECONDS: Final = 20.0
"""A connection that nobody is at any more is noticed when something is sent."""


class Events:
    """Streams that end with their session, or with the process."""

    def __init__(self, site: Site, stopping: asyncio.Event) -> None:
        self._site = site
        self._stopping = stopping

    def routes(self) -> list[web.RouteDef]:
        """For an aiohttp application."""
        return [web.get("/api/events", self._stream)]

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        until = request[SESSION].claims.expires_at
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 3000\n\n")
        with self._site.news.listening() as listener:
            while not self._stopping.is_set() and time.time() < until:
                changed = await listener.changed(HEARTBEAT_SECONDS)
                words = " ".join(sorted(changed))
                await response.write(
                    f"event: records\ndata: {words}\n\n".encode() if words else b": here\n\n"
                )
                await asyncio.sleep(COALESCE_SECONDS)
        return response
