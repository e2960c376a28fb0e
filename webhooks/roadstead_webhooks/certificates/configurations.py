"""Updates the webhook configurations with the webhooks' paths and CA bundle.

The chart doesn't set these fields, so that an upgrade doesn't change them.
"""

from __future__ import annotations

import base64
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from roadstead.errors import KubeNotFound
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import Resource

logger = logging.getLogger(__name__)

_GROUP: Final = "admissionregistration.k8s.io"
_MUTATING: Final = Resource(
    group=_GROUP,
    version="v1",
    plural="mutatingwebhookconfigurations",
    kind="MutatingWebhookConfiguration",
    namespaced=False,
)
_VALIDATING: Final = Resource(
    group=_GROUP,
    version="v1",
    plural="validatingwebhookconfigurations",
    kind="ValidatingWebhookConfiguration",
    namespaced=False,
)
CONFIGURATIONS: Final[Mapping[Resource, str]] = {_MUTATING: "/mutate", _VALIDATING: "/validate"}
"""The kinds of configurations, and the path of each webhook before the secret."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClientConfig:
    """The values to set in every webhook of both configurations."""

    bundle: bytes = b""
    """PEM; empty if the bundle is managed elsewhere."""
    secret: str = ""
    """The last segment of the path; empty to keep the path."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of an update."""

    complete: bool
    """Whether both configurations exist."""
    changed: bool
    """Whether a configuration was changed."""


async def update_configurations(client: KubeClient, name: str, wanted: ClientConfig) -> Outcome:
    """Set `wanted` in every webhook of both configurations called `name`.

    A configuration may be missing, as before it is installed. Raises KubeError, and KubeConflict if
    another writer changed it first.
    """
    complete, changed = True, False
    for resource, path in CONFIGURATIONS.items():
        try:
            found = await client.get(resource, name)
        except KubeNotFound:
            logger.warning("%s %s not found: the webhooks are not called", resource.kind, name)
            complete = False
            continue
        before = found.get("webhooks") or []
        after = _with(before, wanted, path)
        if after == before:
            continue
        changed = True
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        await client.patch(resource, name, {"metadata": version, "webhooks": after})
        logger.info("updated path and CA bundle of %s %s", resource.kind, name)
    return Outcome(complete=complete, changed=changed)


def _with(
    webhooks: Sequence[Mapping[str, Any]], wanted: ClientConfig, path: str
) -> list[dict[str, Any]]:
    return [
        {**hook, "clientConfig": _client_config(hook["clientConfig"], wanted, path)}
        for hook in webhooks
    ]


def _client_config(before: Mapping[str, Any], wanted: ClientConfig, path: str) -> dict[str, Any]:
    after = dict(before)
    if wanted.bundle:
        after["caBundle"] = base64.b64encode(wanted.bundle).decode()
    if wanted.secret:
        full = f"{path}/{wanted.secret}"
        if "service" in after:
            after["service"] = {**after["service"], "path": full}
        else:
            after["url"] = urlsplit(after["url"])._replace(path=full).geturl()
    return after
