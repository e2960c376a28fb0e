"""An operator whose store is reached through something that can go wrong."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

from dev import samplegguf
from dev.servers.apiserver import ApiServer, kubeconfig_content
from dev.servers.objectstore import ObjectStore
from tests.faults.aftermath import Scene
from tests.support.builders.objects import Raw, fresh_name
from tests.support.operator.namespace import Operated, condition
from tests.support.operator.replicas import account, user
from tests.support.operator.site import BUCKET
from tests.support.store_client import minio

SIZE = 300_000


async def named(operated: Operated, server: ApiServer, folder: Path) -> Scene:
    """A scene whose operator is known by its name in the audit log."""
    token = await account(operated, "operator")
    kubeconfig = folder / "operator.kubeconfig"
    kubeconfig.write_text(json.dumps(kubeconfig_content(server.url, server.ca, token)))
    return Scene(
        operated=dataclasses.replace(operated, kubeconfig=kubeconfig),
        server=server,
        log=folder / "operator.log",
        users=(user(operated.namespace, "operator"),),
        tokens=(token,),
    )


def with_store(scene: Scene, store: ObjectStore) -> Scene:
    """The scene, with a store of the test's own."""
    site = dataclasses.replace(scene.operated.site, store=store)
    return dataclasses.replace(scene, operated=dataclasses.replace(scene.operated, site=site))


def at(endpoint: str, store: ObjectStore) -> dict[str, str]:
    """The settings of an operator that reaches this store at `endpoint`."""
    return {
        "ROADSTEAD_STORE_ENDPOINT": endpoint,
        "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(store.access_key_file),
        "ROADSTEAD_STORE_SECRET_KEY_FILE": str(store.secret_key_file),
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Models that are asked for, and what becomes of them."""

    operated: Operated

    async def asked(self, size: int = SIZE, **spec: str) -> Raw:
        """A Model that the source has."""
        name, content = fresh_name("model"), samplegguf.sample(size)
        source = minio(self.operated.site.source)
        source.put_object(BUCKET, f"{name}.gguf", io.BytesIO(content), len(content))
        return await self.operated.model(name=name, source={"quant": {"modelId": name}}, **spec)

    async def verified(self, model: Raw, timeout: float = 180) -> Raw:
        """Wait until it is in the store; the object as it is then."""
        return await self.operated.wait_for_reason(model, "Verified", "Verified", timeout=timeout)

    async def told(self, model: Raw, reason: str) -> None:
        """Wait until its status has the store's trouble."""
        await self.operated.wait_for_reason(model, "Stored", reason, timeout=180)

    async def is_served(self, model: Raw) -> Raw:
        """A new server of it gets its Deployment; the ModelServe."""
        serve = await self.operated.serve(modelName=model["metadata"]["name"])
        await self.operated.wait_for_deployment(serve)
        found = await self.operated.wait_for_reason(model, "Ready", "Ready")
        assert condition(found, "Ready")["status"] == "True"
        return serve


def said(log: Path, words: str) -> int:
    """How often an operator's log has these words."""
    return log.read_text().count(words)
