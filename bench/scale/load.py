"""The ModelServes of the load, and a bare client that creates their children itself."""

import asyncio
import contextlib
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import aiohttp

from dev.servers.apiserver import ApiServer
from roadstead.kube.kube_client import KubeClient
from roadstead.kube.resources import (
    CHILDREN,
    DEPLOYMENTS,
    EVENTS,
    MODELSERVES,
    NAMESPACES,
    PODS,
    SECRETS,
    Resource,
    resource_of,
)

IN_FLIGHT: Final = 16
"""Concurrent requests: as many as the operator has workers."""
ARRIVAL_DEADLINE_SECONDS: Final = 900.0
_NAME: Final = "pattern-of-a-server"
_UID: Final = "pattern-of-a-uid"
_NAMESPACE: Final = "pattern-of-a-place"

_T = TypeVar("_T")
Name = tuple[str, str]
Serve = Callable[[str, str], Mapping[str, Any]]
"""Creates a ModelServe from a namespace and a name."""


class BareClient:
    """Sends prepared bytes; Python could not be faster."""

    def __init__(self, server: ApiServer, session: aiohttp.ClientSession) -> None:
        self.url = server.url
        self.session = session

    async def send(self, method: str, path: str, body: bytes, kind: str = "json") -> bytes:
        """The answer. Raises RuntimeError if it is an error."""
        headers = {"Content-Type": f"application/{kind}"}
        async with self.session.request(
            method, f"{self.url}{path}", data=body, headers=headers
        ) as answer:
            data = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status}: {data[:300]!r}")
            return data


@contextlib.asynccontextmanager
async def bare(server: ApiServer) -> AsyncIterator[BareClient]:
    """A client with the administrator's rights."""
    context = ssl.create_default_context(cafile=str(server.ca))
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=2 * IN_FLIGHT, ssl=context),
        headers={"Authorization": f"Bearer {server.token}"},
    ) as session:
        yield BareClient(server, session)


class Templates:
    """The children of one server as bytes, into which other names are inserted."""

    def __init__(self, children: Sequence[Mapping[str, Any]]) -> None:
        self._bodies = [(resource_of(child), json.dumps(child).encode()) for child in children]

    def of(self, name: Name, uid: str) -> list[tuple[str, bytes]]:
        """Path and body of each child."""
        return [
            (
                resource.collection(name[0]),
                body.replace(_NAME.encode(), name[1].encode())
                .replace(_UID.encode(), uid.encode())
                .replace(_NAMESPACE.encode(), name[0].encode()),
            )
            for resource, body in self._bodies
        ]


def template_name() -> tuple[Name, str]:
    """Name and UID of the server whose children are the templates."""
    return (_NAMESPACE, _NAME), _UID


class Arrivals:
    """Times at which the Deployments were seen: the child that is written last."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube
        self._seen: dict[Name, float] = {}
        self._awaited: set[Name] = set()
        self._all = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator["Arrivals"]:
        """Watch while the block runs."""
        version = 0
        async for part in self._kube.list(DEPLOYMENTS):
            version = part.version
        task = asyncio.create_task(self._watch(version))
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self, version: int) -> None:
        events = self._kube.watch(DEPLOYMENTS, version=version, seconds=86400, silence=600)
        async for event in events:
            if event["type"] == "ADDED":
                meta = event["object"]["metadata"]
                name = meta["namespace"], meta["name"]
                self._seen.setdefault(name, time.perf_counter())
                self._awaited.discard(name)
                if not self._awaited:
                    self._all.set()

    async def all_of(self, names: Iterable[Name]) -> float:
        """Wait for all of these; the time at which the last one was seen."""
        wanted = list(names)
        self._awaited = {name for name in wanted if name not in self._seen}
        self._all.clear()
        if self._awaited:
            async with asyncio.timeout(ARRIVAL_DEADLINE_SECONDS):
                await self._all.wait()
        return max(self._seen[name] for name in wanted)


async def in_flight(items: Iterable[_T], work: Callable[[_T], Awaitable[object]]) -> None:
    """Process all items in order, IN_FLIGHT at a time."""
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(worker())


async def ask(client: BareClient, serve: Serve, name: Name) -> str:
    """Create one ModelServe; returns its UID."""
    body = json.dumps(serve(*name)).encode()
    answer = await client.send("POST", MODELSERVES.collection(name[0]), body)
    uid: str = json.loads(answer)["metadata"]["uid"]
    return uid


async def make(client: BareClient, serve: Serve, templates: Templates, name: Name) -> None:
    """Create one ModelServe and its children, one after the other."""
    uid = await ask(client, serve, name)
    for path, body in templates.of(name, uid):
        await client.send("POST", path, body)


async def namespace(kube: KubeClient, name: str) -> str:
    """Create a namespace for a burst."""
    await kube.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    return name


async def clear(client: BareClient, place: str) -> None:
    """Delete the objects of a burst: there is no garbage collector."""
    for resource in (MODELSERVES, *CHILDREN, SECRETS, PODS, EVENTS):
        await client.send("DELETE", resource.collection(place), b"")


async def count(kube: KubeClient, resource: Resource, place: str) -> int:
    """Number of objects of a kind in a namespace."""
    return sum([len(part.items) async for part in kube.list(resource, namespace=place)])
