"""The operator's recheck on a real API server without webhooks."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client

from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer
from roadstead.api.group import ANNOTATION_RECEIPT
from roadstead.tokens.receipt_keys import SigningKey
from tests.apiserver.storeless_operator import running_operator
from tests.support import custom_objects
from tests.support.builders.objects import (
    Raw,
    fresh_name,
    make_contract,
    make_model,
    make_modelserve,
)
from tests.support.receipts import receipt_of
from tests.support.waiting import assert_eventually

KEYS = "test-receipt-keys"
RESOURCES = {"limits": {"cpu": "1", "memory": "1Gi"}}


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """The webhooks' key."""
    return SigningKey.generate()


@pytest.fixture(scope="module")
def operator(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An operator that reads the keys of receipts in namespace `default`."""
    with running_operator(
        apiserver,
        tmp_path_factory.mktemp("operator"),
        ROADSTEAD_NAMESPACE="default",
        ROADSTEAD_RECEIPT_KEYS=KEYS,
    ) as log:
        yield log


@pytest.fixture
async def published(api: client.ApiClient, key: SigningKey) -> None:
    """The public half is where the operator reads it."""
    await publish(api, KEYS, key)


async def publish(api: client.ApiClient, name: str, key: SigningKey) -> None:
    """Beside the keys of other modules, which may use the same API server."""
    path = "/api/v1/namespaces/default/configmaps"
    body: Raw = {"metadata": {"name": name}, "data": {key.key_id: key.public_pem.decode()}}
    try:
        await custom_objects.call(api, "POST", path, body)
    except client.ApiException as error:
        if error.status != HTTPStatus.CONFLICT:
            raise
        await custom_objects.call(api, "PATCH", f"{path}/{name}", body, custom_objects.MERGE_PATCH)


@pytest.fixture
async def model(api: client.ApiClient) -> str:
    """The name of a Model that is stored."""
    body = await custom_objects.create(api, make_model())
    status = {
        "sizeBytes": 1000,
        "sha256": "0" * 64,
        "minioEndpoint": "http://127.0.0.1:9",
        "minioBucket": "models",
        "minioPath": f"{body['metadata']['name']}/{body['metadata']['uid']}.gguf",
    }
    await custom_objects.patch(api, body, {"status": status}, "status")
    name: str = body["metadata"]["name"]
    return name


class Tenant:
    """Somebody with a contract, a model and a namespace, whose objects were let through."""

    def __init__(self, api: client.ApiClient, namespace: str, model: str, key: SigningKey) -> None:
        self.api = api
        self.namespace = namespace
        self.model = model
        self.key = key

    async def contract(self, **spec: Any) -> Raw:
        """A contract for the namespace."""
        content = {"namespaces": {"names": [self.namespace]}, **spec}
        return await custom_objects.create(self.api, make_contract(**content))

    async def serve(self, contract: Raw, **spec: Any) -> Raw:
        """A ModelServe without a receipt."""
        content = {"contract": contract["metadata"]["name"], "resources": RESOURCES, **spec}
        body = make_modelserve(self.namespace, modelName=self.model, **content)
        return await custom_objects.create(self.api, body)

    async def admitted(self, contract: Raw, **spec: Any) -> Raw:
        """A ModelServe with a receipt that holds."""
        body = await self.serve(contract, **spec)
        return await self.annotate(body, self.receipt(body))

    async def annotate(self, body: Raw, receipt: str) -> Raw:
        """Put a receipt on it."""
        changes = {"metadata": {"annotations": {ANNOTATION_RECEIPT: receipt}}}
        return await custom_objects.patch(self.api, body, changes)

    def receipt(self, body: Raw, key: SigningKey | None = None) -> str:
        """As the webhooks would sign it for this object."""
        return receipt_of(body, key or self.key)

    async def accepted(self, body: Raw) -> tuple[str, str]:
        """Status and reason of ContractAccepted, as of the present spec; empty before that."""
        found = await custom_objects.get(self.api, body)
        status = found.get("status", {})
        for each in status.get("conditions", ()):
            if each["type"] == "ContractAccepted":
                return each["status"], each["reason"]
        return "", ""

    async def has(self, body: Raw, status: str, reason: str) -> None:
        """Wait until ContractAccepted is this."""

        async def same() -> bool:
            return await self.accepted(body) == (status, reason)

        await assert_eventually(same)

    async def replicas(self, body: Raw) -> int | None:
        """What its Deployment asks for; None without one."""
        deployments = await client.AppsV1Api(self.api).list_namespaced_deployment(self.namespace)
        for each in deployments.items:
            assert each.metadata is not None
            assert each.spec is not None
            owners = {owner.uid for owner in each.metadata.owner_references or ()}
            if body["metadata"]["uid"] in owners:
                return each.spec.replicas
        return None

    async def runs(self, body: Raw, replicas: int | None) -> None:
        """Wait until its Deployment asks for so many."""

        async def same() -> bool:
            return await self.replicas(body) == replicas

        await assert_eventually(same)


@pytest.fixture
async def tenant(
    apiserver: ApiServer,
    operator: Path,
    published: None,
    namespace: str,
    model: str,
    key: SigningKey,
) -> AsyncIterator[Tenant]:
    """Everything in place."""
    async with connect(apiserver) as api:
        yield Tenant(api, namespace, model, key)


async def test_a_server_with_receipt_and_contract_is_started(tenant: Tenant) -> None:
    serve = await tenant.admitted(await tenant.contract(), replicas=2)
    await tenant.runs(serve, 2)
    await tenant.has(serve, "True", "Accepted")


async def test_the_status_tells_who_asked(tenant: Tenant) -> None:
    serve = await tenant.admitted(await tenant.contract())
    await tenant.has(serve, "True", "Accepted")
    assert (await custom_objects.get(tenant.api, serve))["status"]["subject"] == "alice"


async def test_a_server_without_a_receipt_gets_nothing(tenant: Tenant) -> None:
    serve = await tenant.serve(await tenant.contract())
    await tenant.has(serve, "False", "ReceiptMissing")
    assert await tenant.replicas(serve) is None


async def test_a_receipt_of_an_unknown_key_starts_nothing(tenant: Tenant) -> None:
    serve = await tenant.serve(await tenant.contract())
    await tenant.annotate(serve, tenant.receipt(serve, SigningKey.generate()))
    await tenant.has(serve, "False", "ReceiptKeyUnknown")
    assert await tenant.replicas(serve) is None


async def test_a_receipt_copied_from_another_server_starts_nothing(tenant: Tenant) -> None:
    contract = await tenant.contract()
    first = await tenant.admitted(contract)
    copy = await tenant.serve(contract)
    await tenant.annotate(copy, first["metadata"]["annotations"][ANNOTATION_RECEIPT])
    await tenant.has(copy, "False", "ReceiptOtherObject")
    assert await tenant.replicas(copy) is None


@pytest.mark.fault(
    "R15", heals="a receipt that was copied while the webhooks were bypassed starts nothing"
)
async def test_a_receipt_copied_into_another_namespace_starts_nothing(tenant: Tenant) -> None:
    elsewhere = fresh_name("elsewhere")
    meta = client.V1ObjectMeta(name=elsewhere)
    await client.CoreV1Api(tenant.api).create_namespace(client.V1Namespace(metadata=meta))
    contract = await tenant.contract(namespaces={"names": [tenant.namespace, elsewhere]})
    first = await tenant.admitted(contract)
    other = Tenant(tenant.api, elsewhere, tenant.model, tenant.key)
    copy = await other.serve(contract, name=first["metadata"]["name"])
    await other.annotate(copy, first["metadata"]["annotations"][ANNOTATION_RECEIPT])
    await other.has(copy, "False", "ReceiptOtherObject")
    assert await other.replicas(copy) is None


async def test_a_spec_that_changed_under_its_receipt_is_not_applied(tenant: Tenant) -> None:
    serve = await tenant.admitted(await tenant.contract(), replicas=2)
    await tenant.runs(serve, 2)
    changes = {"spec": {"replicas": 5, "runtimeParams": {"contextSize": 8192}}}
    await custom_objects.patch(tenant.api, serve, changes)
    await tenant.has(serve, "False", "ReceiptOtherSpec")
    assert await tenant.replicas(serve) == 2


async def test_scaling_keeps_the_receipt(tenant: Tenant) -> None:
    serve = await tenant.admitted(await tenant.contract(), replicas=1)
    await tenant.runs(serve, 1)
    await custom_objects.patch(tenant.api, serve, {"spec": {"replicas": 3}})
    await tenant.runs(serve, 3)


@pytest.mark.fault(
    "R15", heals="after scaling while the webhooks were bypassed, as many run as before"
)
async def test_scaling_past_the_contract_is_not_followed(tenant: Tenant) -> None:
    serve = await tenant.admitted(await tenant.contract(total={"replicas": 2}), replicas=1)
    await tenant.runs(serve, 1)
    await custom_objects.patch(tenant.api, serve, {"spec": {"replicas": 3}})
    await tenant.has(serve, "False", "OverTotal")
    assert await tenant.replicas(serve) == 1


async def test_a_contract_that_shrinks_is_reported(tenant: Tenant) -> None:
    contract = await tenant.contract(enforcement="Report")
    serve = await tenant.admitted(contract, replicas=3)
    await tenant.runs(serve, 3)
    await custom_objects.patch(tenant.api, contract, {"spec": {"perServer": {"replicas": 2}}})
    await tenant.has(serve, "False", "OverServerLimit")
    assert await tenant.replicas(serve) == 3


async def test_a_contract_that_shrinks_drains_where_it_says_so(tenant: Tenant) -> None:
    contract = await tenant.contract(enforcement="Drain")
    serve = await tenant.admitted(contract, replicas=3)
    await tenant.runs(serve, 3)
    await custom_objects.patch(tenant.api, contract, {"spec": {"perServer": {"replicas": 2}}})
    await tenant.runs(serve, 0)
    await custom_objects.patch(tenant.api, contract, {"spec": {"perServer": {"replicas": 3}}})
    await tenant.runs(serve, 3)


async def test_a_server_is_drained_though_its_model_is_not_to_be_had(tenant: Tenant) -> None:
    contract = await tenant.contract(enforcement="Drain")
    serve = await tenant.admitted(contract, replicas=2)
    await tenant.runs(serve, 2)
    body = make_model(name=tenant.model)
    await custom_objects.patch(tenant.api, body, {"status": {"sha256": None}}, "status")
    await custom_objects.patch(tenant.api, contract, {"spec": {"perServer": {"replicas": 1}}})
    await tenant.runs(serve, 0)


async def test_of_totals_that_shrink_the_oldest_servers_keep_theirs(tenant: Tenant) -> None:
    contract = await tenant.contract(enforcement="Drain")
    old = await tenant.admitted(contract)
    await tenant.runs(old, 1)
    # Ages have a resolution of one second.
    await _next_second(old)
    young = await tenant.admitted(contract)
    await tenant.runs(young, 1)
    await custom_objects.patch(tenant.api, contract, {"spec": {"total": {"servers": 1}}})
    await tenant.runs(young, 0)
    await tenant.has(old, "True", "Accepted")
    await custom_objects.delete(tenant.api, old)
    await tenant.runs(young, 1)


@pytest.mark.fault(
    "R15", heals="of many servers created while the webhooks were bypassed, as many run as fit"
)
async def test_of_servers_made_at_one_moment_as_many_run_as_fit(tenant: Tenant) -> None:
    contract = await tenant.contract(total={"servers": 2})
    # At once, but so that the first run when the last are made: the UIDs have no order.
    made = [await tenant.admitted(contract) for _ in range(8)]

    async def all_judged() -> bool:
        found = await asyncio.gather(*map(tenant.accepted, made))
        return Counter(found) == {("True", "Accepted"): 2, ("False", "OverTotal"): 6}

    await assert_eventually(all_judged)
    running = [each for each in made if await tenant.replicas(each)]
    assert len(running) == 2


async def test_a_contract_ends_at_its_time(tenant: Tenant) -> None:
    contract = await tenant.contract(enforcement="Drain")
    serve = await tenant.admitted(contract)
    await tenant.runs(serve, 1)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=5)
    ends = {"spec": {"expiresAt": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    await custom_objects.patch(tenant.api, contract, ends)
    await tenant.runs(serve, 0)
    await tenant.has(serve, "False", "ContractExpired")


async def test_a_contract_that_goes_is_reported(tenant: Tenant) -> None:
    contract = await tenant.contract()
    serve = await tenant.admitted(contract)
    await tenant.runs(serve, 1)
    await custom_objects.delete(tenant.api, contract)
    await tenant.has(serve, "False", "NoContract")
    assert await tenant.replicas(serve) == 1


async def test_a_namespace_that_loses_its_label_is_covered_no_more(tenant: Tenant) -> None:
    core = client.CoreV1Api(tenant.api)
    labelled = {"metadata": {"labels": {"team": tenant.namespace}}}
    await core.patch_namespace(tenant.namespace, labelled)
    scope = {"namespaces": {"selector": {"matchLabels": {"team": tenant.namespace}}}}
    serve = await tenant.admitted(await tenant.contract(**scope))
    await tenant.has(serve, "True", "Accepted")
    await core.patch_namespace(tenant.namespace, {"metadata": {"labels": {"team": None}}})
    await tenant.has(serve, "False", "NamespaceNotCovered")


async def test_a_contract_shows_what_is_used(tenant: Tenant) -> None:
    contract = await tenant.contract(total={"servers": 10, "cpu": "32"})
    await tenant.admitted(contract, replicas=2)
    await tenant.admitted(contract, replicas=1)

    async def counted() -> bool:
        found = await custom_objects.get(tenant.api, contract)
        texts = found.get("status", {}).get("usedText", {})
        return (texts.get("servers"), texts.get("cpu")) == ("2/10", "3/32")

    await assert_eventually(counted)


async def test_a_server_without_a_receipt_takes_nothing_of_the_contract_it_names(
    tenant: Tenant,
) -> None:
    contract = await tenant.contract(enforcement="Drain", total={"servers": 1, "memory": "1Gi"})
    huge = {"limits": {"cpu": "1", "memory": "1Ti"}}
    forged = await tenant.serve(contract, resources=huge)
    await tenant.has(forged, "False", "ReceiptMissing")
    await _next_second(forged)
    serve = await tenant.admitted(contract)
    await tenant.runs(serve, 1)

    async def counted() -> bool:
        found = await custom_objects.get(tenant.api, contract)
        texts = found.get("status", {}).get("usedText", {})
        return (texts.get("servers"), texts.get("memory")) == ("1/1", "1Gi/1Gi")

    await assert_eventually(counted)


async def test_a_server_without_a_receipt_is_no_user_of_the_model_it_names(
    tenant: Tenant,
) -> None:
    contract = await tenant.contract()
    forged = await tenant.serve(contract)
    await tenant.has(forged, "False", "ReceiptMissing")
    serve = await tenant.admitted(contract)
    model = make_model(name=tenant.model)

    async def used_by_one() -> bool:
        status = (await custom_objects.get(tenant.api, model)).get("status", {})
        return bool(status.get("servers") == 1)

    await assert_eventually(used_by_one)
    await custom_objects.delete(tenant.api, serve)
    await custom_objects.delete(tenant.api, model)

    async def gone() -> bool:
        try:
            await custom_objects.get(tenant.api, model)
        except client.ApiException as error:
            return bool(error.status == 404)
        return False

    await assert_eventually(gone)


async def test_a_reservation_that_no_server_follows_is_given_back(tenant: Tenant) -> None:
    contract = await tenant.contract()
    past = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    past -= datetime.timedelta(seconds=27)
    lost = f"{tenant.namespace}/{fresh_name('lost')} - 1 1 1Gi 0 {past:%Y-%m-%dT%H:%M:%SZ}"
    await custom_objects.patch(tenant.api, contract, {"status": {"reservations": [lost]}}, "status")

    async def gone() -> bool:
        found = await custom_objects.get(tenant.api, contract)
        return not found["status"]["reservations"]

    await assert_eventually(gone)
    assert datetime.datetime.now(datetime.UTC) - past >= datetime.timedelta(seconds=30)


async def _next_second(body: Raw) -> None:
    created = datetime.datetime.fromisoformat(body["metadata"]["creationTimestamp"])

    async def passed() -> bool:
        return datetime.datetime.now(datetime.UTC) - created > datetime.timedelta(seconds=1)

    await assert_eventually(passed)
