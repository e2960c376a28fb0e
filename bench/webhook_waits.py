"""How long the API server waits for the webhooks in one namespace, by its own metrics.

The API server counts by the names of webhooks, so those of that namespace get names of their own.
A call counts from when the API server sends it until it has read the answer. Decoding and storing
the object are not included; waiting for a core, on either side, is.
"""

import copy
import dataclasses
import ssl
from typing import Any, Final

import aiohttp
from kubernetes.aio import client

from bench.scale import counting
from bench.scale.counting import Buckets
from dev.servers.apiserver import ApiServer
from tests.support.custom_objects import call
from tests.support.webhooks.registration import CONFIGURATIONS, NAME

METRIC: Final = "apiserver_admission_webhook_admission_duration_seconds"
_PREFIX: Final = "apart."
_NAMESPACE: Final = "kubernetes.io/metadata.name"


async def count_apart(api: client.ApiClient, namespace: str) -> None:
    """Give the webhooks of a namespace names of their own, in both configurations."""
    for collection in CONFIGURATIONS:
        path = f"{collection}/{NAME}"
        found = await call(api, "GET", path)
        found["webhooks"] = [
            named for each in found["webhooks"] for named in _parted(each, namespace)
        ]
        await call(api, "PUT", path, found)


def _parted(webhook: dict[str, Any], namespace: str) -> list[dict[str, Any]]:
    """The webhook for that namespace, and for all others and objects without one."""
    apart = {**copy.deepcopy(webhook), "name": f"{_PREFIX}{webhook['name']}"}
    for each, operator in ((apart, "In"), (webhook, "NotIn")):
        rule = {"key": _NAMESPACE, "operator": operator, "values": [namespace]}
        each.setdefault("namespaceSelector", {}).setdefault("matchExpressions", []).append(rule)
    return [apart, webhook]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waits:
    """A histogram of calls of the webhooks of that namespace so far."""

    buckets: Buckets

    @classmethod
    async def read(cls, server: ApiServer) -> "Waits":
        """From the API server's metrics page."""
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=server.ca))
        headers = {"Authorization": f"Bearer {server.token}"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            page = await counting.page(session, server.url)
        lines = [line for line in page.splitlines() if f'name="{_PREFIX}' in line]
        return cls(buckets=counting.buckets("\n".join(lines), METRIC))

    def since(self, before: "Waits", *, goal_seconds: float) -> dict[str, float]:
        """Milliseconds at p50 and p99, linear within a bucket, and the share within the goal.

        The goal is a bound of the histogram, so the share is exact.
        """
        found = counting.since(before.buckets, self.buckets)
        total = max(found.values(), default=0.0)
        return {
            "webhooksP50": round(1000 * counting.quantile(found, 0.5), 1),
            "webhooksP99": round(1000 * counting.quantile(found, 0.99), 1),
            "webhooksInTime": round(found[goal_seconds] / total, 4) if total else 1.0,
        }
