"""`/static/<digest>/<name>`: style sheet, scripts and pictures, from memory."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from roadstead.console.page_rendering import Statics

_FOREVER: Final = "public, max-age=31536000, immutable"


class StaticFiles:
    """Serves them; only what is asked for by the digest of this version may be kept."""

    def __init__(self, statics: Statics) -> None:
        self._statics = statics

    def routes(self) -> list[web.RouteDef]:
        """For an aiohttp application."""
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
            response.headers["Cache-Control"] = _FOREVER
        response.enable_compression()
        return response

    async def _icon(self, _: web.Request) -> web.Response:
        return web.Response(status=303, headers={"Location": self._statics.url("icon.svg")})
