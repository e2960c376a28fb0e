"""What stands at the gateway for a server: written, kept, and taken away again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.aio import client

from dev.gateway.crds import crd_files
from tests.apiserver import custom_objects
from tests.apiserver.eventually import eventually
from tests.apiserver.objects import Raw
from tests.apiserver.reconciling.site import Operated, condition, get_raw, send_raw

ROOTS = {
    "ingressroutes": "/apis/traefik.io/v1alpha1",
    "middlewares": "/apis/traefik.io/v1alpha1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MIDDLEWARES = ["gemma-auth", "gemma-limit", "gemma-strip"]


@pytest.fixture
async def kinds(api: client.ApiClient) -> None:
    """The kinds of routes, known to the API server."""
    await install(api)


@pytest.fixture
def gateway(tmp_path: Path) -> dict[str, str]:
    """Its operator's settings."""
    return behind_a_gateway(tmp_path)


def behind_a_gateway(folder: Path) -> dict[str, str]:
    """Settings of an operator with a gateway that is not there."""
    key = folder / "key"
    key.write_bytes(b"k" * 32)
    return {
        "ROADSTEAD_GATEWAY_KIND": "traefik",
        "ROADSTEAD_GATEWAY_URL": "https://models.example.com",
        "ROADSTEAD_GATEWAY_ADDRESS": "127.0.0.1:9",
        "ROADSTEAD_GATEWAY_PARENT": "gateway/models",
        "ROADSTEAD_GATEWAY_KEY_FILE": str(key),
        "ROADSTEAD_FORWARD_AUTH_URL": "http://forward-auth.roadstead-system.svc",
    }


@pytest.fixture
def gateway_api(gateway: dict[str, str]) -> dict[str, str]:
    """The same by the Gateway API."""
    return {**gateway, "ROADSTEAD_GATEWAY_KIND": "gateway-api"}


async def gemma(operated: Operated) -> Raw:
    """A ModelServe called gemma of a model that can be brought."""
    return await operated.serve(name="gemma", modelName=operated.site.publish())


@pytest.mark.usefixtures("kinds")
async def test_a_server_gets_its_route_and_what_stands_before_it(
    operated: Operated, gateway: dict[str, str]
) -> None:
    async with operated.operator(**gateway):
        serve = await gemma(operated)
        await operated.served(serve)
        assert await names(operated, "middlewares") == MIDDLEWARES
        (found,) = await routes(operated, "ingressroutes")
    assert serve["metadata"]["uid"] in found["spec"]["routes"][0]["match"]


@pytest.mark.usefixtures("kinds")
async def test_a_server_that_is_not_ready_is_said_to_be_not_routed(
    operated: Operated, gateway: dict[str, str]
) -> None:
    async with operated.operator(**gateway):
        found = await operated.says(await gemma(operated), "Routed", "ServerNotReady")
    assert condition(found, "Routed")["status"] == "False"


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("plural", "name", "changes"),
    [
        pytest.param(
            "ingressroutes", "gemma", {"spec": {"entryPoints": ["web"]}}, id="another entry point"
        ),
        pytest.param("ingressroutes", "gemma", {"spec": {"routes": []}}, id="no rule"),
        pytest.param(
            "middlewares",
            "gemma-auth",
            {"spec": {"forwardAuth": {"address": "http://127.0.0.1:9"}}},
            id="another auth",
        ),
        pytest.param(
            "middlewares",
            "gemma-auth",
            {"spec": {"forwardAuth": {"authResponseHeaders": None}}},
            id="credentials that are let through",
        ),
    ],
)
async def test_what_others_changed_is_repaired(
    operated: Operated, gateway: dict[str, str], plural: str, name: str, changes: Raw
) -> None:
    async with operated.operator(**gateway):
        await operated.served(await gemma(operated))
        before = await route(operated, plural, name)
        await send_raw(operated.api, "PATCH", path(operated, plural, name), changes)
        await eventually(lambda: spec_is(operated, plural, name, before["spec"]))


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("plural", "name"), [("ingressroutes", "gemma"), ("middlewares", "gemma-auth")]
)
async def test_what_others_deleted_comes_back(
    operated: Operated, gateway: dict[str, str], plural: str, name: str
) -> None:
    async with operated.operator(**gateway):
        await operated.served(await gemma(operated))
        before = await route(operated, plural, name)
        await send_raw(operated.api, "DELETE", path(operated, plural, name))
        await eventually(lambda: has(operated, plural, name))
        after = await route(operated, plural, name)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


