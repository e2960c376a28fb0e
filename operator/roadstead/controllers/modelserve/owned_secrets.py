"""Secrets of servers whose content the operator knows: created, corrected, never adopted."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable

from roadstead.api.raw import Raw, section
from roadstead.clocks import Stopwatch
from roadstead.controllers.modelserve.fetch_urls import SECRET_CHECK_SECONDS
from roadstead.controllers.object_access import ObjectWriter
from roadstead.errors import KubeConflict, KubeNotFound
from roadstead.kube.ownership import belongs, intact, name_taken_error
from roadstead.kube.resources import SECRETS
from roadstead.manifests.digest import digest_of
from roadstead.manifests.rendering import Manifest


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Known:
    """A Secret that was written or read at `seen`, and the version of its content."""

    uid: str
    version: str
    seen: float

    def is_current(self, version: str, now: float, *, needed: bool) -> bool:
        """Whether the Secret need not be read again."""
        same = version == self.version
        return same and (not needed or now - self.seen < SECRET_CHECK_SECONDS)


@dataclasses.dataclass(kw_only=True)
class OwnedSecrets:
    """Writes a Secret once for each version, and reads it again while a pod may wait for it.

    Secrets are not watched, since that would require access to all Secrets of the cluster.
    """

    client: ObjectWriter
    clock: Stopwatch
    _known: dict[str, dict[str, _Known]] = dataclasses.field(default_factory=dict)
    """By the UUID of the server and the name of the Secret."""

    async def ensure(
        self,
        server_uuid: str,
        name: str,
        make: Callable[[], Manifest],
        *,
        version: str,
        needed: bool,
    ) -> None:
        """Ensure that the Secret is as `make` returns it.

        `version` identifies the content; `needed` is true if a pod may wait for the Secret. Raises
        NameTaken if another owner's Secret has the name.
        """
        now, known = self.clock(), self._known.setdefault(server_uuid, {}).get(name)
        if known is not None and known.is_current(version, now, needed=needed):
            return
        secret = await self._write(server_uuid, make(), known)
        uid = secret["metadata"]["uid"]
        self._known[server_uuid][name] = _Known(uid=uid, version=version, seen=now)

    def forget(self, server_uuid: str) -> None:
        """Forget the Secrets of a deleted server."""
        self._known.pop(server_uuid, None)

    async def _write(self, server_uuid: str, manifest: Manifest, known: _Known | None) -> Raw:
        try:
            if known is None:
                return await self.client.create(SECRETS, manifest)
            return await self._correct(server_uuid, manifest, known)
        except KubeConflict:
            return await self._correct(server_uuid, manifest, known)
        except KubeNotFound:
            return await self.client.create(SECRETS, manifest)

    async def _correct(self, server_uuid: str, manifest: Manifest, known: _Known | None) -> Raw:
        """Correct an existing Secret; raises KubeNotFound if there is none."""
        meta = manifest["metadata"]
        observed = await self.client.get(SECRETS, meta["name"], meta["namespace"])
        ours = known is not None and known.uid == observed["metadata"]["uid"]
        if not ours and not belongs(observed, server_uuid):
            raise name_taken_error(manifest, observed)
        if _is_unchanged(manifest, observed):
            return observed
        return await self.client.apply(SECRETS, manifest)


def _is_unchanged(manifest: Raw, observed: Raw) -> bool:
    """Whether data, digest and metadata are unchanged; the API server encodes strings as base64."""
    wanted = {
        name: base64.b64encode(text.encode()).decode()
        for name, text in section(manifest, "stringData").items()
    }
    same = section(observed, "data") == wanted and digest_of(observed) == digest_of(manifest)
    return same and intact(manifest, observed)
