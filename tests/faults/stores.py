"""An operator whose connection to the store can fail."""

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


async def make_scene(operated: Operated, server: ApiServer, folder: Path) -> Scene:
    """A scene whose operator has its own user name in the audit log."""
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
    """The scene with a store for one test."""
    site = dataclasses.replace(scene.operated.site, store=store)
    return dataclasses.replace(scene, operated=dataclasses.replace(scene.operated, site=site))


def store_settings(endpoint: str, store: ObjectStore) -> dict[str, str]:
    """Settings of an operator that uses this store at `endpoint`."""
    return {
        "ROADSTEAD_STORE_ENDPOINT": endpoint,
        "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(store.access_key_file),
        "ROADSTEAD_STORE_SECRET_KEY_FILE": str(store.secret_key_file),
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Creates Models, and waits for their state."""

    operated: Operated

    async def create_model(self, size: int = SIZE, **spec: str) -> Raw:
        """Create a Model whose model is in the source."""
        name, content = fresh_name("model"), samplegguf.sample(size)
        source = minio(self.operated.site.source)
        source.put_object(BUCKET, f"{name}.gguf", io.BytesIO(content), len(content))
        return await self.operated.model(name=name, source={"quant": {"modelId": name}}, **spec)

    async def wait_until_verified(self, model: Raw, timeout: float = 180) -> Raw:
        """Wait until the Model is verified; returns the object."""
        return await self.operated.wait_for_reason(model, "Verified", "Verified", timeout=timeout)

    async def wait_for_store_reason(self, model: Raw, reason: str) -> None:
        """Wait until the Model's status has this reason of the store."""
        await self.operated.wait_for_reason(model, "Stored", reason, timeout=180)

    async def serve(self, model: Raw) -> Raw:
        """Create a server of the Model and wait for its Deployment; returns the ModelServe."""
        serve = await self.operated.serve(modelName=model["metadata"]["name"])
        await self.operated.wait_for_deployment(serve)
        found = await self.operated.wait_for_reason(model, "Ready", "Ready")
        assert condition(found, "Ready")["status"] == "True"
        return serve


def count_in_log(log: Path, words: str) -> int:
    """Number of these words in an operator's log."""
    return log.read_text().count(words)
