"""metrics.k8s.io at the real API server, served by a small server of the tests.

It replaces metrics-server, which needs kubelets, and there are none here. The API server
itself behaves as with metrics-server: it relays the requests for the group.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web
from kubernetes.aio import client

from dev.servers.objectstore import Certificate
from tests.support.builders.objects import Raw
from tests.support.raw_objects import get_raw, send_raw
from tests.support.waiting import assert_eventually

GROUP = "metrics.k8s.io"
SERVICES = "/api/v1/namespaces/kube-system/services"
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"v1beta1.{GROUP}"


class MetricsApi:
    """Answers lists of PodMetrics with `items`, and records their selectors."""

    def __init__(self) -> None:
        self.items: list[Raw] = []
        self.selectors: list[str] = []

    async def pods(self, request: web.Request) -> web.Response:
        self.selectors.append(request.query.get("labelSelector", ""))
        return web.json_response(
            {
                "kind": "PodMetricsList",
                "apiVersion": f"{GROUP}/v1beta1",
                "metadata": {},
                "items": self.items,
            }
        )


@contextlib.asynccontextmanager
async def serving(api: client.ApiClient, certificate: Certificate) -> AsyncIterator[MetricsApi]:
    """Serve the group while the context is open."""
    found = MetricsApi()
    app = web.Application()
    app.router.add_get(f"/apis/{GROUP}/v1beta1/pods", found.pods)
    app.router.add_get("/{path:.*}", _discovery)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        await _register(api, runner.addresses[0][1])
        await assert_eventually(lambda: _available(api))
        yield found
    finally:
        await send_raw(api, "DELETE", f"{APISERVICES}/{NAME}")
        await send_raw(api, "DELETE", f"{SERVICES}/metrics")
        await runner.cleanup()


async def _discovery(_: web.Request) -> web.Response:
    resource = {"name": "pods", "namespaced": True, "kind": "PodMetrics", "verbs": ["list"]}
    return web.json_response(
        {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{GROUP}/v1beta1",
            "resources": [resource],
        }
    )


async def _register(api: client.ApiClient, port: int) -> None:
    service = {"type": "ExternalName", "externalName": "localhost"}
    await send_raw(api, "POST", SERVICES, _object("v1", "Service", "metrics", service))
    spec = {
        "group": GROUP,
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": "kube-system", "name": "metrics", "port": port},
    }
    body = _object("apiregistration.k8s.io/v1", "APIService", NAME, spec)
    await send_raw(api, "POST", APISERVICES, body)


def _object(version: str, kind: str, name: str, spec: dict[str, Any]) -> Raw:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


async def _available(api: client.ApiClient) -> bool:
    found = await get_raw(api, f"{APISERVICES}/{NAME}")
    conditions = found.get("status", {}).get("conditions", [])
    assert [item["status"] for item in conditions if item["type"] == "Available"] == ["True"], (
        conditions
    )
    return True
