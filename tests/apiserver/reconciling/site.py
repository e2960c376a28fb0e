"""The surroundings of an operator under test, and the operator itself."""

import asyncio
import base64
import contextlib
import dataclasses
import io
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from kubernetes.aio import client
from minio import Minio

from dev import samplegguf
from dev.servers import objectstore
from dev.servers.objectstore import ObjectStore
from dev.servers.process import answers, free_port
from roadstead.controllers.operator import Operator
from roadstead.controllers.settings import OperatorSettings
from roadstead.kube.client import KubeClient
from tests.apiserver import custom_objects
from tests.apiserver.eventually import eventually
from tests.apiserver.objects import GROUP, VERSION, Raw, fresh_name, make_model, make_modelserve

BUCKET = "quantised"
SIZE = 300_000
PART_BYTES = 16 * 2**20
LARGE = 4 * PART_BYTES
"""Of a model of several parts."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Site:
    """A store, a source and its Quant service."""

    store: ObjectStore
    source: ObjectStore
    quant_endpoint: str
    quant_key_file: Path

    def environ(self, kubeconfig: Path, **changes: str) -> dict[str, str]:
        """The operator's environment."""
        return {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(kubeconfig),
            "ROADSTEAD_STORE_ENDPOINT": self.store.endpoint,
            "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(self.store.access_key_file),
            "ROADSTEAD_STORE_SECRET_KEY_FILE": str(self.store.secret_key_file),
            "ROADSTEAD_QUANT_ENDPOINT": self.quant_endpoint,
            "ROADSTEAD_QUANT_KEY_FILE": str(self.quant_key_file),
            "ROADSTEAD_SOURCE_ALLOW": self.source.endpoint,
            "ROADSTEAD_OPERATOR_IMAGE": "roadstead:test",
            "ROADSTEAD_LEADER_ELECTION": "off",
            # What the guard does has tests of its own.
            "ROADSTEAD_ADMISSION": "off",
            "ROADSTEAD_SERVER_IMAGE": "llama-server:test",
            "ROADSTEAD_TRANSFER_ATTEMPTS": "2",
            "ROADSTEAD_HTTP_HOST": "127.0.0.1",
            "ROADSTEAD_HTTP_PORT": str(free_port()),
            **changes,
        }

    def publish(self, content: bytes | None = None) -> str:
        """Put a model into the source under a name of its own."""
        name = fresh_name("model")
        data = samplegguf.sample(SIZE) if content is None else content
        minio(self.source).put_object(BUCKET, f"{name}.gguf", io.BytesIO(data), len(data))
        return name

    def holds(self, bucket: str, path: str) -> bool:
        """Whether the store has an object of exactly this key."""
        found = minio(self.store).list_objects(bucket, prefix=path)
        return any(item.object_name == path for item in found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Operated:
    """A namespace with an operator, and what tests ask and do there."""

    site: Site
    api: client.ApiClient
    namespace: str
    kubeconfig: Path

    def operator(self, **changes: str) -> contextlib.AbstractAsyncContextManager[Operator]:
        """The operator, for as long as the block lasts."""
        return operating(self.site.environ(self.kubeconfig, **changes))

    async def serve(self, **given: Any) -> Raw:
        """Create a ModelServe in the namespace."""
        return await custom_objects.create(self.api, make_modelserve(self.namespace, **given))

    async def model(self, **given: Any) -> Raw:
        """Create a Model."""
        return await custom_objects.create(self.api, make_model(**given))

    async def says(self, body: Raw, type_: str, reason: str, timeout: float = 60) -> Raw:
        """Wait until a condition has this reason; the object as it is then."""

        async def said() -> bool:
            found = await custom_objects.get(self.api, body)
            assert condition(found, type_).get("reason") == reason, found.get("status")
            return True

        await eventually(said, timeout=timeout)
        return await custom_objects.get(self.api, body)

    async def served(self, body: Raw) -> Raw:
        """Wait until a ModelServe has its Deployment and says so; the Deployment."""
        await self.says(body, "ModelAvailable", "Verified")
        await eventually(lambda: self.has("deployments", body["metadata"]["name"]))
        return await self.child("deployments", body["metadata"]["name"])

    async def secret(self, name: str, url: str) -> None:
        """Write a Secret with a URL; one of that name gets the new URL."""
        data = {"url": base64.b64encode(url.encode()).decode()}
        if await self.has("secrets", name):
            await send_raw(self.api, "PATCH", f"{self.path('secrets')}/{name}", {"data": data})
            return
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        await send_raw(self.api, "POST", self.path("secrets"), body)

    async def has(self, plural: str, name: str) -> bool:
        """Whether the namespace has this child."""
        return name in [item["metadata"]["name"] for item in await self.children(plural)]

    async def child(self, plural: str, name: str) -> Raw:
        """One child."""
        return await get_raw(self.api, f"{self.path(plural)}/{name}")

    async def children(self, plural: str) -> list[Raw]:
        """All objects of a kind in the namespace."""
        items: list[Raw] = (await get_raw(self.api, self.path(plural)))["items"]
        return items

    def path(self, plural: str) -> str:
        """The collection of a kind in the namespace."""
        return f"{_ROOTS.get(plural, '/api/v1')}/namespaces/{self.namespace}/{plural}"


_ROOTS: Mapping[str, str] = {
    "deployments": "/apis/apps/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "jobs": "/apis/batch/v1",
    "modelserves": f"/apis/{GROUP}/{VERSION}",
}


async def get_raw(api: client.ApiClient, path: str) -> Raw:
    """Any object or list, as JSON."""
    return await send_raw(api, "GET", path)


async def send_raw(api: client.ApiClient, method: str, path: str, body: Raw | None = None) -> Raw:
    """Any request; a PATCH is a merge patch."""
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    request = await api.param_serialize(
        method,
        path,
        header_params={"Accept": "application/json", "Content-Type": kind},
        body=body,
        auth_settings=["BearerToken"],
    )
    response = await api.call_api(*request)
    content = await response.read()
    assert response.status < 300, content
    result: Raw = json.loads(content)
    return result


@contextlib.asynccontextmanager
async def operating(environ: dict[str, str]) -> AsyncIterator[Operator]:
    """An operator that is ready within it, and gone after it."""
    settings = OperatorSettings.from_env(environ)
    api = await KubeClient.connect(settings.kubeconfig)
    stop = asyncio.Event()
    operator = Operator(settings, api)
    task = asyncio.create_task(operator.run(stop))
    try:
        await eventually(lambda: task.done() or _ready(settings.http_port), timeout=60)
        yield operator
    finally:
        stop.set()
        await task
        await api.close()


@contextlib.asynccontextmanager
async def operator_process(
    environ: Mapping[str, str], log: Path
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """`roadstead operator` as a process of its own that is ready; it may end within the block."""
    process = _spawn(environ, log)
    try:
        await eventually(lambda: _ready(int(environ["ROADSTEAD_HTTP_PORT"])), timeout=60)
        yield process
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


def _spawn(environ: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "roadstead", "operator"],
            env=dict(environ),
            stdout=output,
            stderr=output,
        )


async def _ready(port: int) -> bool:
    return await asyncio.to_thread(answers, f"http://127.0.0.1:{port}/readyz")


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Site]:
    """The source's and the store's side, with their data in `folder`."""
    with (
        objectstore.running(folder / "store") as store,
        objectstore.running(folder / "source") as source,
        quant_service(source, folder) as (endpoint, key_file),
    ):
        yield Site(store=store, source=source, quant_endpoint=endpoint, quant_key_file=key_file)


