"""The pages, and their data as JSON under /api."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Final, cast

from aiohttp import web

from roadstead.api.object_names import UUID
from roadstead.clocks import utc_now
from roadstead.console.data import past, questions
from roadstead.console.data.allowances import allowances, per_server
from roadstead.console.data.questions import Row, ServerFilter, ServerSort
from roadstead.console.web import usage_graphs
from roadstead.console.web.site import SESSION, Site, json_answer
from roadstead.console.web.timeline import timeline
from roadstead.tokens.sessions import origin_of

STATUSES: Final = ("Ready", "Pending", "Failed", "Stopped")
_SORTS: Final = ("name", "memory", "cpu", "updated")


class PageViews:
    """Pages and JSON, limited to what the user may see."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/", _home),
            web.get("/servers", self._servers_page),
            web.get(f"/servers/{{uuid:{UUID}}}", self._server_page),
            web.get(f"/servers/{{uuid:{UUID}}}/chat", self._chat_page),
            web.get(f"/{{uuid:{UUID}}}", self._chat_page),
            web.get(f"/{{uuid:{UUID}}}/", self._chat_page),
            web.get("/models", self._models_page),
            web.get("/contracts", self._contracts_page),
            web.get("/api/me", self._me),
            web.get("/api/servers", self._servers_json),
            web.get(f"/api/servers/{{uuid:{UUID}}}", self._server_json),
            web.get(f"/api/servers/{{uuid:{UUID}}}/usage", self._usage_json),
            web.get("/api/models", self._models_json),
            web.get("/api/contracts", self._contracts_json),
        ]

    async def _servers(self, request: web.Request) -> dict[str, Any]:
        wanted = _filter(request)
        coverage, _ = await self._site.coverage(request[SESSION])
        listed = await questions.servers(self._site.ledger, coverage, wanted)
        return {"listed": listed, "wanted": wanted, "statuses": STATUSES}

    async def _servers_page(self, request: web.Request) -> web.Response:
        return self._site.page(request, "servers.html", **await self._servers(request))

    async def _servers_json(self, request: web.Request) -> web.Response:
        listed = (await self._servers(request))["listed"]
        return json_answer({**vars(listed)})

    async def _server(self, request: web.Request) -> Row:
        coverage, _ = await self._site.coverage(request[SESSION])
        found = await questions.server(self._site.ledger, coverage, request.match_info["uuid"])
        if found is None:
            raise web.HTTPNotFound
        now = utc_now()
        violation = coverage.violation(found["namespace"], found["contract"], now)
        usable = not self._site.settings.contracts or violation is None
        return {**found, "usable": usable, "open_url": self._open_url(found)}

    def _open_url(self, server: Row) -> str:
        """Return the URL for chatting in a browser; empty without the gateway."""
        settings, url = self._site.settings, str(server["gateway_url"])
        if not url.startswith(f"{origin_of(settings.servers.url)}/"):
            return ""
        at_address = settings.at_addresses and not settings.servers.separate
        return url if at_address else f"/servers/{server['server_uuid']}/chat"

    async def _server_page(self, request: web.Request) -> web.Response:
        row = await self._server(request)
        ledger, identity = self._site.ledger, row["server_uuid"]
        window = usage_graphs.window(request.query.get("hours", ""))
        samples = await past.usage(ledger, identity, since=window.since, until=window.until)
        return self._site.page(
            request,
            "server.html",
            server=row,
            window=window,
            graphs=usage_graphs.graphs(row, samples, window),
            events=timeline(
                await past.history(ledger, identity),
                await past.admissions(
                    ledger, row["namespace"], row["name"], since=row["created_at"] - _ADMISSION_LEAD
                ),
            ),
            origin=self._site.settings.servers.url,
        )

    async def _server_json(self, request: web.Request) -> web.Response:
        return json_answer(await self._server(request))

    async def _usage_json(self, request: web.Request) -> web.Response:
        row = await self._server(request)
        window = usage_graphs.window(request.query.get("hours", ""))
        samples = await past.usage(
            self._site.ledger, row["server_uuid"], since=window.since, until=window.until
        )
        return json_answer({"since": window.since, "until": window.until, "samples": samples})

    async def _chat_page(self, request: web.Request) -> web.Response:
        row = await self._server(request)
        prefix = "/api/servers" if self._site.settings.servers.separate else ""
        chat_url = f"{prefix}/{row['server_uuid']}"
        return self._site.page(request, "chat.html", server=row, chat_url=chat_url)

    async def _models(self, request: web.Request) -> Sequence[Row]:
        coverage, _ = await self._site.coverage(request[SESSION])
        text = _search_text(request)
        rows = await questions.models(self._site.ledger, coverage, text=text)
        servers = await questions.servers_by_model(self._site.ledger, coverage)
        return [{**row, "used_by": servers.get(row["model_name"], [])} for row in rows]

    async def _models_page(self, request: web.Request) -> web.Response:
        return self._site.page(
            request,
            "models.html",
            models=await self._models(request),
            text=_search_text(request),
        )

    async def _models_json(self, request: web.Request) -> web.Response:
        return json_answer({"rows": await self._models(request)})

    async def _contracts(self, request: web.Request) -> list[Row]:
        _, rows = await self._site.coverage(request[SESSION])
        return [
            {**row, "allowances": allowances(row), "per_server": per_server(row)} for row in rows
        ]

    async def _contracts_page(self, request: web.Request) -> web.Response:
        return self._site.page(request, "contracts.html", contracts=await self._contracts(request))

    async def _contracts_json(self, request: web.Request) -> web.Response:
        rows = await self._contracts(request)
        return json_answer(
            {"rows": [{**row, "allowances": [vars(a) for a in row["allowances"]]} for row in rows]}
        )

    async def _me(self, request: web.Request) -> web.Response:
        session = request[SESSION]
        claims = session.claims
        return json_answer(
            {
                "subject": claims.subject,
                "groups": sorted(claims.groups),
                "admin": session.admin,
                "expires_at": datetime.datetime.fromtimestamp(claims.expires_at, datetime.UTC),
            }
        )


_ADMISSION_LEAD: Final = datetime.timedelta(minutes=1)
"""Admission decides a creation before the object exists."""


async def _home(_: web.Request) -> web.Response:
    return web.Response(status=303, headers={"Location": "/servers"})


def _filter(request: web.Request) -> ServerFilter:
    """Parse the query; invalid values are ignored."""
    query = request.query
    status, sort, page = query.get("status", ""), query.get("sort", "name"), query.get("page", "1")
    return ServerFilter(
        text=_search_text(request),
        status=status if status in STATUSES else "",
        sort=cast(ServerSort, sort) if sort in _SORTS else "name",
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _search_text(request: web.Request) -> str:
    """Return the search text, without NUL, which Postgres refuses."""
    return request.query.get("q", "")[:200].replace("\x00", "")
