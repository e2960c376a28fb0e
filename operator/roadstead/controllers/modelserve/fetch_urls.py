"""Writes and renews the presigned URLs that pods fetch their model with, in a Secret per server."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import datetime
from typing import Final, Protocol

from roadstead.api.model import StoreLocation
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.authorities import SYSTEM_AUTHORITIES, Authorities
from roadstead.clocks import Clock
from roadstead.controllers.object_access import ObjectWriter
from roadstead.errors import KubeConflict, KubeNotFound
from roadstead.kube.kube_client import Object
from roadstead.kube.ownership import belongs, intact, name_taken_error
from roadstead.kube.resources import SECRETS
from roadstead.manifests import names
from roadstead.manifests.digest import digest_of
from roadstead.manifests.modelserve_manifests import fetch_expiry, fetch_secret, is_encrypted
from roadstead.manifests.rendering import Manifest


class UrlSigner(Protocol):
    """The methods of the store client that sign URLs."""

    async def presigned_get(self, location: StoreLocation, expires: datetime.timedelta) -> str:
        """A URL that reads one object and expires after `expires`."""

    def signed(self, url: str, location: StoreLocation) -> bool:
        """Whether a URL of this object is signed with the current keys."""


SECRET_CHECK_SECONDS: Final = 25.0
"""How often a Secret is read while a pod may wait for it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Known:
    """A Secret, written or read at `seen`; its URL is renewed when `due`."""

    uid: str
    location: StoreLocation
    due: datetime.datetime
    seen: datetime.datetime

    def is_current(self, location: StoreLocation, now: datetime.datetime, *, needed: bool) -> bool:
        """Whether the Secret need not be read again."""
        if location != self.location or self.due <= now:
            return False
        return not needed or (now - self.seen).total_seconds() < SECRET_CHECK_SECONDS


def url_of(secret: Raw) -> str:
    """The URL in a fetch Secret; "" if it is missing or not base64."""
    try:
        return base64.b64decode(section(secret, "data").get("url", ""), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _is_unchanged(manifest: Raw, observed: Raw) -> bool:
    return digest_of(observed) == digest_of(manifest) and intact(manifest, observed)


@dataclasses.dataclass(kw_only=True)
class FetchUrls:
    """Writes the Secret of a server whose pods wait, and renews its URL at half its lifetime.

    Secrets are not watched, since that would require access to all Secrets of the cluster. A Secret
    is remembered when it is written, and read after a restart and while a pod may wait for it.
    """

    client: ObjectWriter
    store: UrlSigner
    lifetime: datetime.timedelta
    clock: Clock
    authorities: Authorities = SYSTEM_AUTHORITIES
    """The file of these is copied into the Secrets."""
    _known: dict[str, _Known] = dataclasses.field(default_factory=dict)

    async def ensure(self, serve: ModelServe, location: StoreLocation, *, needed: bool) -> float:
        """Ensure that the Secret has a valid URL; returns seconds until the next check.

        Called only for a server whose pods wait for the Secret or soon will; `needed` is true if
        one waits now. Raises NameTaken if another owner's Secret has the name.
        """
        now = self.clock()
        known = self._known.get(serve.meta.uid)
        if known is None or not known.is_current(location, now, needed=needed):
            known = await self._write(serve, location, now)
            self._known[serve.meta.uid] = known
        left = (known.due - now).total_seconds()
        return max(1.0, min(left, SECRET_CHECK_SECONDS) if needed else left)

    def forget(self, uid: str) -> None:
        """Forget a deleted server."""
        self._known.pop(uid, None)

    async def _write(
        self, serve: ModelServe, location: StoreLocation, now: datetime.datetime
    ) -> _Known:
        if not serve.status:
            # Never reconciled before, so there is most likely no Secret to read.
            with contextlib.suppress(KubeConflict):
                return await self._create(serve, location, now)
        observed = await self._read(serve)
        if observed is None:
            return await self._create(serve, location, now)
        manifest = fetch_secret(serve, "", now, authorities=self._pem(location))
        if not self._owns(serve, observed):
            raise name_taken_error(manifest, observed)
        expires = fetch_expiry(observed)
        signed = self.store.signed(url_of(observed), location)
        valid = _is_unchanged(manifest, observed) and signed
        if valid and expires and self.lifetime / 2 < expires - now <= self.lifetime:
            return self._as_known(observed, location, now, expires)
        written = await self.client.apply(SECRETS, await self._render(serve, location, now))
        return self._as_known(written, location, now, now + self.lifetime)

    async def _create(
        self, serve: ModelServe, location: StoreLocation, now: datetime.datetime
    ) -> _Known:
        written = await self.client.create(SECRETS, await self._render(serve, location, now))
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

    async def _render(
        self, serve: ModelServe, location: StoreLocation, now: datetime.datetime
    ) -> Manifest:
        url = await self.store.presigned_get(location, self.lifetime)
        expires = now + self.lifetime
        return fetch_secret(serve, url, expires, authorities=self._pem(location))

    def _pem(self, location: StoreLocation) -> str:
        return self.authorities.pem() if is_encrypted(location) else ""

    async def _read(self, serve: ModelServe) -> Object | None:
        try:
            name = names.fetch_secret_name(serve)
            return await self.client.get(SECRETS, name, serve.meta.namespace)
        except KubeNotFound:
            return None
