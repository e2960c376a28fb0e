"""An admission policy of the API server that refuses some Deployments permanently."""

import asyncio
import json
from typing import Any, Final

from bench.scale.load import BareClient

REFUSED: Final = "refused"
"""Prefix of the names of refused Deployments."""
SETTLE_SECONDS: Final = 3.0
_PATH: Final = "/apis/admissionregistration.k8s.io/v1"
_API: Final = "admissionregistration.k8s.io/v1"


async def refuse(client: BareClient, place: str) -> None:
    """Install the policy for this namespace; the API server notices it by a watch."""
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["deployments"],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": place}}
    expression = f"!object.metadata.name.startsWith('{REFUSED}')"
    policy = {
        "matchConstraints": {"namespaceSelector": here, "resourceRules": [rule]},
        "validations": [{"expression": expression}],
    }
    binding = {"policyName": place, "validationActions": ["Deny"]}
    await _create(client, "ValidatingAdmissionPolicy", "policies", place, policy)
    await _create(client, "ValidatingAdmissionPolicyBinding", "policybindings", place, binding)
    await asyncio.sleep(SETTLE_SECONDS)


async def _create(
    client: BareClient, kind: str, plural: str, name: str, spec: dict[str, Any]
) -> None:
    body = {"apiVersion": _API, "kind": kind, "metadata": {"name": name}, "spec": spec}
    path = f"{_PATH}/validatingadmission{plural}"
    await client.send("POST", path, json.dumps(body).encode())
