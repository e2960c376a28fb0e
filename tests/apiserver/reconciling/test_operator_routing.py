"""The routes of a server at the gateway are created, restored and deleted."""

from __future__ import annotations

import asyncio
import gc
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from kubernetes.aio import client

from roadstead.controllers.operator_settings import OperatorSettings
from roadstead.kube.kube_client import KubeClient
from roadstead.process.operator import Operator
from tests.support import custom_objects
from tests.support.builders.objects import Raw
from tests.support.operator.namespace import Operated, condition
from tests.support.operator.routes import (
    ROOTS,
    gateway_settings,
    install_kinds,
    remove_kinds,
    route_path,
)
from tests.support.raw_objects import get_raw, send_raw
from tests.support.waiting import assert_eventually

MIDDLEWARES = ["gemma-auth", "gemma-body", "gemma-headers", "gemma-limit", "gemma-strip"]
"""With the Gateway API; with IngressRoutes, there is one more."""
SHORT = "gemma-short"


@pytest.fixture
async def kinds(api: client.ApiClient) -> None:
    """Install the kinds of routes."""
    await install_kinds(api)


@pytest.fixture
def gateway(tmp_path: Path) -> dict[str, str]:
    """The settings of an operator with Traefik."""
    return gateway_settings(tmp_path)


@pytest.fixture
def gateway_api(gateway: dict[str, str]) -> dict[str, str]:
    """The settings of an operator with the Gateway API."""
    return {**gateway, "ROADSTEAD_GATEWAY_KIND": "gateway-api"}


async def gemma(operated: Operated) -> Raw:
    """A ModelServe named gemma of an available model."""
    return await operated.serve(name="gemma", modelName=operated.site.publish())


@pytest.mark.usefixtures("kinds")
async def test_a_server_gets_its_route_and_middlewares(
    operated: Operated, gateway: dict[str, str]
) -> None:
    async with operated.operator(**gateway):
        serve = await gemma(operated)
        await operated.wait_for_deployment(serve)
        assert await names(operated, "middlewares") == sorted([*MIDDLEWARES, SHORT])
        (found,) = await routes(operated, "ingressroutes")
    assert serve["metadata"]["uid"] in found["spec"]["routes"][0]["match"]


def open_sessions() -> int:
    """The HTTP sessions of this process that are not closed."""
    found = [each for each in gc.get_objects() if type(each) is aiohttp.ClientSession]
    return sum(not each.closed for each in found)


async def test_an_operator_that_never_led_closes_its_connections(
    operated: Operated, gateway: dict[str, str]
) -> None:
    environ = operated.site.environ(operated.kubeconfig, **gateway)
    settings = OperatorSettings.from_env(environ)
    before, stop = open_sessions(), asyncio.Event()
    stop.set()
    connected = await KubeClient.connect(settings.kubeconfig)
    operator = Operator(settings, connected)
    await operator.run(stop)
    await connected.close()
    assert open_sessions() == before


@pytest.mark.usefixtures("kinds")
async def test_an_unready_server_is_not_routed(operated: Operated, gateway: dict[str, str]) -> None:
    async with operated.operator(**gateway):
        found = await operated.wait_for_reason(await gemma(operated), "Routed", "ServerNotReady")
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
        pytest.param(
            "ingressroutes",
            "gemma",
            {"spec": {"tls": {"secretName": "theirs"}}},
            id="another certificate",
        ),
        pytest.param(
            "middlewares",
            "gemma-auth",
            {"spec": {"forwardAuth": {"tls": {"insecureSkipVerify": True}}}},
            id="a field beside ours",
        ),
    ],
)
async def test_changed_routes_are_restored(
    operated: Operated, gateway: dict[str, str], plural: str, name: str, changes: Raw
) -> None:
    async with operated.operator(**gateway):
        await operated.wait_for_deployment(await gemma(operated))
        before = await route(operated, plural, name)
        await send_raw(operated.api, "PATCH", route_path(operated, plural, name), changes)
        await assert_eventually(lambda: spec_is(operated, plural, name, before["spec"]))


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("plural", "name"), [("ingressroutes", "gemma"), ("middlewares", "gemma-auth")]
)
async def test_deleted_routes_are_created_again(
    operated: Operated, gateway: dict[str, str], plural: str, name: str
) -> None:
    async with operated.operator(**gateway):
        await operated.wait_for_deployment(await gemma(operated))
        before = await route(operated, plural, name)
        await send_raw(operated.api, "DELETE", route_path(operated, plural, name))
        await assert_eventually(lambda: has(operated, plural, name))
        after = await route(operated, plural, name)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


