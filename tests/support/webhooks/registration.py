"""The chart's webhook configurations, with the address 127.0.0.1 instead of a Service."""

from __future__ import annotations

import base64
from typing import Any

from kubernetes.aio import client

from dev import binaries
from tests.support.charts import Chart
from tests.support.custom_objects import call
from tests.support.webhooks.webhook_process import Folder

NAME = "roadstead"
_PATH = "/apis/admissionregistration.k8s.io/v1"
_KINDS = {
    "MutatingWebhookConfiguration": "/mutate",
    "ValidatingWebhookConfiguration": "/validate",
}
CONFIGURATIONS = [f"{_PATH}/{kind.lower()}s" for kind in _KINDS]
"""The collections of both kinds."""
_TIMEOUT_SECONDS = 30
"""The maximum in Kubernetes: a test machine may be busy."""


async def register(api: client.ApiClient, port: int, folder: Folder) -> None:
    """Register the webhooks of that folder at `127.0.0.1:port`."""
    rendered = Chart(helm=binaries.ensure("helm")["helm"]).render()
    for (kind, path), collection in zip(_KINDS.items(), CONFIGURATIONS, strict=True):
        body = rendered.one(kind, NAME)
        url = f"https://127.0.0.1:{port}{path}/{folder.review_secret}"
        body["webhooks"] = [_at(webhook, url, folder.ca) for webhook in body["webhooks"]]
        await call(api, "POST", collection, body)


async def unregister(api: client.ApiClient) -> None:
    """Delete the webhook configurations."""
    for collection in CONFIGURATIONS:
        await call(api, "DELETE", f"{collection}/{NAME}")


def _at(webhook: dict[str, Any], url: str, ca: bytes) -> dict[str, Any]:
    place = {"url": url, "caBundle": base64.b64encode(ca).decode()}
    return {**webhook, "clientConfig": place, "timeoutSeconds": _TIMEOUT_SECONDS}
