"""Writes ended sessions to the ConfigMap of revoked tokens."""

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
    """The methods of the API client that read and write a ConfigMap."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Read the object."""
        ...

    async def patch(
        self, resource: Resource, name: str, body: Raw, *, namespace: str = ""
    ) -> Object:
        """Apply a merge patch; with a resourceVersion it is conditional."""
        ...


class SignedOut:
    """The list of ended sessions in the ConfigMap `name`; `on_write` gets the written object.

    An entry is kept until its token expires, plus `leeway` seconds for clock skew.
    """

    def __init__(
        self,
        client: ConfigMaps,
        *,
        namespace: str,
        name: str,
        leeway: int,
        on_write: Callable[[Resource, Raw], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._leeway = leeway
        self._on_write = on_write
        self._clock = clock

    async def add(self, claims: Claims) -> None:
        """Add an ended session. Raises KubeError or SignOutRefused."""
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
            # It was deleted since the read: the next attempt reports that it is missing.
            raise KubeConflict("the ConfigMap of revoked tokens was deleted", status=409) from None
        # This process refuses the token at once, without waiting for the watch.
        self._on_write(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", **found})
