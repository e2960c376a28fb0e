"""Limits of long-lived requests: no subject can block others."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any, cast

from aiohttp import ClientError, TCPConnector, web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Middleware

from roadstead.console.auth.console_sessions import Session
from roadstead.console.servers_host import ServersHost
from roadstead.console.web.chat_relay import MAX_OPEN, ChatRelay
from roadstead.console.web.openings import Openings
from roadstead.console.web.site import SESSION
from roadstead.tokens.claims import Claims

PATH = f"/api/servers/{'0' * 8}-0000-0000-0000-{'0' * 12}/v1/chat/completions"


def claims_of(subject: str) -> Claims:
    return Claims(
        subject=subject,
        issuer="test",
        audience=("roadstead",),
        groups=frozenset(),
        scopes=frozenset(),
        token_id="",
        issued_at=0,
        expires_at=1,
    )


def test_limits_apply_per_subject_and_in_total() -> None:
    openings = Openings(most=3, each=2)
    eve, alice, bob = map(claims_of, ("eve", "alice", "bob"))
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(openings.acquire(eve)) for _ in range(2))
        assert (first, second) == (True, True)
        with openings.acquire(dataclasses.replace(eve, token_id="another")) as acquired:
            assert not acquired
        assert stack.enter_context(openings.acquire(alice))
        with openings.acquire(bob) as acquired:
            assert not acquired
    with openings.acquire(eve) as acquired:
        assert acquired


class Nowhere:
    """A gateway that does not answer."""

    authority = hostname = "gateway"

    def address_of(self, *_: str) -> str:
        raise ClientError("unreachable")


class Identified:
    """Trusts the header X-Who; sets `all_arrived` after `awaited` requests of Eve."""

    def __init__(self, awaited: int) -> None:
        self.all_arrived = asyncio.Event()
        self._awaited = awaited

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def identified(request: web.Request, handler: Any) -> web.StreamResponse:
            subject = request.headers["X-Who"]
            request[SESSION] = Session(claims=claims_of(subject), token="t")
            self._awaited -= subject == "eve"
            if not self._awaited:
                self.all_arrived.set()
            return cast(web.StreamResponse, await handler(request))

        return identified


async def endless() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.Event().wait()


async def test_endless_chats_of_one_subject_do_not_block_others() -> None:
    relay = ChatRelay(cast(ServersHost, Nowhere()))
    identified = Identified(awaited=MAX_OPEN)
    app = web.Application(middlewares=[identified.middleware])
    app.add_routes(relay.routes())
    app.cleanup_ctx.append(relay.connected)
    connector = TCPConnector(limit=0)
    async with TestClient(TestServer(app), connector=connector) as client:

        async def ask(subject: str, body: Any) -> int:
            async with client.post(PATH, data=body, headers={"X-Who": subject}) as response:
                return response.status

        requests = [asyncio.ensure_future(ask("eve", endless())) for _ in range(MAX_OPEN)]
        try:
            await identified.all_arrived.wait()
            assert await ask("alice", b"{}") == 502
        finally:
            for each in requests:
                each.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
