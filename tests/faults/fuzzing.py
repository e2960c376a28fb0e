"""An operator with its dependencies, and the state of the objects that tests create."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import io
import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kubernetes.aio import client

from dev import samplegguf
from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from dev.servers.process import answers, until_ready
from roadstead.tokens.receipt_keys import SigningKey
from tests.faults.admitted import KEYS, Admission
from tests.support import custom_objects
from tests.support.builders.objects import Raw, fresh_name, make_contract, make_model
from tests.support.ledger import Ledger
from tests.support.operator.namespace import condition, delete_all, list_all
from tests.support.operator.operator_process import spawn, stop_operator
from tests.support.operator.site import SIZE, Site
from tests.support.raw_objects import get_raw
from tests.support.store_client import minio
from tests.support.waiting import assert_eventually

BUCKET: Final = "models"
EVERYTHING: Final[Raw] = {
    "namespaces": {"names": ["*"]},
    "config": {
        "images": ["*"],
        "priorityClassNames": ["*"],
        "podAnnotations": ["*"],
        "maxTerminationGracePeriodSeconds": 3600,
        "runtimeClassNames": ["*"],
        "tolerations": "Allow",
        "imagePullSecrets": "Allow",
    },
}
"""A contract that allows everything."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ground:
    """A namespace with a stored Model, a contract for everything, and an operator."""

    server: ApiServer
    site: Site
    ledger: Ledger
    key: SigningKey
    namespace: str
    model: str
    contract: str
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def metric(self, name: str) -> float:
        """The sum of a metric's series, by the prefix of their lines."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def _failed(self, kind: str) -> float:
        return self.metric(f'roadstead_reconciles_total{{kind="{kind}",result="error"')

    def check_health(self) -> None:
        """Check that no handler raised, no row was refused, and the process runs."""
        log = self.log.read_text()
        assert "Traceback" not in log, log[log.index("Traceback") - 500 :][:4000]
        failed = {kind: self._failed(kind) for kind in ("model", "modelserve", "resourcecontract")}
        assert not any(failed.values()), failed
        assert self.metric("roadstead_ledger_dropped_total") == 0
        assert self.process.poll() is None


@contextlib.contextmanager
def ground(server: ApiServer, site: Site, ledger: Ledger, folder: Path) -> Iterator[Ground]:
    """Start everything; Models, ModelServes and contracts are deleted before and after."""
    key, name = SigningKey.generate(), fresh_name("fuzz")
    environ = site.environ(
        server.kubeconfig,
        ROADSTEAD_NAMESPACE=name,
        ROADSTEAD_RECEIPT_KEYS=KEYS,
        ROADSTEAD_ADMISSION="required",
        ROADSTEAD_LEDGER_DSN_FILE=str(ledger.dsn_file("writer")),
        ROADSTEAD_TRANSFER_CONCURRENCY="1",
    )
    log = folder / "operator.log"
    contract = asyncio.run(_prepare(server, site, key, name))
    process = spawn(environ, log)
    port = int(environ["ROADSTEAD_HTTP_PORT"])
    try:
        ready = functools.partial(answers, f"http://127.0.0.1:{port}/readyz")
        until_ready("the operator", ready, process, log, seconds=90)
        yield Ground(
            server=server,
            site=site,
            ledger=ledger,
            key=key,
            namespace=name,
            model=name,
            contract=contract,
            port=port,
            log=log,
            process=process,
        )
    finally:
        stop_operator(process, log)
        asyncio.run(_delete_everything(server))


async def _prepare(server: ApiServer, site: Site, key: SigningKey, name: str) -> str:
    async with connect(server) as api:
        await delete_all(api)
        body = client.V1Namespace(metadata=client.V1ObjectMeta(name=name))
        await client.CoreV1Api(api).create_namespace(body)
        await Admission(api=api, key=key).publish(name)
        store, content = minio(site.store), samplegguf.sample(SIZE)
        if not store.bucket_exists(BUCKET):
            store.make_bucket(BUCKET)
        store.put_object(BUCKET, f"{name}.gguf", io.BytesIO(content), len(content))
        model = make_model(name=name, source={"stored": {}}, minioPath=f"{name}.gguf")
        await custom_objects.create(api, model)
        contract = await custom_objects.create(api, make_contract(**EVERYTHING))
        return str(contract["metadata"]["name"])


async def _delete_everything(server: ApiServer) -> None:
    async with connect(server) as api:
        await delete_all(api)
        for body in await list_all(api, "resourcecontracts"):
            await custom_objects.delete(api, body)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """A ModelServe in its final state, and its children's specs by kind."""

    body: Raw
    children: Mapping[str, Any]

    @property
    def ready(self) -> Raw:
        """Its condition Ready."""
        return condition(self.body, "Ready")


async def wait_for_servers(api: client.ApiClient, ground: Ground) -> dict[str, Seen]:
    """All ModelServes by name with their children, once each has a status of its spec.

    The first status is written before the children, the last of which is the Deployment; if one is
    refused, another status follows.
    """
    bodies: dict[str, Raw] = {}
    specs: dict[str, dict[str, Any]] = {}

    async def complete() -> bool:
        bodies.update(await wait_for_status(api, "modelserves"))
        specs.update(await children(api, ground.namespace))
        made = [each["metadata"]["uid"] for each in bodies.values() if _has_children(each)]
        return all("Deployment" in specs.get(uid, {}) for uid in made)

    await assert_eventually(complete, timeout=200, interval=0.5)
    return {
        name: Seen(body=body, children=specs.get(body["metadata"]["uid"], {}))
        for name, body in bodies.items()
    }


def _has_children(body: Raw) -> bool:
    return condition(body, "Ready").get("reason") in ("Progressing", "ScaledToZero")


async def wait_for_status(api: client.ApiClient, plural: str) -> dict[str, Raw]:
    """All objects of a kind by name, once each has a status of its current spec."""
    found: dict[str, Raw] = {}

    async def all_current() -> bool:
        found.update({body["metadata"]["name"]: body for body in await list_all(api, plural)})
        waiting = [name for name, body in found.items() if not _is_current(body)]
        assert not waiting, f"{len(waiting)} without a status of their spec, such as {waiting[:3]}"
        return True

    await assert_eventually(all_current, timeout=200, interval=0.5)
    return found


def _is_current(body: Raw) -> bool:
    ready = condition(body, "Ready")
    generation = body["metadata"]["generation"]
    return ready.get("reason") != "ReceiptKeysMissing" and all(
        version == generation
        for version in (
            body.get("status", {}).get("observedGeneration"),
            ready.get("observedGeneration", generation if ready else None),
        )
    )


CHILDREN: Final = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}


async def children(api: client.ApiClient, namespace: str) -> dict[str, dict[str, Any]]:
    """The parts of ModelServes' children that don't depend on names, by owner UID and kind."""
    found: dict[str, dict[str, Any]] = {}
    for kind, path in CHILDREN.items():
        for item in (await get_raw(api, path.format(namespace)))["items"]:
            for owner in item["metadata"].get("ownerReferences", ()):
                found.setdefault(owner["uid"], {})[kind] = _nameless(item, owner)
    return found


def _nameless(item: Raw, owner: Raw) -> Any:
    spec = {key: value for key, value in item["spec"].items() if not key.startswith("clusterIP")}
    text = json.dumps({"labels": item["metadata"]["labels"], "spec": spec}, sort_keys=True)
    for word in (item["metadata"]["name"], owner["name"], owner["uid"]):
        text = re.sub(rf'"{re.escape(word)}(?=["-])', '"NAME', text)
    return json.loads(text)
