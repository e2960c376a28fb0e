"""An operator whose connection to the API server a test can break; the test's own is intact."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from aiohttp import web

from dev.servers.apiserver import ApiServer, kubeconfig_content
from dev.servers.toxiproxy import Link, Toxiproxy
from tests.faults.aftermath import Scene, aftermath
from tests.support import custom_objects
from tests.support.builders.objects import Raw
from tests.support.certificates import issue
from tests.support.faults_table import Healing
from tests.support.interceptor import Asked, Before, Interceptor, Lines, running_interceptor
from tests.support.operator.namespace import Operated
from tests.support.operator.operator_process import operator_process
from tests.support.operator.replicas import account, user
from tests.support.waiting import assert_eventually

NAME: Final = "operator"
REST: Final = 4.0
RECOVERY_SECONDS: Final = 150
"""Seconds: a silent watch is closed after 70, and the test machine may be slow."""
LASTS: Final = 12.0
MOST: Final = 5.0
"""Requests per second for one path."""


@dataclasses.dataclass(kw_only=True)
class Way:
    """The operator connects through `link` (TCP) and `between` (HTTP) to the API server."""

    operated: Operated
    link: Link
    between: Interceptor
    environ: Mapping[str, str]
    scene: Scene

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[subprocess.Popen[bytes]]:
        """Run the operator, which must not exit before the block ends."""
        async with operator_process(self.environ, self.scene.log) as process:
            yield process
            assert process.poll() is None, self.scene.log.read_text()[-3000:]

    @contextlib.contextmanager
    def before(self, hook: Before) -> Iterator[None]:
        """Answer requests by `hook` while the block runs; open watches are closed at its start."""
        self.between.before = hook
        self.between.close_watches()
        try:
            yield
        finally:
            self.between.before = lambda _: None

    @contextlib.contextmanager
    def lines(self, hook: Lines) -> Iterator[None]:
        """Change the lines of watches by `hook` while the block runs."""
        before, self.between.lines = self.between.lines, hook
        try:
            yield
        finally:
            self.between.lines = before

    def is_idle(self) -> bool:
        """Whether there was no request for some seconds."""
        return all(each.at < time.monotonic() - REST for each in self.between.asked[-1:])

    def busiest(self, since: float) -> float:
        """Requests per second for the path with the most requests since then."""
        paths = collections.Counter(
            each.path.partition("?")[0] for each in self.between.asked if each.at >= since
        )
        return max(paths.values(), default=0) / (time.monotonic() - since)

    async def request_changes(self, first: Raw) -> Raw:
        """Create another server, and change the replicas of the first one."""
        spec = first["spec"]
        await custom_objects.patch(self.operated.api, first, {"spec": {"replicas": 3}}, "scale")
        return await self.operated.serve(modelName=spec["modelName"])

    async def wait_until_applied(self, first: Raw, second: Raw) -> None:
        """Wait until the cluster has the state that `request_changes` requested."""
        await self.wait_for_replicas(first, replicas=3)
        await self.wait_for_replicas(second, replicas=second["spec"]["replicas"])

    async def wait_for_replicas(self, serve: Raw, *, replicas: int) -> None:
        """Wait until the Deployment of a server has this number of replicas."""
        name = serve["metadata"]["name"]

        async def has_replicas() -> bool:
            found = {each["metadata"]["name"]: each for each in await self._deployments()}
            assert name in found
            return bool(found[name]["spec"]["replicas"] == replicas)

        await assert_eventually(has_replicas, timeout=RECOVERY_SECONDS)

    async def _deployments(self) -> list[Raw]:
        return await self.operated.children("deployments")

    async def aftermath(self) -> None:
        """Check the conditions that must be true after any fault."""
        await aftermath(self.scene)


Fault = Callable[[Way], contextlib.AbstractContextManager[None]]


@contextlib.asynccontextmanager
async def running_way(
    operated: Operated, server: ApiServer, proxies: Toxiproxy, folder: Path, **environ: str
) -> AsyncIterator[Way]:
    """An operator with a breakable connection to the API server and these additional settings."""
    token, shown = await account(operated, NAME), issue(folder)
    trusted = ssl.create_default_context(cafile=str(server.ca))
    async with running_interceptor(server.url, trusted=trusted, shown=shown) as (between, address):
        with proxies.link(operated.namespace, address.removeprefix("https://")) as link:
            path = folder / "operator.kubeconfig"
            content = kubeconfig_content(f"https://{link.address}", shown.authority, token)
            path.write_text(json.dumps(content))
            scene = Scene(
                operated=operated,
                server=server,
                log=folder / "operator.log",
                users=(user(operated.namespace, NAME),),
                tokens=(token,),
            )
            yield Way(
                operated=operated,
                link=link,
                between=between,
                environ=operated.site.environ(path, **environ),
                scene=scene,
            )


async def create_served(way: Way) -> Raw:
    """Create a ModelServe, and wait for its model, its Deployment and an idle operator.

    After its start, and after each new list by kopf, an operator lists once more by itself.
    """
    serve = await way.operated.serve(modelName=way.operated.site.publish(), replicas=1)
    await way.operated.wait_for_deployment(serve)
    await assert_eventually(way.is_idle, timeout=RECOVERY_SECONDS)
    return serve


def answering(
    status: int, headers: Mapping[str, str] | None = None
) -> Callable[[Asked], web.Response]:
    """A hook for `Way.before`: all requests get this answer."""
    return lambda _: web.Response(status=status, headers=headers)


async def run_with_fault(way: Way, fault: Fault, healing: Healing, *, lasts: float = LASTS) -> None:
    """Start an operator, inject `fault`, change objects, end the fault, and check the recovery."""
    async with way.operator():
        first = await create_served(way)
        with fault(way):
            began = time.monotonic()
            second = await way.request_changes(first)
            await asyncio.sleep(lasts)
            assert way.busiest(began) < MOST
        with healing():
            await way.wait_until_applied(first, second)
        await way.aftermath()
