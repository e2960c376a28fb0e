"""An operator whose way to the API server a test can break; the test's own way stays as it is."""

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
PATIENCE: Final = 150
"""Seconds: a watch that tells nothing is given up after 70, and machines are shared."""
LASTS: Final = 12.0
MOST: Final = 5.0
"""Requests a second for one kind."""


@dataclasses.dataclass(kw_only=True)
class Way:
    """The operator asks through `link` (TCP), which leads to `between` (HTTP) and the server."""

    operated: Operated
    link: Link
    between: Interceptor
    environ: Mapping[str, str]
    scene: Scene

    @contextlib.asynccontextmanager
    async def operator(self) -> AsyncIterator[subprocess.Popen[bytes]]:
        """The operator, which must not end before the block does."""
        async with operator_process(self.environ, self.scene.log) as process:
            yield process
            assert process.poll() is None, self.scene.log.read_text()[-3000:]

    @contextlib.contextmanager
    def before(self, hook: Before) -> Iterator[None]:
        """Other answers for as long as the block lasts; open watches end as it begins."""
        self.between.before = hook
        self.between.close_watches()
        try:
            yield
        finally:
            self.between.before = lambda _: None

    @contextlib.contextmanager
    def lines(self, hook: Lines) -> Iterator[None]:
        """Other lines of watches for as long as the block lasts."""
        before, self.between.lines = self.between.lines, hook
        try:
            yield
        finally:
            self.between.lines = before

    def rests(self) -> bool:
        """Whether nothing was asked for a moment."""
        return all(each.at < time.monotonic() - REST for each in self.between.asked[-1:])

    def busiest(self, since: float) -> float:
        """Requests a second for what was asked for most since then."""
        paths = collections.Counter(
            each.path.partition("?")[0] for each in self.between.asked if each.at >= since
        )
        return max(paths.values(), default=0) / (time.monotonic() - since)

    async def changed(self, first: Raw) -> Raw:
        """Ask for one more server, and for another number of replicas of the first one."""
        spec = first["spec"]
        await custom_objects.patch(self.operated.api, first, {"spec": {"replicas": 3}}, "scale")
        return await self.operated.serve(modelName=spec["modelName"])

    async def as_asked(self, first: Raw, second: Raw) -> None:
        """Wait until the cluster has what `changed` asked for."""
        await self.has(first, replicas=3)
        await self.has(second, replicas=second["spec"]["replicas"])

    async def has(self, serve: Raw, *, replicas: int) -> None:
        """Wait until the Deployment of a server has so many replicas."""
        name = serve["metadata"]["name"]

        async def brought() -> bool:
            found = {each["metadata"]["name"]: each for each in await self._deployments()}
            assert name in found
            return bool(found[name]["spec"]["replicas"] == replicas)

        await assert_eventually(brought, timeout=PATIENCE)

    async def _deployments(self) -> list[Raw]:
        return await self.operated.children("deployments")

    async def aftermath(self) -> None:
        """What must hold after any fault."""
        await aftermath(self.scene)


Fault = Callable[[Way], contextlib.AbstractContextManager[None]]


@contextlib.asynccontextmanager
async def leading(
    operated: Operated, server: ApiServer, proxies: Toxiproxy, folder: Path, **environ: str
) -> AsyncIterator[Way]:
    """A way to the API server for an operator with these settings besides."""
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


async def served(way: Way) -> Raw:
    """A ModelServe that has its model and its Deployment, under an operator that is at rest.

    After its start, and after each new list of kopf's, an operator lists once more by itself.
    """
    serve = await way.operated.serve(modelName=way.operated.site.publish(), replicas=1)
    await way.operated.wait_for_deployment(serve)
    await assert_eventually(way.rests, timeout=PATIENCE)
    return serve


def answering(
    status: int, headers: Mapping[str, str] | None = None
) -> Callable[[Asked], web.Response]:
    """A hook for `Way.before`: every request gets this."""
    return lambda _: web.Response(status=status, headers=headers)


async def befallen(way: Way, fault: Fault, healing: Healing, *, lasts: float = LASTS) -> None:
    """Under an operator at work, `fault` begins, people ask for something, and it ends."""
    async with way.operator():
        first = await served(way)
        with fault(way):
            began = time.monotonic()
            second = await way.changed(first)
            await asyncio.sleep(lasts)
            assert way.busiest(began) < MOST
        with healing():
            await way.as_asked(first, second)
        await way.aftermath()
