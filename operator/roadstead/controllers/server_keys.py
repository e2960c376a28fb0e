"""The API key of each server, in one Secret per server."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from roadstead.api.modelserve import ModelServe
from roadstead.controllers.fetch_urls import SecretWriter
from roadstead.errors import KubeConflict
from roadstead.kube.ownership import belongs, taken
from roadstead.kube.resources import SECRETS
from roadstead.manifests.gateway import key_secret
from roadstead.tokens.gateway_keys import GatewayKey

LOOK_SECONDS: Final = 60.0


@dataclasses.dataclass(kw_only=True)
class ServerKeys:
    """Writes a server's Secret; one that is not ready has it looked at again each minute.

    Secrets are not watched: that would hand the operator every Secret of the cluster.
    """

    client: SecretWriter
    key: GatewayKey
    clock: Callable[[], float]
    _seen: dict[str, float] = dataclasses.field(default_factory=dict)

    def of(self, serve: ModelServe) -> str:
        """The server's API key, as its Secret holds it once `bring` is done."""
        return self.key.server_key(serve.meta.uid)

    async def bring(self, serve: ModelServe, *, needed: bool) -> None:
        """See to it that the Secret is there; `needed` says that a pod may be waiting for it.

        Raises KubeRejected where its name is taken by something that is not this server's.
        """
        now, seen = self.clock(), self._seen.get(serve.meta.uid)
        if seen is not None and (not needed or now - seen < LOOK_SECONDS):
            return
        manifest = key_secret(serve, self.of(serve))
        try:
            await self.client.create(SECRETS, manifest)
        except KubeConflict:
            meta = manifest["metadata"]
            observed = await self.client.get(SECRETS, meta["name"], meta["namespace"])
            if not belongs(observed, serve.meta.uid):
                raise taken(manifest, observed) from None
            await self.client.apply(SECRETS, manifest)
        self._seen[serve.meta.uid] = now

    def forget(self, uid: str) -> None:
        """Forget a server that is gone."""
        self._seen.pop(uid, None)
