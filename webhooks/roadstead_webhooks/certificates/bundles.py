"""The caBundle of the webhook configurations: what the API server checks our certificate with."""

from __future__ import annotations

import base64
import logging
from typing import Any, Final

from roadstead.errors import KubeNotFound
from roadstead.kube.resources import Resource
from roadstead_webhooks.certificates.secrets import SecretClient

logger = logging.getLogger(__name__)

_GROUP: Final = "admissionregistration.k8s.io"
CONFIGURATIONS: Final = (
    Resource(
        group=_GROUP,
        version="v1",
        plural="mutatingwebhookconfigurations",
        kind="MutatingWebhookConfiguration",
        namespaced=False,
    ),
    Resource(
        group=_GROUP,
        version="v1",
        plural="validatingwebhookconfigurations",
        kind="ValidatingWebhookConfiguration",
        namespaced=False,
    ),
)


async def bring_bundle(client: SecretClient, name: str, bundle: bytes) -> bool:
    """Put `bundle` (PEM) in every webhook of both configurations called `name`.

    False if one is not there, as in the moment before it is installed. Raises KubeError,
    KubeConflict where another was faster.
    """
    complete = True
    for resource in CONFIGURATIONS:
        try:
            found = await client.get(resource, name)
        except KubeNotFound:
            logger.warning("there is no %s %s: nobody asks us", resource.kind, name)
            complete = False
            continue
        changed = _with_bundle(found.get("webhooks") or [], base64.b64encode(bundle).decode())
        if changed is None:
            continue
        body = {
            "metadata": {"resourceVersion": found["metadata"]["resourceVersion"]},
            "webhooks": changed,
        }
        await client.patch(resource, name, body)
        logger.info("%s %s has the bundle of our authority", resource.kind, name)
    return complete


def _with_bundle(webhooks: list[dict[str, Any]], bundle: str) -> list[dict[str, Any]] | None:
    """The list to store; None if it is as it should be."""
    wanted = [
        {**hook, "clientConfig": {**hook["clientConfig"], "caBundle": bundle}} for hook in webhooks
    ]
    return None if wanted == webhooks else wanted
