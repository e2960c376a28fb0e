"""Sessions that were ended: written where all who verify tokens read what is revoked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from roadstead.api.raw import Raw, section
from roadstead.errors import KubeConflict, KubeNotFound
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import CONFIGMAPS, Resource
from roadstead.tokens.claims import Claims
from roadstead.tokens.ended_sessions import EndedSessions

REVOCATION_WRITE_ATTEMPTS: Final = 8


class ConfigMaps(Protocol):
    """The part of the API client that reads and writes one ConfigMap."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """As it is."""
        ...

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Merge patch; a resourceVersion in it makes it conditional."""
        ...


class SignedOut:
    """The list in the ConfigMap `name`; `told` gets the object as it was written.

    An entry is kept as long as its token would hold, `leeway` seconds of other clocks included.
    """

    def __init__(
        self,
        client: ConfigMaps,
        *,
        namespace: str,
        name: str,
        leeway: int,
        told: Callable[[Resource, Raw], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._leeway = leeway
        self._told = told
        self._clock = clock

    async def add(self, claims: Claims) -> None:
        """Remember that this session has ended. Raises KubeError or SignOutRefused."""
        for attempt in range(REVOCATION_WRITE_ATTEMPTS):
            try:
                await self._add(claims)
                return
            except KubeConflict:
                if attempt == REVOCATION_WRITE_ATTEMPTS - 1:
                    raise

    async def _add(self, claims: Claims) -> None:
        raw = await self._client.get(CONFIGMAPS, self._name, self._namespace)
        ended = EndedSessions.parse(section(raw, "data"), now=int(self._clock()))
        body = {
            "metadata": {"resourceVersion": section(raw, "metadata").get("resourceVersion")},
            "data": ended.add(claims, until=claims.expires_at + self._leeway).data(),
        }
        try:
            found = await self._client.patch(
                CONFIGMAPS, self._name, body, namespace=self._namespace
            )
        except KubeNotFound:
            # Deleted this moment: it is read again, and said to be missing.
            raise KubeConflict("the ConfigMap of revoked tokens went away", status=409) from None
        # The watch would tell of it a moment later; this process refuses it from now on.
        self._told(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", **found})
