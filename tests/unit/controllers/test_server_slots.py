"""Slow servers do not delay requests to other servers."""

from __future__ import annotations

import asyncio

import pytest

from roadstead.controllers.modelserve.routing import PROBES_AT_ONCE, SLOW_PROBES_AT_ONCE, Routes
from roadstead.controllers.server_slots import ServerSlots
from roadstead.gateway.probe import Reached
from tests.support.waiting import assert_eventually

ANSWERED = Reached(answered=True, reason="Answered", message="answers")
HUNG = PROBES_AT_ONCE + SLOW_PROBES_AT_ONCE
"""The number of servers that fill all slots."""


class Servers:
    """Servers whose name starts with `slow` never answer."""

    def __init__(self) -> None:
        self.asked = 0
        self.given_up = 0

    async def check(self, server_uuid: str, *, now: int = 0) -> Reached:
        self.asked += 1
        if server_uuid.startswith("slow"):
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up += 1
        return ANSWERED


def impatient(*, at_once: int = 1, slow: int = 1) -> ServerSlots:
    return ServerSlots(at_once=at_once, slow=slow, slow_after=0.01)


async def test_a_server_is_probed_while_more_servers_hang_than_slots_exist() -> None:
    servers = Servers()
    routes = Routes(probe=servers, clock=lambda: 0, on_change=lambda _: None)
    for number in range(HUNG):
        assert routes.follow(f"slow-{number}", f"slow-{number}") is None
    try:
        await assert_eventually(lambda: servers.asked >= PROBES_AT_ONCE)
        await assert_eventually(lambda: routes.follow("quick", "quick"))
    finally:
        await routes.close()


async def test_a_slow_request_frees_its_slot() -> None:
    servers, slots = Servers(), impatient()
    slow = asyncio.create_task(slots.run(lambda: servers.check("slow")))
    await assert_eventually(lambda: servers.asked)
    assert await slots.run(lambda: servers.check("quick")) is ANSWERED
    assert not slow.done()
    slow.cancel()


async def test_a_slow_request_is_cancelled_without_a_free_slow_slot() -> None:
    servers, slots = Servers(), impatient(slow=0)
    with pytest.raises(TimeoutError, match="many others are slow"):
        await slots.run(lambda: servers.check("slow"))
    await assert_eventually(lambda: servers.given_up)


async def test_a_slow_request_is_answered_in_a_slow_slot() -> None:
    slots, answer = impatient(), asyncio.Event()

    async def question() -> str:
        await answer.wait()
        return "late"

    task = asyncio.create_task(slots.run(question))
    asyncio.get_running_loop().call_later(0.1, answer.set)
    assert await task == "late"


async def test_an_error_of_a_request_is_raised() -> None:
    async def question() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await impatient().run(question)


async def test_a_cancelled_request_frees_its_slots() -> None:
    servers, slots = Servers(), impatient()
    for _ in range(3):
        task = asyncio.create_task(slots.run(lambda: servers.check("slow")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await slots.run(lambda: servers.check("quick")) is ANSWERED
    assert servers.given_up == 3