@pytest.mark.usefixtures("kinds")
async def test_another_kind_of_gateway_takes_the_routes_of_the_old_one_away(
    operated: Operated, gateway: dict[str, str], gateway_api: dict[str, str]
) -> None:
    async with operated.operator(**gateway):
        await operated.served(await gemma(operated))
    async with operated.operator(**gateway_api):
        await eventually(lambda: has(operated, "httproutes", "gemma"))
        await eventually(lambda: empty(operated, "ingressroutes"))
        assert await names(operated, "middlewares") == MIDDLEWARES


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize("kind", ["traefik", "gateway-api"])
async def test_without_the_gateway_nothing_of_it_stays(
    operated: Operated, gateway: dict[str, str], kind: str
) -> None:
    async with operated.operator(**{**gateway, "ROADSTEAD_GATEWAY_KIND": kind}):
        serve = await gemma(operated)
        await operated.served(serve)
    async with operated.operator():
        for plural in ROOTS:
            await eventually(partial(empty, operated, plural))
        await eventually(lambda: unsaid(operated, serve))


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("plural", "kind", "name"),
    [("ingressroutes", "IngressRoute", "gemma"), ("middlewares", "Middleware", "gemma-auth")],
)
async def test_a_route_of_somebody_else_stays_theirs(
    operated: Operated, gateway: dict[str, str], plural: str, kind: str, name: str
) -> None:
    theirs = {
        "apiVersion": ROOTS[plural].removeprefix("/apis/"),
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"routes": []} if kind == "IngressRoute" else {"compress": {}},
    }
    async with operated.operator(**gateway):
        before = await send_raw(operated.api, "POST", path(operated, plural), theirs)
        found = await operated.says(await gemma(operated), "WorkloadReady", "Rejected")
        after = await route(operated, plural, name)
    assert f"{kind} {operated.namespace}/{name}" in condition(found, "WorkloadReady")["message"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_a_cluster_without_the_kinds_of_routes_serves_and_says_so(
    operated: Operated, gateway: dict[str, str]
) -> None:
    await remove(operated.api)
    async with operated.operator(**gateway):
        serve = await gemma(operated)
        await operated.served(serve)
        found = await operated.says(serve, "Routed", "GatewayNotInstalled")
    assert "IngressRoute" in condition(found, "Routed")["message"]


async def test_kinds_that_are_installed_later_are_found(
    operated: Operated, gateway: dict[str, str]
) -> None:
    await remove(operated.api)
    async with operated.operator(**gateway, ROADSTEAD_RESYNC_SECONDS="10"):
        serve = await gemma(operated)
        await operated.says(serve, "Routed", "GatewayNotInstalled")
        await install(operated.api)
        await operated.says(serve, "Routed", "ServerNotReady")
        assert await names(operated, "middlewares") == MIDDLEWARES
        assert await names(operated, "ingressroutes") == ["gemma"]


async def unsaid(operated: Operated, serve: Raw) -> bool:
    """Whether nothing is said of a gateway any more."""
    return not condition(await custom_objects.get(operated.api, serve), "Routed")


async def spec_is(operated: Operated, plural: str, name: str, spec: Raw) -> bool:
    found = await route(operated, plural, name)
    assert found["spec"] == spec
    return True


async def empty(operated: Operated, plural: str) -> bool:
    return await names(operated, plural) == []


async def has(operated: Operated, plural: str, name: str) -> bool:
    return name in await names(operated, plural)


async def names(operated: Operated, plural: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in await routes(operated, plural))


async def routes(operated: Operated, plural: str) -> list[Raw]:
    items: list[Raw] = (await get_raw(operated.api, path(operated, plural)))["items"]
    return items


async def route(operated: Operated, plural: str, name: str) -> Raw:
    return await get_raw(operated.api, path(operated, plural, name))


def path(operated: Operated, plural: str, name: str = "") -> str:
    """The path of one route, or of all of a kind, in the namespace."""
    collection = f"{ROOTS[plural]}/namespaces/{operated.namespace}/{plural}"
    return f"{collection}/{name}" if name else collection


async def install(api: client.ApiClient) -> None:
    """Make the kinds known that are not, and wait until they can be listed."""
    known = await crd_names(api)
    for body in definitions():
        if body["metadata"]["name"] not in known:
            await send_raw(api, "POST", CRDS, body)
    for plural, root in ROOTS.items():
        await eventually(partial(listable, api, f"{root}/{plural}"))


async def remove(api: client.ApiClient) -> None:
    """Make them unknown, with all that there is of them."""
    known = await crd_names(api)
    ours = {body["metadata"]["name"] for body in definitions()}
    for name in known & ours:
        await send_raw(api, "DELETE", f"{CRDS}/{name}")
    for plural, root in ROOTS.items():
        await eventually(partial(not_found, api, f"{root}/{plural}"))


def definitions() -> list[dict[str, Any]]:
    """The CustomResourceDefinitions of what the operator writes."""
    documents = [body for file in crd_files() for body in yaml.safe_load_all(file.read_text())]
    return [body for body in documents if body and body["spec"]["names"]["plural"] in ROOTS]


async def crd_names(api: client.ApiClient) -> set[str]:
    return {item["metadata"]["name"] for item in (await get_raw(api, CRDS))["items"]}


async def listable(api: client.ApiClient, at: str) -> bool:
    await get_raw(api, at)
    return True


async def not_found(api: client.ApiClient, at: str) -> bool:
    try:
        await get_raw(api, at)
    except AssertionError as error:
        return "404" in str(error)
    return False
