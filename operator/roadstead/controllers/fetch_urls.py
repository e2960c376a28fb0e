"""The presigned URLs that pods fetch their model by, kept fresh in one Secret per server."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Protocol

from roadstead.api.location import StoreLocation
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.errors import KubeConflict, KubeNotFound
from roadstead.kube.client import Object
from roadstead.kube.resources import SECRETS, Resource
from roadstead.manifests import names
from roadstead.manifests.digest import digest_of
from roadstead.manifests.modelserve import fetch_expiry, fetch_secret


class UrlSigner(Protocol):
    """The part of the store that signs."""

    async def presigned_get(self, location: StoreLocation, expires: datetime.timedelta) -> str:
        """A URL that reads the one object until `expires` from now."""


class SecretWriter(Protocol):
    """The part of the API client that Secrets need."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create; KubeConflict if it is there."""

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Server-side apply."""


@dataclasses.dataclass(kw_only=True)
class FetchUrls:
    """Writes a server's Secret when there is none, and renews its URL at half its lifetime.

    Secrets are not watched: that would hand the operator every Secret of the cluster. It remembers
    what it wrote, and after a restart reads each once.
    """

    client: SecretWriter
    store: UrlSigner
    lifetime: datetime.timedelta
    clock: Callable[[], datetime.datetime]
    _renew_at: dict[str, datetime.datetime] = dataclasses.field(default_factory=dict)

    async def bring(self, serve: ModelServe, location: StoreLocation) -> float:
        """See to it that the Secret's URL is fresh; seconds until it has to be renewed."""
        now = self.clock()
        due = self._renew_at.get(serve.meta.uid)
        if due is None or due <= now:
            due = await self._bring(serve, location, now)
            self._renew_at[serve.meta.uid] = due
        return max(1.0, (due - now).total_seconds())

    def forget(self, uid: str) -> None:
        """Forget a server that is gone."""
        self._renew_at.pop(uid, None)

    async def _bring(
        self, serve: ModelServe, location: StoreLocation, now: datetime.datetime
    ) -> datetime.datetime:
        expires = now + self.lifetime
        observed = await self._observed(serve)
        current = fetch_expiry(observed) if observed else None
        same = observed and digest_of(observed) == digest_of(fetch_secret(serve, "", expires))
        if same and current and current - self.lifetime / 2 > now:
            return current - self.lifetime / 2
        url = await self.store.presigned_get(location, self.lifetime)
        manifest = fetch_secret(serve, url, expires)
        try:
            if observed:
                await self.client.apply(SECRETS, manifest)
            else:
                await self.client.create(SECRETS, manifest)
        except KubeConflict:
            await self.client.apply(SECRETS, manifest)
        return now + self.lifetime / 2

    async def _observed(self, serve: ModelServe) -> Object | None:
        try:
            name = names.fetch_secret_name(serve)
            return await self.client.get(SECRETS, name, serve.meta.namespace)
        except KubeNotFound:
            return None
