"""The API key of each server, in one Secret per server."""

from __future__ import annotations

import base64
import dataclasses

from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.clocks import Stopwatch
from roadstead.controllers.modelserve.fetch_urls import SECRET_CHECK_SECONDS, SecretWriter
from roadstead.errors import KubeConflict, KubeNotFound
from roadstead.kube.ownership import belongs, intact, name_taken_error
from roadstead.kube.resources import SECRETS
from roadstead.manifests.digest import digest_of
from roadstead.manifests.gateway import key_secret
from roadstead.tokens.gateway_keys import GatewayKey


@dataclasses.dataclass(kw_only=True)
class ServerKeys:
    """Writes the Secret of each server, and reads it again while a pod may wait for it.

    Secrets are not watched, since that would require access to all Secrets of the cluster.
    """

    client: SecretWriter
    key: GatewayKey
    clock: Stopwatch
    _seen: dict[str, float] = dataclasses.field(default_factory=dict)
    _uids: dict[str, str] = dataclasses.field(default_factory=dict)
    """The UIDs of the Secrets that were written or read, by the UUID of their server."""

    def of(self, serve: ModelServe) -> str:
        """The server's API key."""
        return self.key.server_key(serve.meta.uid)

    async def ensure(self, serve: ModelServe, *, needed: bool) -> None:
        """Ensure that the Secret is correct; `needed` is true if a pod may wait for it.

        Raises NameTaken if another owner's Secret has the name.
        """
        now, seen = self.clock(), self._seen.get(serve.meta.uid)
        if seen is not None and (not needed or now - seen < SECRET_CHECK_SECONDS):
            return
        manifest = key_secret(serve, self.of(serve))
        secret: Raw
        try:
            if seen is None:
                secret = await self.client.create(SECRETS, manifest)
            else:
                secret = await self._correct(serve, manifest)
        except KubeConflict:
            secret = await self._correct(serve, manifest)
        except KubeNotFound:
            secret = await self.client.create(SECRETS, manifest)
        self._seen[serve.meta.uid] = now
        self._uids[serve.meta.uid] = secret["metadata"]["uid"]

    async def _correct(self, serve: ModelServe, manifest: Raw) -> Raw:
        """Correct an existing Secret; raises KubeNotFound if there is none."""
        meta = manifest["metadata"]
        observed = await self.client.get(SECRETS, meta["name"], meta["namespace"])
        known = self._uids.get(serve.meta.uid) == observed["metadata"]["uid"]
        if not known and not belongs(observed, serve.meta.uid):
            raise name_taken_error(manifest, observed)
        if _is_unchanged(manifest, observed):
            return observed
        return await self.client.apply(SECRETS, manifest)

    def forget(self, uid: str) -> None:
        """Forget a deleted server."""
        self._seen.pop(uid, None)
        self._uids.pop(uid, None)


def _is_unchanged(manifest: Raw, observed: Raw) -> bool:
    """Whether data, digest and metadata are unchanged; the API server encodes strings as base64."""
    wanted = {
        name: base64.b64encode(text.encode()).decode()
        for name, text in section(manifest, "stringData").items()
    }
    same = section(observed, "data") == wanted and digest_of(observed) == digest_of(manifest)
    return same and intact(manifest, observed)
