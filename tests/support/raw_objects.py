"""Reads and writes any object of the API server as JSON."""

import json

from kubernetes.aio import client

from tests.support.builders.objects import Raw


async def get_raw(api: client.ApiClient, path: str) -> Raw:
    """Read an object or a list, as JSON."""
    return await send_raw(api, "GET", path)


async def send_raw(api: client.ApiClient, method: str, path: str, body: Raw | None = None) -> Raw:
    """Send any request; a PATCH is a merge patch."""
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
