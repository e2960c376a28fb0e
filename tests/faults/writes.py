"""An operator behind proxies that see each of its writes and can kill it right after one.

This is the worst moment: the write is done, and the operator has not received the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from dev.servers.apiserver import ApiServer, kubeconfig_content
from dev.servers.process import start
from tests.faults.statements import running_statement_proxy
from tests.support.certificates import issue
from tests.support.interceptor import Asked, Cut, running_interceptor
from tests.support.ledger import Ledger
from tests.support.operator.operator_process import COMMAND

_CHANGES: Final = ("INSERT", "UPDATE", "DELETE")

Kills = Callable[[int, int], bool]
"""Whether to kill after a write: number of kills, and of writes since the last one."""


def never(_kills: int, _since: int) -> bool:
    """Don't kill the operator."""
    return False


@dataclasses.dataclass(kw_only=True)
class Writes:
    """Counts writes, and kills as `kills` decides."""

    kills: Kills
    kill: Callable[[], None]
    done: list[str] = dataclasses.field(default_factory=list)
    killed_after: list[str] = dataclasses.field(default_factory=list)
    _since: int = 0
    _rows: int = 0

    def add(self, what: str) -> None:
        """A write completed; raises Cut if the operator is killed before it receives the answer."""
        self.done.append(what)
        self._since += 1
        if self.kills(len(self.killed_after), self._since):
            self.killed_after.append(what)
            self._since = 0
            self.kill()
            raise Cut

    def of_http(self, where: str) -> Callable[[Asked, int], None]:
        """A hook for an Interceptor: successful requests count."""

        def after(asked: Asked, status: int) -> None:
            if asked.writes and status < 300 and "/leases/" not in asked.path:
                self.add(f"{where} {asked.method} {asked.path.partition('?')[0]}")

        return after

    def of_ledger(self, tag: str) -> None:
        """A hook for Statements: changes of rows, and the end of their transaction, count."""
        command, *counts = tag.split(" ")
        if command == "COMMIT":
            changed, self._rows = self._rows, 0
        else:
            changed = int(counts[-1]) if command in _CHANGES else 0
            self._rows += changed
        if changed:
            self.add(f"ledger {tag}")


@dataclasses.dataclass(kw_only=True)
class Incarnations:
    """`roadstead operator`, restarted whenever it exits, as a kubelet does."""

    environ: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    codes: list[int] = dataclasses.field(default_factory=list)
    """Exit codes of the processes that have exited."""

    def kill(self) -> None:
        """Kill it and its transfers at once, as the kernel kills a pod."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    async def run(self) -> None:
        """Run one process after the other until cancelled."""
        try:
            while True:
                self.process = self._begin()
                self.codes.append(await asyncio.to_thread(self.process.wait))
        finally:
            if self.process is not None and self.process.poll() is None:
                self.process.terminate()
                await asyncio.to_thread(self.process.wait)

    def _begin(self) -> subprocess.Popen[bytes]:
        return start(COMMAND, self.log, append=True, env=self.environ, start_new_session=True)


@contextlib.asynccontextmanager
async def running_operator(
    environ: dict[str, str],
    *,
    server: ApiServer,
    token: str,
    ledger: Ledger,
    folder: Path,
    kills: Kills,
) -> AsyncIterator[tuple[Writes, Incarnations]]:
    """Run an operator while the block runs; all its writes are seen.

    `environ` is its environment without the proxies, `token` its credentials at the API server.
    """
    living = Incarnations(environ=environ, log=folder / "operator.log")
    writes = Writes(kills=kills, kill=living.kill)
    shown = issue(folder)
    trusted = ssl.create_default_context(cafile=str(server.ca))
    async with contextlib.AsyncExitStack() as stack:
        kube, kube_url = await stack.enter_async_context(
            running_interceptor(server.url, trusted=trusted, shown=shown)
        )
        store, store_url = await stack.enter_async_context(
            running_interceptor(environ["ROADSTEAD_STORE_ENDPOINT"])
        )
        port = await stack.enter_async_context(
            running_statement_proxy(ledger.server.port, writes.of_ledger)
        )
        kube.after, store.after = writes.of_http("api"), writes.of_http("store")
        kubeconfig = folder / "proxied.kubeconfig"
        kubeconfig.write_text(json.dumps(kubeconfig_content(kube_url, shown.authority, token)))
        dsn = folder / "proxied.dsn"
        dsn.write_text(ledger.server.dsn("writer").replace(f":{ledger.server.port}/", f":{port}/"))
        living.environ |= {
            "KUBECONFIG": str(kubeconfig),
            "ROADSTEAD_STORE_ENDPOINT": store_url,
            "ROADSTEAD_LEDGER_DSN_FILE": str(dsn),
        }
        task = asyncio.create_task(living.run())
        try:
            yield writes, living
        finally:
            writes.kills = never
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
