"""Writes the route of a Service of the chart: only the operator may write the gateway's routes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from roadstead.api.raw import Raw, section
from roadstead.controllers.object_access import ObjectApplier
from roadstead.errors import KubeError, KubeNotFound
from roadstead.kube.resources import SERVICES, resource_of
from roadstead.manifests.digest import digest_of
from roadstead.manifests.rendering import Manifest

logger = logging.getLogger(__name__)

ROUTE_CHECK_SECONDS: Final = 15.0


class ServiceRoute:
    """The route of a Service that the chart creates; both have the same name."""

    def __init__(
        self,
        client: ObjectApplier,
        render: Callable[[Raw], Manifest],
        *,
        service: str,
        namespace: str,
    ) -> None:
        self._client = client
        self._render = render
        self._service = service
        self._namespace = namespace

    async def run(self) -> None:
        """Apply the route periodically until cancelled; errors are logged."""
        while True:
            try:
                if await self.apply():
                    logger.info("applied the route of Service %s", self._service)
            except KubeError as error:
                logger.warning("cannot apply the route of Service %s: %s", self._service, error)
            await asyncio.sleep(ROUTE_CHECK_SECONDS)

    async def apply(self) -> bool:
        """Apply the route if it is missing or differs; returns whether it was applied."""
        try:
            service = await self._client.get(SERVICES, self._service, self._namespace)
        except KubeNotFound:
            return False
        route = self._render(service)
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
