"""A client of the API server in `apiserver`, and the installation of Roadstead's CRDs."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.aio import client

from dev.errors import StepTimeout
from dev.servers.apiserver import ApiServer

CRDS: Final = Path(__file__).parents[2] / "crds"
CRD_SECONDS: Final = 120.0
CRD_POLL_SECONDS: Final = 0.1


def connect(server: ApiServer) -> client.ApiClient:
    """A client with the administrator's rights; close it, or use it in `async with`."""
    configuration = client.Configuration(
        host=server.url,
        ssl_ca_cert=str(server.ca),
        api_key={"BearerToken": f"Bearer {server.token}"},
    )
    return client.ApiClient(configuration)


async def install_crds(server: ApiServer) -> None:
    """Install Roadstead's CRDs and wait until they are established and can be listed."""
    async with connect(server) as api:
        crds = client.ApiextensionsV1Api(api)
        for path in sorted(CRDS.glob("*.yaml")):
            body = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
            await crds.create_custom_resource_definition(body)
            name = body["metadata"]["name"]
            await _wait_until(f"{name} is established", functools.partial(_established, crds, name))
            await _wait_until(
                f"{name} can be listed", functools.partial(_can_list, api, body["spec"])
            )


async def _established(crds: client.ApiextensionsV1Api, name: str) -> bool:
    found = await crds.read_custom_resource_definition(name)
    conditions = found.status.conditions or [] if found.status else []
    return any(each.type == "Established" and each.status == "True" for each in conditions)


async def _can_list(api: client.ApiClient, spec: dict[str, Any]) -> bool:
    """A new kind is answered with 429 until its storage is ready."""
    custom = client.CustomObjectsApi(api)
    where = spec["group"], spec["versions"][0]["name"], spec["names"]["plural"]
    try:
        await custom.list_cluster_custom_object(*where)
    except client.ApiException:
        return False
    return True


async def _wait_until(what: str, condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + CRD_SECONDS
    while not await condition():
        if time.monotonic() > deadline:
            raise StepTimeout(f"not within {CRD_SECONDS:g} s: {what}")
        await asyncio.sleep(CRD_POLL_SECONDS)
