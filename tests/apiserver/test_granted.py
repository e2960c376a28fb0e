"""What may still run counts, on a real API server: what the operator keeps of it in the status."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client

from dev.servers.apiserver import ApiServer
from roadstead.api.conditions import find
from roadstead.api.group import ANNOTATION_RECEIPT
from roadstead.tokens.receipt_keys import SigningKey
from tests.apiserver.storeless_operator import running_operator
from tests.apiserver.test_admission_recheck import Tenant, key, model, publish, tenant
from tests.support import custom_objects
from tests.support.builders.objects import Raw, fresh_name
from tests.support.waiting import assert_eventually

__all__ = ["key", "model", "tenant"]

KEYS = "granted-receipt-keys"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


class Restartable:
    """One operator at a time."""

    def __init__(self, start: Callable[[], AbstractContextManager[Path]]) -> None:
        self._start = start
        self._running = ExitStack()
        self.restart()

    def restart(self) -> None:
        """End the one that runs, and start another."""
        self.end()
        self._running.enter_context(self._start())

    def end(self) -> None:
        """End the one that runs."""
        self._running.close()


@pytest.fixture(scope="module")
def operator(
    apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Restartable]:
    """An operator that reads the keys of receipts in namespace `default`."""

    @contextmanager
    def start() -> Iterator[Path]:
        folder = tmp_path_factory.mktemp("operator")
        settings = {"ROADSTEAD_NAMESPACE": "default", "ROADSTEAD_RECEIPT_KEYS": KEYS}
        with running_operator(apiserver, folder, **settings) as log:
            yield log

    made = Restartable(start)
    yield made
    made.end()


@pytest.fixture
async def published(api: client.ApiClient, key: SigningKey) -> None:
    """The public half is where the operator reads it."""
    await publish(api, KEYS, key)


async def next_second(body: Raw) -> None:
    """Ages have a resolution of one second."""
    created = datetime.datetime.fromisoformat(body["metadata"]["creationTimestamp"])

    async def passed() -> bool:
        return datetime.datetime.now(datetime.UTC) - created > datetime.timedelta(seconds=1)

    await assert_eventually(passed)


def limits(memory: str) -> Raw:
    """Resources of one replica."""
    return {"limits": {"cpu": "1", "memory": memory}}


async def granted(tenant: Tenant, serve: Raw, memory: str) -> None:
    """Wait until so much is granted to a server."""

    async def same() -> bool:
        status = (await custom_objects.get(tenant.api, serve)).get("status", {})
        given = status.get("granted", {})
        return bool(given and given["resources"]["memory"] == memory)

    await assert_eventually(same)


async def change(tenant: Tenant, serve: Raw, **spec: Any) -> None:
    """Change a server's spec as the webhooks let it through, receipt and all at once."""
    stored = await custom_objects.get(tenant.api, serve)
    merged = {name: {**stored["spec"].get(name, {}), **part} for name, part in spec.items()}
    changed = {**stored, "spec": {**stored["spec"], **merged}}
    annotations = {ANNOTATION_RECEIPT: tenant.receipt(changed)}
    changes = {"metadata": {"annotations": annotations}, "spec": spec}
    await custom_objects.patch(tenant.api, serve, changes)


def deployment(tenant: Tenant, serve: Raw) -> str:
    """Where its Deployment is."""
    name = serve["metadata"]["name"]
    return f"{DEPLOYMENTS.format(tenant.namespace)}/{name}"


async def roll_out(tenant: Tenant, serve: Raw, **counts: int) -> None:
    """What the Deployment's controller says, of which there is none here."""
    path = deployment(tenant, serve)
    generation = (await custom_objects.call(tenant.api, "GET", path))["metadata"]["generation"]
    status = {**dict.fromkeys(COUNTS, 1), "observedGeneration": generation, **counts}
    merge = custom_objects.MERGE_PATCH
    await custom_objects.call(tenant.api, "PATCH", f"{path}/status", {"status": status}, merge)


async def is_over(tenant: Tenant, contract: Raw) -> None:
    """Wait until a contract says that not all of its servers fit."""

    async def same() -> bool:
        ready = find(await custom_objects.get(tenant.api, contract), "Ready")
        return ready is not None and ready.reason == "OverTotal"

    await assert_eventually(same)


async def test_a_rollout_that_never_ends_frees_nothing(tenant: Tenant) -> None:
    contract = await tenant.contract(total={"memory": "700Mi"})
    first = await tenant.admitted(contract, resources=limits("600Mi"))
    await granted(tenant, first, "600Mi")
    await tenant.runs(first, 1)
    await roll_out(tenant, first)
    nowhere = {"nodeSelector": {"example.com/nowhere": "x"}}
    await change(tenant, first, resources=limits("1Mi"), config=nowhere)
    await memory_of(tenant, first, "1Mi")
    await roll_out(tenant, first, replicas=2, updatedReplicas=1)
    await next_second(first)
    second = await tenant.admitted(contract, resources=limits("600Mi"))
    await tenant.has(second, "False", "OverTotal")
    await granted(tenant, first, "600Mi")
    await is_over(tenant, contract)
    await roll_out(tenant, first)
    await granted(tenant, first, "1Mi")
    await tenant.has(second, "True", "Accepted")


async def memory_of(tenant: Tenant, serve: Raw, memory: str) -> None:
    """Wait until the Deployment's pods may use so much."""

    async def same() -> bool:
        found = await custom_objects.call(tenant.api, "GET", deployment(tenant, serve))
        (container,) = found["spec"]["template"]["spec"]["containers"]
        return bool(container["resources"]["limits"]["memory"] == memory)

    await assert_eventually(same)


async def test_a_server_is_granted_what_it_takes_before_it_is_made(tenant: Tenant) -> None:
    name, contract = fresh_name("serve"), await tenant.contract()
    labels = {"app": "mine"}
    theirs: Raw = {
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    }
    await custom_objects.call(tenant.api, "POST", DEPLOYMENTS.format(tenant.namespace), theirs)
    serve = await tenant.admitted(contract, name=name, resources=limits("600Mi"))
    await granted(tenant, serve, "600Mi")
    assert await tenant.replicas(serve) is None


async def test_after_a_restart_a_server_counts_whose_receipt_does_not_verify_any_more(
    tenant: Tenant, operator: Restartable
) -> None:
    contract = await tenant.contract(total={"memory": "700Mi"})
    serve = await tenant.admitted(contract, resources=limits("600Mi"))
    await granted(tenant, serve, "600Mi")
    await custom_objects.patch(tenant.api, serve, {"spec": {"resources": limits("1Mi")}})
    await tenant.has(serve, "False", "ReceiptOtherSpec")
    await asyncio.to_thread(operator.restart)
    await next_second(serve)
    other = await tenant.admitted(contract, resources=limits("600Mi"))
    await tenant.has(other, "False", "OverTotal")
    assert await tenant.replicas(other) is None
    await granted(tenant, serve, "600Mi")
