"""Server-sent events: notifications of open pages."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aiohttp

from dev.console import sample_ledger, samples
from dev.servers.postgres import Postgres
from roadstead.console.data.live import COALESCE_SECONDS
from tests.support.console_browser import Browser


@contextlib.asynccontextmanager
async def _open(browser: Browser) -> AsyncIterator[aiohttp.StreamReader]:
    url = f"{browser.origin}/api/events"
    async with browser.session.get(url, headers=browser.headers()) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        yield response.content


async def _event(stream: aiohttp.StreamReader, what: str) -> str:
    async with asyncio.timeout(120):
        async for line in stream:
            if line.startswith(b"data:") and what.encode() in line:
                return line.decode().strip()
    raise AssertionError("the stream ended")


async def test_page_is_notified_of_a_change(alice: Browser, ledger: Postgres) -> None:
    async with _open(alice) as stream:
        await stream.readline()
        await sample_ledger.write(ledger, [samples.record(samples.serve("fresh-news"))])
        assert "servers" in await _event(stream, "servers")


async def test_many_changes_are_coalesced(alice: Browser, ledger: Postgres) -> None:
    async with _open(alice) as stream:
        await stream.readline()
        began = time.monotonic()
        for number in range(20):
            await sample_ledger.write(ledger, [samples.record(samples.serve(f"many-{number}"))])
        await _event(stream, "servers")
        await asyncio.sleep(3)
        # The buffer has all messages by now. Twenty changes took about a second or more.
        messages = 2 + (time.monotonic() - began) / COALESCE_SECONDS
        assert stream.total_bytes < 64 * messages


async def test_events_require_a_session(browser: Browser) -> None:
    assert (await browser.get("/api/events")).status == 401


async def test_stream_ends_after_sign_out(alice: Browser, ledger: Postgres) -> None:
    async with _open(alice) as stream:
        await stream.readline()
        await alice.ask("POST", "/sign-out")
        await sample_ledger.write(ledger, [samples.record(samples.serve("after-the-end"))])
        async with asyncio.timeout(120):
            await stream.read()
