"""Writes Secrets and ConfigMaps of several replicas by compare-and-swap."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from roadstead.api.raw import Raw, section
from roadstead.errors import KubeConflict, KubeNotFound
from roadstead.kube.kube_client import KubeClient, Object
from roadstead.kube.resources import CONFIGMAPS, SECRETS, Resource

SECRET_WRITE_ATTEMPTS: Final = 8
"""More than there are replicas: each conflict means that another replica has written."""


class SharedSecret:
    """The data of a Secret that several replicas write."""

    def __init__(self, client: KubeClient, *, name: str, namespace: str) -> None:
        self._client = client
        self._name = name
        self._namespace = namespace

    async def ensure(
        self, change: Callable[[Mapping[str, bytes]], Mapping[str, bytes]]
    ) -> dict[str, bytes]:
        """Apply `change` to the data, store the result and return it.

        `change` is called again after each conflict. Raises KubeError.
        """
        for _ in range(SECRET_WRITE_ATTEMPTS):
            found = await _get(self._client, SECRETS, self._name, self._namespace)
            before = {k: base64.b64decode(v) for k, v in section(found or {}, "data").items()}
            after = dict(change(before))
            if after == before:
                return after
            encoded = {key: base64.b64encode(value).decode() for key, value in after.items()}
            try:
                await _write(self._client, SECRETS, found, (self._name, self._namespace), encoded)
            except KubeConflict:
                continue
            return after
        message = f"Secret {self._name}: {SECRET_WRITE_ATTEMPTS} writes conflicted with others"
        raise KubeConflict(message)


async def ensure_config_map(
    client: KubeClient, name: str, namespace: str, data: Mapping[str, str]
) -> bool:
    """Set a ConfigMap's data; return whether it was written. Raises KubeConflict: retry."""
    found = await _get(client, CONFIGMAPS, name, namespace)
    if found is not None and section(found, "data") == data:
        return False
    await _write(client, CONFIGMAPS, found, (name, namespace), data)
    return True


async def _get(client: KubeClient, resource: Resource, name: str, namespace: str) -> Object | None:
    try:
        return await client.get(resource, name, namespace)
    except KubeNotFound:
        return None


async def _write(
    client: KubeClient,
    resource: Resource,
    found: Raw | None,
    place: tuple[str, str],
    data: Mapping[str, str],
) -> None:
    name, namespace = place
    if found is None:
        body = {
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name, "namespace": namespace},
            "data": dict(data),
        }
        await client.create(resource, body)
        return
    removals: dict[str, Any] = dict.fromkeys(section(found, "data"))
    version = found["metadata"]["resourceVersion"]
    changes = {"metadata": {"resourceVersion": version}, "data": {**removals, **data}}
    await client.patch(resource, name, changes, namespace=namespace)
