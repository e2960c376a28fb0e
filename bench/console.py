"""The cost of the console with many servers: a page in Chromium, and pages that stay open."""

import argparse
import asyncio
import contextlib
import json
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
from playwright.sync_api import Page

from dev import binaries
from dev.console import chromium, sample_ledger, samples, server
from dev.console.server import ConsoleProcess
from dev.console.tokens import make_token
from dev.servers import postgres
from dev.servers.apiclient import install_crds
from dev.servers.apiserver import running
from dev.terminal import echo
from tests.support.console_browser import Browser

ROUNDS: Final = 10
GOAL_SECONDS: Final = 1.0
GOAL_BYTES: Final = 100_000
GOAL_CLIENT_BYTES: Final = 50_000
SETTLE_SECONDS: Final = 3.0
_LOADED: Final = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const parts = [page, ...performance.getEntriesByType("resource")];
    return [page.loadEventEnd, parts.reduce((sum, each) => sum + each.transferSize, 0)];
}"""


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if the goals are met, otherwise 1."""
    parser = argparse.ArgumentParser(prog="dev/bench console", description=__doc__)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=500, help="pages that are open at once")
    parser.add_argument("--output", type=Path, default=Path("bench-console.json"))
    options = parser.parse_args(arguments)
    with staged(options.servers) as console:
        echo(f"a page of {options.servers} servers, {ROUNDS} times")
        cold, warm = pages(console)
        echo(f"{options.clients} open pages")
        client = asyncio.run(client_bytes(console, options.clients))
    found = {
        "benchmark": "console",
        "servers": options.servers,
        "firstVisit": cold,
        "nextVisits": warm,
        "clients": options.clients,
        "goals": {
            "seconds": _goal(GOAL_SECONDS, max(cold["seconds"], warm["seconds"])),
            "bytes": _goal(GOAL_BYTES, cold["bytes"]),
            "bytesOfAnOpenPage": _goal(GOAL_CLIENT_BYTES, client),
        },
    }
    options.output.write_text(json.dumps(found, indent=2) + "\n")
    print(table(found))
    echo(f"written to {options.output}")
    return 0 if all(goal["met"] for goal in found["goals"].values()) else 1


@contextlib.contextmanager
def staged(servers: int) -> Iterator[ConsoleProcess]:
    """A console with so many servers of one contract."""
    programs = binaries.ensure("etcd", "kube-apiserver", "kubectl")
    with (
        tempfile.TemporaryDirectory(prefix="roadstead-bench-") as name,
        postgres.running() as database,
        running(programs, Path(name)) as api,
    ):
        made = [samples.serve(f"server-{number:04}") for number in range(servers)]
        asyncio.run(install_crds(api))
        asyncio.run(server.make_system(api))
        asyncio.run(sample_ledger.migrate_tables(database))
        asyncio.run(sample_ledger.write(database, [samples.record(samples.contract("demo"))]))
        asyncio.run(sample_ledger.write(database, [samples.record(each) for each in made]))
        asyncio.run(sample_ledger.write(database, [samples.sample(each, 5) for each in made]))
        dsn = database.dsn("reader")
        with server.running_console(api.kubeconfig, dsn, Path(name)) as console:
            yield console


def pages(console: ConsoleProcess) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds until a page is loaded and bytes on the wire, of first and of later visits."""
    with chromium.chromium() as browser:
        first = []
        for number in range(ROUNDS):
            with chromium.window(browser) as page:
                chromium.sign_in(page, console.origin, make_token(jti=f"bench-{number}"))
                first.append(_visit(page, console, fresh=True))
        with chromium.window(browser) as page:
            chromium.sign_in(page, console.origin, make_token(jti="bench"))
            later = [_visit(page, console) for _ in range(ROUNDS)]
    return _medians(first), _medians(later)


def _visit(page: Page, console: ConsoleProcess, *, fresh: bool = False) -> tuple[float, float]:
    if fresh:
        # Signing in has loaded the style sheet and the scripts; a first visit has not.
        page.context.new_cdp_session(page).send("Network.clearBrowserCache")
    page.goto(f"{console.origin}/servers", wait_until="load")
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    milliseconds, size = page.evaluate(_LOADED)
    return milliseconds / 1000, size


def _medians(visits: Sequence[tuple[float, float]]) -> dict[str, float]:
    seconds, sizes = zip(*visits, strict=True)
    return {"seconds": round(statistics.median(seconds), 3), "bytes": statistics.median(sizes)}


async def client_bytes(console: ConsoleProcess, clients: int) -> float:
    """Memory of the process per open page: its growth from a tenth of the pages to all."""
    async with (
        Browser(console.origin) as browser,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        contextlib.AsyncExitStack() as stack,
    ):
        await browser.sign_in("alice", "demo-users")
        headers, url = browser.headers(), f"{console.origin}/api/events"

        async def open_pages(count: int) -> int:
            for _ in range(count):
                response = await stack.enter_async_context(session.get(url, headers=headers))
                await response.content.readline()
            await asyncio.sleep(SETTLE_SECONDS)
            return _resident(console)

        few = clients // 10
        before = await open_pages(few)
        after = await open_pages(clients - few)
        return round((after - before) / (clients - few))


def _resident(console: ConsoleProcess) -> int:
    """Resident memory of the process in bytes."""
    for line in Path(f"/proc/{console.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the console has exited")


def _goal(most: float, found: float) -> dict[str, Any]:
    return {"atMost": most, "is": found, "met": found <= most}


def table(found: dict[str, Any]) -> str:
    """The figures as lines, with the goals."""
    lines = [f"{'':14}{'seconds':>8} {'bytes':>8}"]
    for name, title in (("firstVisit", "first visit"), ("nextVisits", "next visits")):
        visit = found[name]
        lines.append(f"{title:14}{visit['seconds']:8.3f} {visit['bytes']:8.0f}")
    for name, goal in found["goals"].items():
        met = "met" if goal["met"] else "MISSED"
        lines.append(f"goal: {name} at most {goal['atMost']:g}, is {goal['is']:g}: {met}")
    return "\n".join(lines)
