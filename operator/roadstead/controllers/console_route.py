"""Writes the console's route: only the operator may write routes of the gateway."""

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
    """The methods of the API client that this module uses."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; raises KubeNotFound if it does not exist."""
        ...

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Apply an object (server-side apply)."""
        ...


class ConsoleRoute:
    """The route to the Service of the console, which the chart creates."""

    def __init__(
        self, client: RouteClient, routing: Routing, *, service: str, namespace: str
    ) -> None:
        self._client = client
        self._routing = routing
        self._service = service
        self._namespace = namespace

    async def run(self) -> None:
        """Apply the route periodically until cancelled; errors are logged."""
        while True:
            try:
                if await self.apply():
                    logger.info(
                        "applied the console's route at %s/",
                        self._routing.console_url or self._routing.url,
                    )
            except KubeError as error:
                logger.warning("cannot apply the console's route: %s", error)
            await asyncio.sleep(ROUTE_CHECK_SECONDS)

    async def apply(self) -> bool:
        """Apply the route if it is missing or differs; returns whether it was applied."""
        try:
            service = await self._client.get(SERVICES, self._service, self._namespace)
        except KubeNotFound:
            return False
        route = console_route(service, self._routing)
        if _is_current(await self._read(route), route):
            return False
        await self._client.apply(resource_of(route), route)
        return True

    async def _read(self, route: Raw) -> Raw:
        try:
            return await self._client.get(resource_of(route), self._service, self._namespace)
        except KubeNotFound:
            return {}


def _is_current(found: Raw, route: Raw) -> bool:
    """Whether it is ours and unchanged, apart from defaults that the API server adds."""
    return digest_of(found) == digest_of(route) and _contains(
        section(found, "spec"), section(route, "spec")
    )


def _contains(found: object, wanted: object) -> bool:
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            _contains(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(map(_contains, found, wanted))
        )
    return found == wanted
