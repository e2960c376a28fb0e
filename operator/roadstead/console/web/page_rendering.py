"""Renders pages from HTML templates, which escape every value, and serves the static files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from roadstead.clocks import utc_now
from roadstead.console.web import formatting

_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_IMMUTABLE: Final = "public, max-age=31536000, immutable"


class Statics:
    """The static files, read once; their digest is in their URLs."""

    def __init__(self) -> None:
        self._files = {
            entry.name: entry.read_bytes()
            for entry in files("roadstead.console").joinpath("static").iterdir()
            if entry.name.rpartition(".")[2] in _TYPES
        }
        parts = b"".join(name.encode() + data for name, data in sorted(self._files.items()))
        self.version = hashlib.sha256(parts).hexdigest()[:12]

    def url(self, name: str) -> str:
        """Return the URL of a file; the content at this URL never changes."""
        return f"/static/{self.version}/{name}"

    def get(self, name: str) -> tuple[bytes, str] | None:
        """Return content and media type; None if there is no such file."""
        data = self._files.get(name)
        return None if data is None else (data, _TYPES[name.rpartition(".")[2]])


class Pages:
    """Renders templates."""

    def __init__(self, statics: Statics) -> None:
        self._environment = Environment(
            loader=PackageLoader("roadstead.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["static"] = statics.url
        for name in (
            *("memory", "size", "cores", "speed", "parameters", "number", "share", "when"),
            *("exact", "host", "reason_text"),
        ):
            self._environment.filters[name] = getattr(formatting, name)

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """Render a page; `now` is the current time by default."""
        now = utc_now()
        return self._environment.get_template(name).render({"now": now, **values})


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
