"""An API server with Namespaces only, whose responses to watches follow a script."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestServer

PATH: Final = "/api/v1/namespaces"
KIND: Final = {
    "name": "namespaces",
    "singularName": "namespace",
    "kind": "Namespace",
    "namespaced": False,
    "verbs": ["list", "watch"],
}
DISCOVERY: Final = {
    "/api": {"versions": ["v1"]},
    "/apis": {"groups": []},
    "/api/v1": {"groupVersion": "v1", "resources": [KIND]},
}

Raw = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Watch:
    """One watch, as a step of the script sees it."""

    api: ScriptedApi
    request: web.Request

    async def stream(self, *lines: bytes | Raw) -> web.StreamResponse:
        """Send these lines or events; the response stays open until the step ends."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(self.request)
        for line in lines:
            await response.write(line if isinstance(line, bytes) else json.dumps(line).encode())
            await response.write(b"\n")
        return response


Step = Callable[[Watch], Awaitable[web.StreamResponse]]
"""Answers one watch."""


class ScriptedApi:
    """The objects, the version, the script, and what was requested.

    Each watch takes one step of the script; without any it gets all changes.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Raw] = {}
        self.version = 10
        self.script: list[Step] = []
        self.broken_lists = 0
        """How many lists are answered with HTML."""
        self.lists = 0
        """How many lists returned the objects."""
        self.watched_from: list[int] = []
        """The version of each watch."""
        self._events: list[Raw] = []
        self._changed = asyncio.Condition()

    async def put(self, name: str) -> None:
        """Create or change an object."""
        self.version += 1
        kind = "MODIFIED" if name in self.objects else "ADDED"
        meta = {"name": name, "uid": f"uid-{name}", "resourceVersion": str(self.version)}
        self.objects[name] = {"metadata": meta}
        await self._notify(kind, self.objects[name])

    async def delete(self, name: str) -> None:
        """Delete an object."""
        self.version += 1
        meta = self.objects.pop(name)["metadata"] | {"resourceVersion": str(self.version)}
        await self._notify("DELETED", {"metadata": meta})

    def restore(self, version: int, *names: str) -> None:
        """Go back to a version at which these objects existed."""
        self.version = version
        self._events.clear()
        self.objects = {
            name: {"metadata": {"name": name, "uid": f"uid-{name}", "resourceVersion": "1"}}
            for name in names
        }

    def forget_events(self) -> None:
        """Discard all events: only a list shows the changes."""
        self._events.clear()

    async def _notify(self, kind: str, raw: Raw) -> None:
        async with self._changed:
            self._events.append({"type": kind, "object": raw})
            self._changed.notify_all()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle one request."""
        if request.path != PATH:
            found = DISCOVERY.get(request.path)
            return web.json_response(found) if found else web.Response(status=404)
        if "watch" not in request.query:
            return self._list(request)
        watch = Watch(self, request)
        self.watched_from.append(int(request.query["resourceVersion"]))
        return await (self.script.pop(0) if self.script else self.follow)(watch)

    def _list(self, request: web.Request) -> web.Response:
        items: list[Raw] = []
        if "fieldSelector" not in request.query:
            if self.broken_lists:
                self.broken_lists -= 1
                return web.Response(text="<html>")
            items = list(self.objects.values())
            self.lists += request.query.get("limit") != "1"
        meta = {"resourceVersion": str(self.version)}
        return web.json_response({"metadata": meta, "items": items})

    async def follow(self, watch: Watch) -> web.StreamResponse:
        """Send the changes since the requested version, until the client disconnects."""
        last = int(watch.request.query["resourceVersion"])
        response = await watch.stream()
        while True:
            for event in self._events:
                version = int(event["object"]["metadata"]["resourceVersion"])
                if version > last:
                    last = version
                    await response.write(json.dumps(event).encode() + b"\n")
            async with self._changed:
                await self._changed.wait()


@contextlib.asynccontextmanager
async def scripted_api(folder: Path) -> AsyncIterator[tuple[ScriptedApi, Path]]:
    """Run the server; yields it and a kubeconfig for it."""
    api, app = ScriptedApi(), web.Application()
    app.router.add_get("/{path:.*}", api.handle)
    async with TestServer(app, handler_cancellation=True, shutdown_timeout=0.1) as server:
        path = folder / "kubeconfig"
        path.write_text(json.dumps(_kubeconfig(str(server.make_url("")).rstrip("/"))))
        yield api, path


def _kubeconfig(url: str) -> Raw:
    named = {"cluster": "test", "user": "test"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": "t"}}],
        "contexts": [{"name": "test", "context": named}],
    }
