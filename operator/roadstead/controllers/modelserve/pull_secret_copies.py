"""Copies image pull Secrets of the operator's namespace for servers, and follows their changes."""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import functools
import logging
from collections.abc import Callable
from typing import Final

from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.controllers.modelserve.owned_secrets import OwnedSecrets
from roadstead.controllers.object_access import ObjectWriter
from roadstead.errors import KubeError, KubeNotFound, PullSecretUnusable
from roadstead.json_digest import json_digest
from roadstead.kube.resources import SECRETS
from roadstead.manifests import names
from roadstead.manifests.pull_secret import CONTENT, TYPE, pull_secret

logger = logging.getLogger(__name__)

SOURCE_CHECK_SECONDS: Final = 60.0
"""How often the sources are read. Secrets are not watched, see OwnedSecrets."""


@dataclasses.dataclass(kw_only=True)
class PullSecretCopies:
    """The copies of the Secrets `sources` in `namespace`."""

    client: ObjectWriter
    secrets: OwnedSecrets
    namespace: str
    sources: tuple[str, ...]
    on_change: Callable[[], None]
    """Called if a source has changed, so that every server is reconciled."""
    _contents: dict[str, str] = dataclasses.field(default_factory=dict)

    async def ensure(self, serve: ModelServe, *, needed: bool) -> None:
        """Ensure that the server has its copies; `needed` is true if a pod may wait for them.

        Raises PullSecretUnusable if a source was never there, and NameTaken.
        """
        child = names.child_name(serve.meta.name)
        for source in self.sources:
            content = self._contents.get(source)
            if content is None:
                content = self._contents[source] = await self._read(source)
            await self.secrets.ensure(
                serve.meta.uid,
                names.pull_secret_name(child, source),
                functools.partial(pull_secret, serve, source, content),
                version=json_digest(content),
                needed=needed,
            )

    async def run(self) -> None:
        """Follow the sources until cancelled; one that becomes unusable changes no copy."""
        while True:
            await asyncio.sleep(SOURCE_CHECK_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Read the sources again; errors are logged."""
        for source in self.sources:
            try:
                content = await self._read(source)
            except (KubeError, PullSecretUnusable) as error:
                logger.warning("cannot read a pull Secret for servers: %s", error)
                continue
            if content != self._contents.get(source):
                self._contents[source] = content
                self.on_change()

    def forget(self, uid: str) -> None:
        """Forget a deleted server."""
        self.secrets.forget(uid)

    async def _read(self, source: str) -> str:
        where = f"Secret {self.namespace}/{source} (servers.pullSecrets)"
        try:
            secret = await self.client.get(SECRETS, source, self.namespace)
        except KubeNotFound:
            raise PullSecretUnusable(f"{where} does not exist; create it with {_ADVICE}") from None
        content = _content_of(secret)
        if content is None:
            raise PullSecretUnusable(f"{where} is not of type {TYPE}; create it with {_ADVICE}")
        return content


_ADVICE: Final = "`kubectl create secret docker-registry`"


def _content_of(secret: Raw) -> str | None:
    """The registries' credentials; None if it is another type of Secret."""
    if secret.get("type") != TYPE:
        return None
    try:
        return base64.b64decode(section(secret, "data").get(CONTENT, ""), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
