"""The webhook configurations, with the rules that the chart has, but an address of 127.0.0.1."""

from __future__ import annotations

import base64
from typing import Any

from kubernetes.aio import client

from tests.apiserver.custom_objects import call
from tests.apiserver.objects import GROUP, VERSION

NAME = "roadstead"
_PATH = "/apis/admissionregistration.k8s.io/v1"
_PLURAL = "webhookconfigurations"
_KINDS = ["models", "modelserves", "resourcecontracts"]


async def register(api: client.ApiClient, port: int, ca: bytes) -> None:
    """Have the API server ask `127.0.0.1:port` from now on."""
    mutating = _webhook(port, ca, "/mutate", ["CREATE", "UPDATE"], _KINDS)
    await call(api, "POST", f"{_PATH}/mutating{_PLURAL}", _configuration("Mutating", mutating))
    everything = ["CREATE", "UPDATE", "DELETE"]
    kinds = [*_KINDS, "modelserves/scale"]
    validating = _webhook(port, ca, "/validate", everything, kinds)
    body = _configuration("Validating", validating)
    await call(api, "POST", f"{_PATH}/validating{_PLURAL}", body)


def _configuration(kind: str, webhook: dict[str, Any]) -> dict[str, Any]:
    if kind == "Mutating":
        webhook = {**webhook, "reinvocationPolicy": "IfNeeded"}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [webhook],
    }


def _webhook(
    port: int, ca: bytes, path: str, operations: list[str], resources: list[str]
) -> dict[str, Any]:
    return {
        "name": f"{path.strip('/')}.{GROUP}",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "NoneOnDryRun",
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "timeoutSeconds": 10,
        "clientConfig": {
            "url": f"https://127.0.0.1:{port}{path}",
            "caBundle": base64.b64encode(ca).decode(),
        },
        "rules": [
            {
                "apiGroups": [GROUP],
                "apiVersions": [VERSION],
                "operations": operations,
                "resources": resources,
            }
        ],
    }
