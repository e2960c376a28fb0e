"""The webhook configurations: where the API server calls, and what it checks our certificate with.

Both are fields that the chart leaves out, so that an upgrade leaves them as they are.
"""

from __future__ import annotations

import base64
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from roadstead.errors import KubeNotFound
from roadstead.kube.resources import Resource
from roadstead_webhooks.certificates.secrets import SecretClient

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
"""With the path of each webhook's requests, before the secret."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClientConfig:
    """What every webhook of both configurations is to have."""

    bundle: bytes = b""
    """PEM; empty where somebody else sees to it."""
    secret: str = ""
    """The last part of the path; empty where the path stays as it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was found."""

    complete: bool
    """Both configurations were there."""
    changed: bool
    """One of them was not as it should be."""


async def keep_configurations(client: SecretClient, name: str, wanted: ClientConfig) -> Outcome:
    """Put `wanted` in every webhook of both configurations called `name`.

    One may be missing, as in the moment before it is installed. Raises KubeError, KubeConflict
    where another writer was faster.
    """
    complete, changed = True, False
    for resource, path in CONFIGURATIONS.items():
        try:
            found = await client.get(resource, name)
        except KubeNotFound:
            logger.warning("there is no %s %s: nobody asks us", resource.kind, name)
            complete = False
            continue
        before = found.get("webhooks") or []
        after = _with(before, wanted, path)
        if after == before:
            continue
        changed = True
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        await client.patch(resource, name, {"metadata": version, "webhooks": after})
        logger.info("%s %s has our current address and authority", resource.kind, name)
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
