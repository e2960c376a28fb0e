"""Nobody keeps others from what stays open, whoever may sign in."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any, cast

from aiohttp import ClientError, TCPConnector, web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Middleware

from roadstead.console.chat_relay import MAX_OPEN, ChatRelay
from roadstead.console.console_sessions import Session
from roadstead.console.openings import Openings
from roadstead.console.servers_host import ServersHost
from roadstead.console.site import SESSION
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


def test_one_subject_leaves_room_for_others_and_all_have_a_bound() -> None:
    openings = Openings(most=3, each=2)
    eve, alice, bob = map(claims_of, ("eve", "alice", "bob"))
    with contextlib.ExitStack() as held:
        first, second = (held.enter_context(openings.taking(eve)) for _ in range(2))
        assert (first, second) == (True, True)
        with openings.taking(dataclasses.replace(eve, token_id="another")) as taken:
            assert not taken
        assert held.enter_context(openings.taking(alice))
        with openings.taking(bob) as taken:
            assert not taken
    with openings.taking(eve) as taken:
        assert taken


class Nowhere:
    """A gateway that does not answer."""

    authority = hostname = "gateway"

    def tls(self) -> bool:
        return True

    def address_of(self, *_: str) -> str:
        raise ClientError("away")


class Identified:
    """Takes the caller's word for who he is; `all_came` once `awaited` requests of Eve have."""

    def __init__(self, awaited: int) -> None:
        self.all_came = asyncio.Event()
        self._awaited = awaited

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def identified(request: web.Request, handler: Any) -> web.StreamResponse:
            who = request.headers["X-Who"]
            request[SESSION] = Session(claims=claims_of(who), token="t")
            self._awaited -= who == "eve"
            if not self._awaited:
                self.all_came.set()
            return cast(web.StreamResponse, await handler(request))

        return identified


async def endless() -> AsyncIterator[bytes]:
    yield b"{"
    await asyncio.Event().wait()


async def test_chats_that_never_end_keep_nobody_else_from_chatting() -> None:
    relay = ChatRelay(cast(ServersHost, Nowhere()))
    identified = Identified(awaited=MAX_OPEN)
    app = web.Application(middlewares=[identified.middleware])
    app.add_routes(relay.routes())
    app.cleanup_ctx.append(relay.connected)
    connector = TCPConnector(limit=0)
    async with TestClient(TestServer(app), connector=connector) as client:

        async def ask(who: str, body: Any) -> int:
            async with client.post(PATH, data=body, headers={"X-Who": who}) as response:
                return response.status

        asked = [asyncio.ensure_future(ask("eve", endless())) for _ in range(MAX_OPEN)]
        try:
            await identified.all_came.wait()
            assert await ask("alice", b"{}") == 502
        finally:
            for each in asked:
                each.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
