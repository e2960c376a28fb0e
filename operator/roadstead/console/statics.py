"""`/static/<digest>/<name>`: serves the static files from memory."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from roadstead.console.page_rendering import Statics

_IMMUTABLE: Final = "public, max-age=31536000, immutable"


class StaticFiles:
    """Serves static files; clients may cache only URLs with the current digest."""

    def __init__(self, statics: Statics) -> None:
        self._statics = statics

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/static/{version}/{name}", self._file),
            web.get("/favicon.ico", self._icon),
        ]

    async def _file(self, request: web.Request) -> web.Response:
        found = self._statics.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        data, media_type = found
        response = web.Response(body=data, headers={"Content-Type": media_type})
        if request.match_info["version"] == self._statics.version:
            response.headers["Cache-Control"] = _IMMUTABLE
        response.enable_compression()
        return response

    async def _icon(self, _: web.Request) -> web.Response:
        return web.Response(status=303, headers={"Location": self._statics.url("icon.svg")})
