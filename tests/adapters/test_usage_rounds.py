"""Rounds of requests to kubelets and servers, some of which don't respond."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from dev.servers.objectstore import Certificate
from roadstead.api.usage import UsageSample
from roadstead.controllers.ledger_feed import INDEXES
from roadstead.controllers.usage.usage_collector import Collector
from roadstead.controllers.usage.usage_nodes import Nodes
from roadstead.controllers.usage.usage_rounds import SERVERS_AT_ONCE, Rounds
from roadstead.controllers.usage.usage_targets import targets
from roadstead.errors import KubeNotFound
from roadstead.kube.kube_client import KubeCredentials, Object, Page
from roadstead.kube.resources import MODELSERVES, PODS, Resource
from roadstead.kube.watch_cache import Name, WatchCache
from roadstead.usage.cadvisor import CPU, PEAK, WORKING_SET
from roadstead.usage.figures import ShownUsage
from roadstead.usage.server_metrics import LlamaServers
from tests.adapters.test_kubelet import serving
from tests.support.builders.metric_pages import LLAMA, line
from tests.support.builders.pods import of_server, usage_pod
from tests.support.builders.resources import make_serve

SERVERS = 20


class Api:
    """Nodes at 127.0.0.1, and metrics.k8s.io where it is installed."""

    def __init__(self, port: int, certificate: Certificate) -> None:
        self.port = port
        self.ca_file = str(certificate.authority)
        self.pod_metrics: list[dict[str, Any]] | None = None
        self.lists = 0

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        addresses = [{"type": "InternalIP", "address": "127.0.0.1"}]
        endpoint = {"kubeletEndpoint": {"Port": self.port}}
        return {"status": {"addresses": addresses, "daemonEndpoints": endpoint}}

    async def list(
        self, resource: Resource, *, selector: str = "", namespace: str = "", fields: str = ""
    ) -> AsyncIterator[Page]:
        self.lists += 1
        if self.pod_metrics is None:
            raise KubeNotFound("no such group", status=404)
        yield Page(version=0, items=self.pod_metrics)

    async def credentials(self) -> KubeCredentials:
        return KubeCredentials(
            authorization="Bearer token", ca_file=self.ca_file, cert_file="", key_file=""
        )


class Site:
    """A collector with a cache of SERVERS servers on one node, whose kubelet is `kubelet`."""

    def __init__(self) -> None:
        self.status, self.scrapes = 200, 0
        self.cpu = 10.0
        self.samples: list[UsageSample] = []
        self.woken: list[Name] = []
        self.now = 1_800_000_000.0
        self.cache = WatchCache(INDEXES)
        for number in range(SERVERS):
            self.cache.put(MODELSERVES, make_serve(f"gemma-{number}", f"uid-{number}").raw)
            name, uuid = f"gemma-{number}", f"uid-{number}"
            item = of_server(usage_pod(f"{name}-a"), uuid, deployment=name)
            item["status"]["podIP"] = "127.0.0.1"
            self.cache.put(PODS, item)

    async def kubelet(self, _: web.Request) -> web.Response:
        self.scrapes += 1
        lines = [
            line(name, value, pod=("demo", f"gemma-{number}-a"), at=None, cgroup=f"/{number}")
            for number in range(SERVERS)
            for name, value in ((WORKING_SET, 100 + number), (PEAK, 200), (CPU, self.cpu))
        ]
        return web.Response(status=self.status, text="".join(lines))

    async def llama(self, request: web.Request) -> web.Response:
        key = request.headers.get("Authorization", "")
        return web.Response(body=LLAMA, status=200 if key == "Bearer key of uid-0" else 401)

    async def round(self) -> None:
        self.now += 15
        await self.collector.collect()

    @contextlib.asynccontextmanager
    async def collecting(self, certificate: Certificate) -> AsyncIterator[Api]:
        servers = LlamaServers.open(timeout=60)
        async with (
            contextlib.AsyncExitStack() as closing,
            serving(self.kubelet, certificate) as port,
            serving(self.llama) as llama_port,
        ):
            closing.push_async_callback(servers.close)
            api = Api(port, certificate)
            rounds = Rounds(
                client=api,
                nodes=Nodes(api, interval=15),
                servers=servers,
                key=lambda uuid: f"key of {uuid}",
                ca_file="",
                port=llama_port,
                clock=lambda: self.now,
            )
            self.collector = Collector(
                interval=15,
                cache=self.cache,
                rounds=rounds,
                shown=ShownUsage(),
                wake=self.woken.append,
                sinks=[self.broken, self.samples.extend],
                clock=lambda: self.now,
            )
            yield api

    def broken(self, _: object) -> None:
        raise OSError("the ledger is away")


async def test_node_is_queried_once_per_round(
    certificate: Certificate,
) -> None:
    site = Site()
    async with site.collecting(certificate) as api:
        await site.round()
        await site.round()
    assert (site.scrapes, api.lists) == (2, 0)


async def test_server_is_woken_only_when_its_usage_changes(
    certificate: Certificate,
) -> None:
    site = Site()
    async with site.collecting(certificate):
        await site.round()
        assert sorted(site.woken) == sorted(("demo", f"gemma-{n}") for n in range(SERVERS))
        await site.round()
        site.woken.clear()
        for _ in range(5):
            await site.round()
    assert site.woken == []
    shown = site.collector.shown.of("uid-7", {})
    assert shown is not None
    assert (shown.memory, shown.memory_max, shown.cpu_percent) == (107, 200, 0)


async def test_samples_are_delivered_though_another_sink_fails(
    certificate: Certificate,
) -> None:
    site = Site()
    async with site.collecting(certificate):
        await site.round()
        assert site.samples == []
        site.cpu += 15
        await site.round()
    assert len(site.samples) == SERVERS
    by_uuid = {sample.server_uuid: sample for sample in site.samples}
    assert by_uuid["uid-3"].cpu_usage_percent == pytest.approx(100)
    assert by_uuid["uid-0"].requests_deferred == 3
    # The others were queried with another key than this llama-server accepts.
    assert by_uuid["uid-1"].requests_deferred is None


async def test_refusing_kubelet_is_replaced_by_one_list_of_metrics(
    certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    site = Site()
    site.status = 403
    usage = {"memory": "1Ki", "cpu": "500m"}
    async with site.collecting(certificate) as api:
        api.pod_metrics = [
            {
                "metadata": {"namespace": "demo", "name": f"gemma-{number}-a"},
                "containers": [{"name": "llama-server", "usage": usage}],
            }
            for number in range(SERVERS)
        ]
        await site.round()
        await site.round()
        site.status = 200
        site.now += 60
        await site.round()
        assert api.lists == 2
    assert {sample.cpu_usage_percent for sample in site.samples} == {50.0}
    assert site.samples[0].memory_max_bytes == 1024
    levels = [record.levelname for record in caplog.records if "the kubelet of" in record.message]
    assert levels == ["WARNING", "INFO"]


async def test_no_samples_without_any_source_of_metrics(
    certificate: Certificate, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()
    site.status = 403
    async with site.collecting(certificate):
        for _ in range(3):
            await site.round()
    assert (site.samples, site.woken) == ([], [])
    lines = [
        record.message for record in caplog.records if "usage from metrics.k8s.io" in record.message
    ]
    assert len(lines) == 1


async def test_usage_of_a_deleted_server_is_dropped(certificate: Certificate) -> None:
    site = Site()
    async with site.collecting(certificate):
        await site.round()
        site.cache.remove(MODELSERVES, ("demo", "gemma-3"))
        await site.round()
    assert site.collector.shown.of("uid-3", {}) is None


async def test_server_without_pods_uses_nothing_and_keeps_its_maximum(
    certificate: Certificate,
) -> None:
    site = Site()
    async with site.collecting(certificate):
        await site.round()
        site.cache.remove(PODS, ("demo", "gemma-3-a"))
        await site.round()
    shown = site.collector.shown.of("uid-3", {})
    assert shown is not None
    assert (shown.memory, shown.memory_max) == (0, 200)


async def test_pods_that_hang_do_not_delay_other_servers(
    certificate: Certificate,
) -> None:
    site, pods = Site(), 3 * SERVERS_AT_ONCE
    for number in range(pods):
        item = of_server(usage_pod(f"gemma-1-{number}"), "uid-1", deployment="gemma-1")
        item["status"]["podIP"] = "127.0.0.1"
        site.cache.put(PODS, item)

    async def llama(request: web.Request) -> web.Response:
        if request.headers["Authorization"] == "Bearer key of uid-1":
            await asyncio.Event().wait()
        return web.Response(body=LLAMA)

    site.llama = llama  # type: ignore[method-assign]  # another server than the others'
    hostile, innocent = (f"gemma-{number}" for number in (1, 2))
    found = sorted(targets(site.cache), key=lambda each: each.name[1] != hostile)
    asked = [each for each in found if each.name[1] in (hostile, innocent)]
    # The timeout of servers that hang is twenty seconds.
    async with site.collecting(certificate):
        heard = await site.collector.rounds.measure(asked, seconds=20)
    assert [*heard.llama] == [asked[-1].pods[0].uid]
