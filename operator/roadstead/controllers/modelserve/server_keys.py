"""The API key of each server, in one Secret per server."""

from __future__ import annotations

import dataclasses

from roadstead.api.modelserve import ModelServe
from roadstead.clocks import Stopwatch
from roadstead.controllers.modelserve.owned_secrets import OwnedSecrets
from roadstead.controllers.object_access import ObjectWriter
from roadstead.manifests import names
from roadstead.manifests.gateway import key_secret
from roadstead.tokens.gateway_keys import GatewayKey


@dataclasses.dataclass(kw_only=True)
class ServerKeys:
    """Writes the Secret with the key of each server, which never changes."""

    client: dataclasses.InitVar[ObjectWriter]
    key: GatewayKey
    clock: dataclasses.InitVar[Stopwatch]

    def __post_init__(self, client: ObjectWriter, clock: Stopwatch) -> None:
        self._secrets = OwnedSecrets(client=client, clock=clock)

    def of(self, serve: ModelServe) -> str:
        """The server's API key."""
        return self.key.server_key(serve.server_id)

    async def ensure(self, serve: ModelServe, *, needed: bool) -> None:
        """Ensure that the Secret is correct; `needed` is true if a pod may wait for it.

        Raises NameTaken if another owner's Secret has the name.
        """
        await self._secrets.ensure(
            serve.meta.uid,
            names.key_secret_name(serve),
            lambda: key_secret(serve, self.of(serve)),
            version="",
            needed=needed,
        )

    def forget(self, uid: str) -> None:
        """Forget a deleted server."""
        self._secrets.forget(uid)
