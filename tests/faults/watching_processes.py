"""The webhooks, forward auth and the console, whose watches a test can break.

All watch the ConfigMap of revoked tokens in one namespace; each shows whether a subject is revoked.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from kubernetes.aio import client

from dev.console import server as console_server
from dev.console.tokens import make_token
from dev.servers.apiclient import connect
from dev.servers.apiserver import ApiServer, kubeconfig_content
from tests.support.builders.objects import make_modelserve
from tests.support.builders.reviews import review
from tests.support.certificates import issue
from tests.support.console_browser import Browser
from tests.support.custom_objects import call
from tests.support.forwardauth import auth_process
from tests.support.forwardauth.permitted_server import make_site
from tests.support.interceptor import Before, Interceptor, Lines, running_interceptor
from tests.support.webhooks import webhook_process
from tests.support.webhooks.tokens import dev_token, with_token

NAMESPACE: Final = "watching-processes"
SUBJECT: Final = "mallory"
REVOCATIONS: Final = auth_process.REVOCATIONS
CONFIGMAPS: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
NO_LEDGER: Final = "postgresql://nobody@127.0.0.1:1/none"
"""The console needs no ledger to decide who may sign in."""

T = TypeVar("T")
IsRevoked = Callable[[], Awaitable[bool]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class WatchingProcesses:
    """Three processes, connected through `between` to the API server."""

    between: Interceptor
    api: client.ApiClient
    processes: Mapping[str, IsRevoked]
    """Whether SUBJECT is revoked, in the view of each process."""

    async def set_revoked(self, revoked: bool) -> None:
        """Create or delete the list of revoked tokens: a deletion is easily missed."""
        if revoked:
            meta = {"name": REVOCATIONS}
            await call(self.api, "POST", CONFIGMAPS, {"metadata": meta, "data": {"sub": SUBJECT}})
        else:
            await call(self.api, "DELETE", f"{CONFIGMAPS}/{REVOCATIONS}")

    async def unaware(self, *, revoked: bool) -> list[str]:
        """The processes that have another view."""
        found = {name: await is_revoked() for name, is_revoked in self.processes.items()}
        return [name for name, view in found.items() if view is not revoked]

    @contextlib.contextmanager
    def before(self, hook: Before) -> Iterator[None]:
        """Answer requests by `hook` while the block runs; open watches are closed at its start."""
        usual, self.between.before = self.between.before, hook
        self.between.close_watches()
        try:
            yield
        finally:
            self.between.before = usual

    @contextlib.contextmanager
    def lines(self, hook: Lines) -> Iterator[None]:
        """Change the lines of watches by `hook` while the block runs."""
        usual, self.between.lines = self.between.lines, hook
        try:
            yield
        finally:
            self.between.lines = usual

    def busiest(self, since: float) -> float:
        """Requests per second and process for the path with the most requests since then."""
        paths = collections.Counter(
            each.path.partition("?")[0] for each in self.between.asked if each.at >= since
        )
        seconds = time.monotonic() - since
        return max(paths.values(), default=0) / seconds / len(self.processes)


@contextlib.asynccontextmanager
async def watching_processes(server: ApiServer, folder: Path) -> AsyncIterator[WatchingProcesses]:
    """Run the three processes."""
    shown, trusted = issue(folder), ssl.create_default_context(cafile=str(server.ca))
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(connect(server))
        await call(api, "POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        between, address = await stack.enter_async_context(
            running_interceptor(server.url, trusted=trusted, shown=shown)
        )
        path = folder / "kubeconfig"
        path.write_text(json.dumps(kubeconfig_content(address, shown.authority, server.token)))
        broken = dataclasses.replace(server, kubeconfig=path)
        # One after the other, in threads: they wait for the API server, which is in this loop.
        processes = {
            "webhooks": await _webhooks(stack, broken, folder),
            "forward auth": await _forward_auth(stack, broken, folder, api),
            "console": await _console(stack, broken, folder),
        }
        yield WatchingProcesses(between=between, api=api, processes=processes)


async def _enter(
    stack: contextlib.AsyncExitStack, manager: contextlib.AbstractContextManager[T]
) -> T:
    found = await asyncio.to_thread(manager.__enter__)
    stack.push(manager.__exit__)
    return found


async def _webhooks(stack: contextlib.AsyncExitStack, server: ApiServer, parent: Path) -> IsRevoked:
    (parent / "webhooks").mkdir()
    folder = webhook_process.prepare(parent / "webhooks")
    where = {"ROADSTEAD_NAMESPACE": NAMESPACE, "ROADSTEAD_REVOCATIONS": REVOCATIONS}
    running = await _enter(
        stack, webhook_process.running_webhooks(server, folder, name="watching", **where)
    )
    trust = ssl.create_default_context(cadata=folder.ca.decode())
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            f"https://127.0.0.1:{running.port}", connector=aiohttp.TCPConnector(ssl=trust)
        )
    )

    async def is_revoked() -> bool:
        serve = with_token(make_modelserve(NAMESPACE), dev_token(folder, SUBJECT))
        path = f"/mutate/{folder.review_secret}"
        async with session.post(path, json=review("CREATE", serve)) as answer:
            return "revoked" in json.dumps((await answer.json())["response"])

    return is_revoked


async def _forward_auth(
    stack: contextlib.AsyncExitStack, server: ApiServer, parent: Path, api: client.ApiClient
) -> IsRevoked:
    (parent / "forward-auth").mkdir()
    folder = auth_process.prepare(parent / "forward-auth")
    site = await make_site(api, NAMESPACE)
    running = await _enter(
        stack,
        auth_process.running_auth(server, folder, name="watching", ROADSTEAD_NAMESPACE=NAMESPACE),
    )

    async def is_revoked() -> bool:
        answer = await asyncio.to_thread(running.ask, site.uuid, make_token(SUBJECT))
        return answer.status == 403 and answer.code == "TokenRevoked"

    return is_revoked


async def _console(stack: contextlib.AsyncExitStack, server: ApiServer, parent: Path) -> IsRevoked:
    (parent / "console").mkdir()
    running = await _enter(
        stack,
        console_server.running_console(
            server.kubeconfig, NO_LEDGER, parent / "console", ROADSTEAD_NAMESPACE=NAMESPACE
        ),
    )
    browser = await stack.enter_async_context(Browser(running.origin))

    async def is_revoked() -> bool:
        return (await browser.sign_in(SUBJECT)).status != 303

    return is_revoked
