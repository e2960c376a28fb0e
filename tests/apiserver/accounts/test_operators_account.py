"""What somebody with the token of the operator's account can write: no more than the operator."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from roadstead.api.raw import Raw
from roadstead.controllers.modelserve.store_reach import StoreReach
from roadstead.controllers.service_route import ServiceRoute
from roadstead.errors import KubeConflict, KubeRejected
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import (
    DEPLOYMENTS,
    JOBS,
    NETWORKPOLICIES,
    SECRETS,
    SERVICES,
    resource_of,
)
from roadstead.kube.watch_cache import WatchCache
from roadstead.manifests.rendering import Manifest
from roadstead.manifests.service_routes import console_route, ping_route
from roadstead.manifests.transfer_job import transfer_secret
from tests.apiserver.accounts.conftest import RELEASE, refusal
from tests.apiserver.accounts.rendering import (
    HOST_PATH,
    KINDS,
    ROUTING,
    child,
    children,
    deployment,
    job,
    unmarked,
    without_owner,
)
from tests.support.charts import Object, Rendered
from tests.support.waiting import assert_eventually

OWNER = "whose owner is a ModelServe"


async def test_all_that_a_server_consists_of_is_written(operator: KubeClient, place: str) -> None:
    for body in children(place):
        await operator.create(resource_of(body), body)
        await operator.apply(resource_of(body), body)


async def test_no_secret_but_a_servers_is_deleted(
    admin: KubeClient, operator: KubeClient, place: str
) -> None:
    theirs = {"metadata": {"name": "theirs", "namespace": place}}

    async def refused() -> bool:
        with contextlib.suppress(KubeConflict):
            await admin.create(SECRETS, theirs)
        try:
            await operator.delete(SECRETS, "theirs", namespace=place)
        except KubeRejected as error:
            return "deletes only Secrets of servers" in str(error)
        return False

    await assert_eventually(refused)
    ours = await admin.create(SECRETS, child(place, "Secret"))
    await operator.delete(SECRETS, ours["metadata"]["name"], namespace=place)


async def test_a_server_is_stopped(operator: KubeClient, place: str) -> None:
    made = await operator.create(DEPLOYMENTS, deployment(place))
    meta = made["metadata"]
    stopped = {"spec": {"replicas": 0}, "metadata": {"resourceVersion": meta["resourceVersion"]}}
    answer = await operator.patch(DEPLOYMENTS, meta["name"], stopped, namespace=place)
    assert answer["spec"]["replicas"] == 0


async def test_a_transfer_gets_its_job_and_its_secret(
    operator: KubeClient, place: str, rendered: Rendered
) -> None:
    made = await operator.create(JOBS, job(rendered))
    secret = transfer_secret(made, "{}")
    await operator.create(SECRETS, secret)
    resumed = {"stringData": {"job": '{"a": 1}'}}
    await operator.patch(SECRETS, secret["metadata"]["name"], resumed, namespace=RELEASE)


@pytest.mark.parametrize(
    ("part", "render"),
    [("console", partial(console_route, routing=ROUTING)), ("gateway", ping_route)],
)
async def test_console_and_gateway_get_their_routes(
    operator: KubeClient, place: str, part: str, render: Callable[[Raw], Manifest]
) -> None:
    route = ServiceRoute(operator, render, service=f"roadstead-{part}", namespace=RELEASE)
    assert await route.apply()


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_created_without_a_modelserve_as_owner(
    operator: KubeClient, place: str, kind: str
) -> None:
    body = without_owner(child(place, kind))
    assert OWNER in await refusal(operator.create(resource_of(body), body))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("namespace", ["kube-system", RELEASE])
async def test_nothing_of_a_server_is_created_beside_kubernetes_or_roadstead(
    operator: KubeClient, place: str, namespace: str, kind: str
) -> None:
    body = child(namespace, kind)
    message = await refusal(operator.create(resource_of(body), body))
    assert f"no server runs in namespace {namespace}" in message


@pytest.mark.parametrize("kind", KINDS)
async def test_what_others_made_is_not_taken_over(
    operator: KubeClient, admin: KubeClient, place: str, kind: str
) -> None:
    body = child(place, kind)
    await admin.create(resource_of(body), unmarked(body))
    wanted = body["metadata"]
    change = {"metadata": {key: wanted[key] for key in ("labels", "ownerReferences")}}
    taking = operator.patch(resource_of(body), wanted["name"], change, namespace=place)
    assert OWNER in await refusal(taking)


@pytest.mark.parametrize("namespace", ["kube-system", "default"])
async def test_a_transfer_runs_beside_the_operator_alone(
    operator: KubeClient, place: str, rendered: Rendered, namespace: str
) -> None:
    body = job(rendered)
    body["metadata"]["namespace"] = namespace
    assert OWNER in await refusal(operator.create(JOBS, body))


async def test_no_secret_is_filled_in_with_an_accounts_token(
    operator: KubeClient, place: str
) -> None:
    body = child(place, "Secret")
    body["type"] = "kubernetes.io/service-account-token"
    body["metadata"]["annotations"]["kubernetes.io/service-account.name"] = "default"
    assert "of type Opaque" in await refusal(operator.create(SECRETS, body))


@pytest.mark.parametrize("name", ["roadstead-receipts", "roadstead-jwt", "sh.helm.release.v1.a.v1"])
async def test_no_secret_of_the_release_is_changed(
    operator: KubeClient, admin: KubeClient, place: str, name: str
) -> None:
    body = {"metadata": {"name": name, "namespace": RELEASE}, "stringData": {"a": "b"}}
    await admin.create(SECRETS, body)
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": "a"}
    change: dict[str, Any] = {
        "metadata": {"ownerReferences": [owner]},
        "stringData": {"a": "c"},
    }
    assert OWNER in await refusal(operator.patch(SECRETS, name, change, namespace=RELEASE))


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"externalIPs": ["192.0.2.1"]}, id="somebody-elses-address"),
        pytest.param({"type": "NodePort"}, id="port-of-the-nodes"),
        pytest.param({"type": "LoadBalancer"}, id="address-outside"),
        pytest.param({"type": "ExternalName", "externalName": "example.com"}, id="alias"),
    ],
)
async def test_no_service_takes_an_address(operator: KubeClient, place: str, spec: Object) -> None:
    body = child(place, "Service")
    body["spec"] |= spec
    assert "of type ClusterIP" in await refusal(operator.create(SERVICES, body))


@pytest.mark.parametrize("namespace", ["kube-system", RELEASE, "default"])
async def test_nobody_else_is_held_to_it(
    admin: KubeClient, operator: KubeClient, place: str, namespace: str
) -> None:
    body = unmarked(deployment(namespace, hostPID=True, volumes=[HOST_PATH]))
    assert await admin.create(DEPLOYMENTS, body, dry_run=True)


async def test_the_store_lets_in_namespaces_with_servers(
    operator: KubeClient, admin: KubeClient, place: str, rendered: Rendered
) -> None:
    base = rendered.one("NetworkPolicy", "roadstead-store")
    await admin.create(NETWORKPOLICIES, base)
    reach = StoreReach(
        client=operator,
        cache=WatchCache({}),
        admitted=AdmittedServes(),
        policy="roadstead-store",
        namespace=RELEASE,
    )
    await reach.allow(place)
    written = await admin.get(NETWORKPOLICIES, "roadstead-store-servers", RELEASE)
    assert place in str(written["spec"])
    await reach.allow(place)
    await reach.review()
    assert place not in str(await admin.get(NETWORKPOLICIES, "roadstead-store-servers", RELEASE))
