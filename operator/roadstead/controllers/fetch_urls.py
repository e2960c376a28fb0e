"""The presigned URLs that pods fetch their model by, kept fresh in one Secret per server."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import datetime
from collections.abc import Callable
from typing import Final, Protocol

from roadstead.api.location import StoreLocation
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.errors import KubeConflict, KubeNotFound
from roadstead.kube.kube_client import Object
from roadstead.kube.ownership import belongs, intact, taken
from roadstead.kube.resources import SECRETS, Resource
from roadstead.manifests import names
from roadstead.manifests.digest import digest_of
from roadstead.manifests.modelserve_manifests import fetch_expiry, fetch_secret
from roadstead.manifests.rendering import Manifest


class UrlSigner(Protocol):
    """The part of the store that signs."""

    async def presigned_get(self, location: StoreLocation, expires: datetime.timedelta) -> str:
        """A URL that reads the one object until `expires` from now."""

    def signed(self, url: str, location: StoreLocation) -> bool:
        """Whether a URL of this object is one by the keys as they are now."""


class SecretWriter(Protocol):
    """The part of the API client that Secrets need."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""

    async def create(self, resource: Resource, body: Raw) -> Object:
        """Create; KubeConflict if it is there."""

    async def apply(self, resource: Resource, body: Raw) -> Object:
        """Server-side apply."""


SECRET_CHECK_SECONDS: Final = 25.0
"""How often a Secret that a pod may be waiting for is read."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Known:
    """A Secret as it was written or read at `seen`, to be renewed when `due`."""

    uid: str
    location: StoreLocation
    due: datetime.datetime
    seen: datetime.datetime

    def holds(self, location: StoreLocation, now: datetime.datetime, *, needed: bool) -> bool:
        """Whether it need not be read again."""
        if location != self.location or self.due <= now:
            return False
        return not needed or (now - self.seen).total_seconds() < SECRET_CHECK_SECONDS


def url_of(secret: Raw) -> str:
    """The URL in a fetch Secret; "" for what is none."""
    try:
        return base64.b64decode(section(secret, "data").get("url", ""), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _as_written(manifest: Raw, observed: Raw) -> bool:
    return digest_of(observed) == digest_of(manifest) and intact(manifest, observed)


@dataclasses.dataclass(kw_only=True)
class FetchUrls:
    """Writes the Secret of a server whose pods wait, and renews its URL at half its lifetime.

    Secrets are not watched: that would hand the operator every Secret of the cluster. It remembers
    what it wrote, and reads each again after a restart and, now and then, where a pod may be
    waiting for it.
    """

    client: SecretWriter
    store: UrlSigner
    lifetime: datetime.timedelta
    clock: Callable[[], datetime.datetime]
    _known: dict[str, _Known] = dataclasses.field(default_factory=dict)

    async def ensure(self, serve: ModelServe, location: StoreLocation, *, needed: bool) -> float:
        """See to it that the Secret opens the model; seconds until to look again.

        To be called only for a server whose pods wait for it or are about to; `needed` says that
        one waits now. Raises NameTaken where the Secret's name is that of somebody else's.
        """
        now = self.clock()
        known = self._known.get(serve.meta.uid)
        if known is None or not known.holds(location, now, needed=needed):
            known = await self._bring(serve, location, now)
            self._known[serve.meta.uid] = known
        left = (known.due - now).total_seconds()
        return max(1.0, min(left, SECRET_CHECK_SECONDS) if needed else left)

    def forget(self, uid: str) -> None:
        """Forget a server that is gone."""
        self._known.pop(uid, None)

    async def _bring(
        self, serve: ModelServe, location: StoreLocation, now: datetime.datetime
    ) -> _Known:
        if not serve.status:
            # Never looked at before: there is hardly one to read first.
            with contextlib.suppress(KubeConflict):
                return await self._create(serve, location, now)
        observed = await self._observed(serve)
        if observed is None:
            return await self._create(serve, location, now)
        manifest = fetch_secret(serve, "", now)
        if not self._owns(serve, observed):
            raise taken(manifest, observed)
        expires = fetch_expiry(observed)
        good = _as_written(manifest, observed) and self.store.signed(url_of(observed), location)
        if good and expires and self.lifetime / 2 < expires - now <= self.lifetime:
            return self._as_known(observed, location, now, expires)
        written = await self.client.apply(SECRETS, await self._made(serve, location, now))
        return self._as_known(written, location, now, now + self.lifetime)

    async def _create(
        self, serve: ModelServe, location: StoreLocation, now: datetime.datetime
    ) -> _Known:
        written = await self.client.create(SECRETS, await self._made(serve, location, now))
        return self._as_known(written, location, now, now + self.lifetime)

    def _as_known(
        self,
        secret: Raw,
        location: StoreLocation,
        now: datetime.datetime,
        expires: datetime.datetime,
    ) -> _Known:
        uid, due = secret["metadata"]["uid"], expires - self.lifetime / 2
        return _Known(uid=uid, location=location, due=due, seen=now)

    def _owns(self, serve: ModelServe, observed: Raw) -> bool:
        known = self._known.get(serve.meta.uid)
        same = known is not None and known.uid == observed["metadata"]["uid"]
        return same or belongs(observed, serve.meta.uid)

    async def _made(
        self, serve: ModelServe, location: StoreLocation, now: datetime.datetime
    ) -> Manifest:
        url = await self.store.presigned_get(location, self.lifetime)
        return fetch_secret(serve, url, now + self.lifetime)

    async def _observed(self, serve: ModelServe) -> Object | None:
        try:
            name = names.fetch_secret_name(serve)
            return await self.client.get(SECRETS, name, serve.meta.namespace)
        except KubeNotFound:
            return None