@pytest.mark.usefixtures("kinds")
async def test_a_change_of_the_gateway_kind_deletes_the_old_routes(
    operated: Operated, gateway: dict[str, str], gateway_api: dict[str, str]
) -> None:
    async with operated.operator(**gateway):
        await operated.wait_for_deployment(await gemma(operated))
    async with operated.operator(**gateway_api):
        await assert_eventually(lambda: has(operated, "httproutes", "gemma"))
        await assert_eventually(lambda: empty(operated, "ingressroutes"))
        await assert_eventually(lambda: middlewares_are(operated, MIDDLEWARES))


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize("kind", ["traefik", "gateway-api"])
async def test_disabling_the_gateway_deletes_its_routes(
    operated: Operated, gateway: dict[str, str], kind: str
) -> None:
    async with operated.operator(**{**gateway, "ROADSTEAD_GATEWAY_KIND": kind}):
        serve = await gemma(operated)
        await operated.wait_for_deployment(serve)
    async with operated.operator():
        for plural in ROOTS:
            await assert_eventually(partial(empty, operated, plural))
        await assert_eventually(lambda: has_no_address(operated, serve))


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    ("plural", "kind", "name"),
    [("ingressroutes", "IngressRoute", "gemma"), ("middlewares", "Middleware", "gemma-auth")],
)
async def test_a_route_of_another_owner_is_not_changed(
    operated: Operated, gateway: dict[str, str], plural: str, kind: str, name: str
) -> None:
    theirs = {
        "apiVersion": ROOTS[plural].removeprefix("/apis/"),
        "kind": kind,
        "metadata": {"name": name},
        "spec": {"routes": []} if kind == "IngressRoute" else {"compress": {}},
    }
    async with operated.operator(**gateway):
        before = await send_raw(operated.api, "POST", route_path(operated, plural), theirs)
        found = await operated.wait_for_reason(await gemma(operated), "WorkloadReady", "NameTaken")
        after = await route(operated, plural, name)
    assert f"{kind} {operated.namespace}/{name}" in condition(found, "WorkloadReady")["message"]
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_a_cluster_without_the_kinds_of_routes_runs_servers(
    operated: Operated, gateway: dict[str, str]
) -> None:
    await remove_kinds(operated.api)
    async with operated.operator(**gateway):
        serve = await gemma(operated)
        await operated.wait_for_deployment(serve)
        found = await operated.wait_for_reason(serve, "Routed", "GatewayNotInstalled")
    assert "IngressRoute" in condition(found, "Routed")["message"]


async def test_kinds_that_are_installed_later_are_found(
    operated: Operated, gateway: dict[str, str]
) -> None:
    # Up to a minute: the API server serves new kinds with a delay.
    await remove_kinds(operated.api)
    async with operated.operator(**gateway, ROADSTEAD_RESYNC_SECONDS="10"):
        serve = await gemma(operated)
        await operated.wait_for_reason(serve, "Routed", "GatewayNotInstalled")
        await install_kinds(operated.api)
        await operated.wait_for_reason(serve, "Routed", "ServerNotReady")
        assert await names(operated, "middlewares") == sorted([*MIDDLEWARES, SHORT])
        assert await names(operated, "ingressroutes") == ["gemma"]


async def has_no_address(operated: Operated, serve: Raw) -> bool:
    """Whether the status has no address of a gateway."""
    return not condition(await custom_objects.get(operated.api, serve), "Routed")


async def spec_is(operated: Operated, plural: str, name: str, spec: Raw) -> bool:
    found = await route(operated, plural, name)
    assert found["spec"] == spec
    return True


async def middlewares_are(operated: Operated, wanted: list[str]) -> bool:
    return await names(operated, "middlewares") == wanted


async def empty(operated: Operated, plural: str) -> bool:
    return await names(operated, plural) == []


async def has(operated: Operated, plural: str, name: str) -> bool:
    return name in await names(operated, plural)


async def names(operated: Operated, plural: str) -> list[str]:
    return sorted(item["metadata"]["name"] for item in await routes(operated, plural))


async def routes(operated: Operated, plural: str) -> list[Raw]:
    items: list[Raw] = (await get_raw(operated.api, route_path(operated, plural)))["items"]
    return items


async def route(operated: Operated, plural: str, name: str) -> Raw:
    return await get_raw(operated.api, route_path(operated, plural, name))
