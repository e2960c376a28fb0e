"""The work queue: each object has one worker at a time and blocks no other."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from roadstead.controllers.queue import (
    UNAVAILABLE_BACKOFF,
    Reconcile,
    WorkQueue,
)
from roadstead.errors import KubeConflict, KubeUnavailable
from roadstead.kube.watch_cache import Name
from tests.support.waiting import assert_eventually


@contextlib.asynccontextmanager
async def working(reconcile: Reconcile, *, workers: int = 4) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue("test", reconcile, workers=workers)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_many_puts_of_a_waiting_object_are_one_entry() -> None:
    seen: Counter[Name] = Counter()

    async def reconcile(key: Name) -> None:
        seen[key] += 1

    queue = WorkQueue("test", reconcile, workers=2)
    for _ in range(100):
        queue.put(("", "a"))
    task = asyncio.create_task(queue.run())
    await assert_eventually(lambda: seen["", "a"] == 1, interval=0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert seen == {("", "a"): 1}


async def test_an_object_queued_during_its_reconcile_is_reconciled_again() -> None:
    entered, go, seen = asyncio.Event(), asyncio.Event(), Counter[Name]()

    async def reconcile(key: Name) -> None:
        seen[key] += 1
        entered.set()
        await go.wait()

    async with working(reconcile) as queue:
        queue.put(("", "a"))
        await entered.wait()
        queue.put(("", "a"))
        await asyncio.sleep(0.05)
        assert seen["", "a"] == 1
        go.set()
        await assert_eventually(lambda: seen["", "a"] == 2, interval=0.01)


async def test_a_hanging_reconcile_does_not_block_other_workers() -> None:
    done: list[Name] = []

    async def reconcile(key: Name) -> None:
        if key[1].startswith("hangs"):
            await asyncio.Event().wait()
        done.append(key)

    async with working(reconcile, workers=4) as queue:
        for name in ("hangs-1", "hangs-2", "hangs-3", "a", "b"):
            queue.put(("", name))
        await assert_eventually(lambda: sorted(done) == [("", "a"), ("", "b")], interval=0.01)


async def test_a_failed_object_is_retried_and_blocks_no_other() -> None:
    seen: Counter[Name] = Counter()

    async def reconcile(key: Name) -> None:
        seen[key] += 1
        if key[1] == "bad" and seen[key] < 3:
            raise KubeConflict("changed")

    async with working(reconcile, workers=1) as queue:
        queue.put(("", "bad"))
        queue.put(("", "good"))
        await assert_eventually(
            lambda: seen["", "good"] == 1 and seen["", "bad"] == 3, interval=0.01
        )


async def test_retries_for_the_api_server_wait_at_most_half_a_minute() -> None:
    failed = WorkQueue("test", _unavailable, workers=1)
    delays = [await failed._attempt(("", "a")) for _ in range(20)]
    assert max(each or 0.0 for each in delays) == UNAVAILABLE_BACKOFF


async def _unavailable(_: Name) -> float | None:
    raise KubeUnavailable("503")


async def test_an_unexpected_error_does_not_end_a_worker() -> None:
    seen: Counter[Name] = Counter()

    async def reconcile(key: Name) -> None:
        seen[key] += 1
        if key[1] == "bad":
            raise ZeroDivisionError

    async with working(reconcile, workers=1) as queue:
        queue.put(("", "bad"))
        queue.put(("", "good"))
        await assert_eventually(lambda: seen["", "good"] == 1, interval=0.01)


async def test_an_earlier_due_time_wins() -> None:
    seen: list[Name] = []

    async def reconcile(key: Name) -> None:
        seen.append(key)

    async with working(reconcile) as queue:
        queue.put(("", "a"), delay=3600)
        queue.put(("", "a"))
        await assert_eventually(lambda: seen == [("", "a")], interval=0.01)
        assert queue.oldest() == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_no_object_is_reconciled_twice_at_once(steps: list[tuple[int, int]]) -> None:
    active: set[Name] = set()
    seen: set[Name] = set()

    async def reconcile(key: Name) -> None:
        assert key not in active
        active.add(key)
        for _ in range(int(key[1])):
            await asyncio.sleep(0)
        active.discard(key)
        seen.add(key)

    async def play() -> None:
        async with working(reconcile, workers=2) as queue:
            for name, pause in steps:
                queue.put(("", str(name)))
                for _ in range(pause):
                    await asyncio.sleep(0)
            wanted = {("", str(name)) for name, _ in steps}
            await assert_eventually(lambda: seen == wanted and not active, interval=0.001)

    asyncio.run(play())
