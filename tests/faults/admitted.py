"""ModelServes with a receipt, as the webhooks admit them, for tests without webhooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from kubernetes.aio import client

from roadstead.api.group import ANNOTATION_RECEIPT
from roadstead.tokens.receipt_keys import SigningKey
from tests.support import custom_objects
from tests.support.builders.objects import Raw
from tests.support.custom_objects import JSON_PATCH, call
from tests.support.receipts import receipt_of

KEYS = "receipt-keys"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Admission:
    """Signs receipts for a user of group `demo-users`, as the webhooks do.

    A dry run returns the stored spec first, since a receipt covers its defaults too.
    """

    api: client.ApiClient
    key: SigningKey

    async def publish(self, namespace: str) -> None:
        """Write the public key where an operator of this namespace reads it."""
        data = {self.key.key_id: self.key.public_pem.decode()}
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=KEYS), data=data)
        await client.CoreV1Api(self.api).create_namespaced_config_map(namespace, body)

    async def create(self, body: Raw) -> Raw:
        """Create a ModelServe. Raises ApiException."""
        path = custom_objects.path(body, named=False)
        stored = await call(self.api, "POST", f"{path}?dryRun=All&fieldValidation=Strict", body)
        meta = {**body["metadata"], "annotations": self._receipt(stored)}
        return await custom_objects.create(self.api, {**body, "metadata": meta})

    async def respec(self, body: Raw, spec: Mapping[str, Any]) -> Raw:
        """Replace the spec of a ModelServe. Raises ApiException."""
        path = custom_objects.path(body)
        change: list[Raw] = [{"op": "replace", "path": "/spec", "value": dict(spec)}]
        stored = await call(self.api, "PATCH", f"{path}?dryRun=All", change, JSON_PATCH)
        receipt = {
            "op": "add",
            "path": "/metadata/annotations",
            "value": self._receipt(stored),
        }
        return await call(self.api, "PATCH", path, [*change, receipt], JSON_PATCH)

    def _receipt(self, stored: Raw) -> dict[str, str]:
        return {ANNOTATION_RECEIPT: receipt_of(stored, self.key)}
