"""Keeps the console's route: only the operator may write what the gateway reads."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from roadstead.api.raw import Raw, section
from roadstead.errors import KubeError, KubeNotFound
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import SERVICES, Resource, resource_of
from roadstead.manifests.console import console_route
from roadstead.manifests.digest import digest_of
from roadstead.manifests.gateway import Routing

logger = logging.getLogger(__name__)

ROUTE_CHECK_SECONDS: Final = 15.0


class RouteClient(Protocol):
    """The part of the API client that reads and applies."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""
        ...

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Server-side apply."""
        ...


class ConsoleRoute:
    """The route to the Service of the console, which the chart makes."""

    def __init__(
        self, client: RouteClient, routing: Routing, *, service: str, namespace: str
    ) -> None:
        self._client = client
        self._routing = routing
        self._service = service
        self._namespace = namespace

    async def run(self) -> None:
        """Look now and then until cancelled; no error ends it."""
        while True:
            try:
                if await self.apply():
                    logger.info(
                        "the console is routed at %s/",
                        self._routing.console_url or self._routing.url,
                    )
            except KubeError as error:
                logger.warning("the console's route can't be written: %s", error)
            await asyncio.sleep(ROUTE_CHECK_SECONDS)

    async def apply(self) -> bool:
        """Write the route unless it is there as it should be; whether it was written."""
        try:
            service = await self._client.get(SERVICES, self._service, self._namespace)
        except KubeNotFound:
            return False
        route = console_route(service, self._routing)
        if _same(await self._found(route), route):
            return False
        await self._client.apply(resource_of(route), route)
        return True

    async def _found(self, route: Raw) -> Raw:
        try:
            return await self._client.get(resource_of(route), self._service, self._namespace)
        except KubeNotFound:
            return {}


def _same(found: Raw, route: Raw) -> bool:
    """Whether it is ours and nobody has changed it; defaults are filled in beside what is set."""
    return digest_of(found) == digest_of(route) and _holds(
        section(found, "spec"), section(route, "spec")
    )


def _holds(found: object, wanted: object) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            _holds(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(map(_holds, found, wanted))
        )
    return found == wanted
