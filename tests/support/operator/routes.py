"""CRDs of routes at an API server, and the settings of an operator with a gateway."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio import client

from dev.gateway.crds import crd_files
from tests.support.operator.namespace import Operated
from tests.support.raw_objects import get_raw, send_raw
from tests.support.waiting import assert_eventually

ROOTS = {
    "ingressroutes": "/apis/traefik.io/v1alpha1",
    "middlewares": "/apis/traefik.io/v1alpha1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
}
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def gateway_settings(folder: Path) -> dict[str, str]:
    """Settings of an operator with a gateway that is unreachable."""
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


def route_path(operated: Operated, plural: str, name: str = "") -> str:
    """The path of a route, or of all of a kind, in the namespace."""
    collection = f"{ROOTS[plural]}/namespaces/{operated.namespace}/{plural}"
    return f"{collection}/{name}" if name else collection


async def install_kinds(api: client.ApiClient) -> None:
    """Install the CRDs that are missing, and wait until their objects can be listed."""
    known = await crd_names(api)
    for body in definitions():
        if body["metadata"]["name"] not in known:
            await send_raw(api, "POST", CRDS, body)
    for plural, root in ROOTS.items():
        await assert_eventually(partial(listable, api, f"{root}/{plural}"))


async def remove_kinds(api: client.ApiClient) -> None:
    """Delete the CRDs and with them all their objects."""
    known = await crd_names(api)
    ours = {body["metadata"]["name"] for body in definitions()}
    for name in known & ours:
        await send_raw(api, "DELETE", f"{CRDS}/{name}")
    for plural, root in ROOTS.items():
        await assert_eventually(partial(not_found, api, f"{root}/{plural}"))


@functools.cache
def definitions() -> Sequence[dict[str, Any]]:
    """The CustomResourceDefinitions of the operator's routes, parsed once from a megabyte."""
    texts = [file.read_text() for file in crd_files()]
    documents = [body for text in texts for body in yaml.load_all(text, Loader=yaml.CSafeLoader)]
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