@contextlib.contextmanager
def quant_service(source: ObjectStore, folder: Path) -> Iterator[tuple[str, Path]]:
    """`roadstead quant` in front of the source: its URL, and the file with its key."""
    minio(source).make_bucket(BUCKET)
    key_file = folder / "quant-key"
    key_file.write_text(secrets.token_urlsafe(32))
    port = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "ROADSTEAD_QUANT_PORT": str(port),
        "ROADSTEAD_QUANT_SOURCE_ENDPOINT": source.endpoint,
        "ROADSTEAD_QUANT_SOURCE_BUCKET": BUCKET,
        "ROADSTEAD_QUANT_SOURCE_ACCESS_KEY_FILE": str(source.access_key_file),
        "ROADSTEAD_QUANT_SOURCE_SECRET_KEY_FILE": str(source.secret_key_file),
        "ROADSTEAD_QUANT_KEY_FILE": str(key_file),
    }
    process = subprocess.Popen([sys.executable, "-m", "roadstead", "quant"], env=environ)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while not answers(f"{endpoint}/healthz"):
            assert time.monotonic() < deadline, "roadstead quant does not answer"
            time.sleep(0.1)
        yield endpoint, key_file
    finally:
        process.terminate()
        process.wait(20)


def minio(store: ObjectStore) -> Minio:
    """minio-py with the root user's keys."""
    return Minio(
        store.endpoint.removeprefix("http://"),
        access_key=store.access_key,
        secret_key=store.secret_key,
        secure=False,
        region="us-east-1",
    )


async def cleared(api: client.ApiClient) -> None:
    """Take every Model and ModelServe away, finalizers too: there is no operator to do it."""
    for plural in ("modelserves", "models"):
        for body in await listed(api, plural):
            if body["metadata"].get("finalizers"):
                await custom_objects.patch(api, body, {"metadata": {"finalizers": None}})
            if not body["metadata"].get("deletionTimestamp"):
                await custom_objects.delete(api, body)


async def listed(api: client.ApiClient, plural: str) -> list[Raw]:
    """Every object of one of our kinds."""
    custom = client.CustomObjectsApi(api)
    found = await custom.list_cluster_custom_object(GROUP, VERSION, plural)
    items: list[Raw] = cast(Raw, found)["items"]
    return items


def condition(body: Raw, type_: str) -> Raw:
    """One condition of an object's status; empty before there is one."""
    for item in body.get("status", {}).get("conditions", ()):
        if item["type"] == type_:
            found: Raw = item
            return found
    return {}
