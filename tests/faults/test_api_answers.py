"""The API server fails, refuses, throttles, or is unreachable: the operator recovers."""

import contextlib

import pytest

from tests.faults.way import Fault, Way, answering, run_with_fault
from tests.support.faults_table import Healing

BEYOND_KOPFS_PATIENCE = 70.0
"""Without our retries kopf would stop the operator after 55 s."""


@pytest.mark.fault(
    "R5", heals="requests are retried, at most half a minute apart; then the state is as requested"
)
@pytest.mark.parametrize("status", [500, pytest.param(403, marks=pytest.mark.long)])
async def test_failing_api_server_is_retried(way: Way, healing: Healing, status: int) -> None:
    await run_with_fault(way, lambda way: way.before(answering(status)), healing)


@pytest.mark.fault("R5", heals="requests are retried with backoff; then the state is as requested")
async def test_throttling_api_server_is_retried_with_backoff(way: Way, healing: Healing) -> None:
    throttled = answering(429, {"Retry-After": "3"})
    await run_with_fault(way, lambda way: way.before(throttled), healing)


def refused(way: Way) -> contextlib.AbstractContextManager[None]:
    return way.link.disconnected()


def silent(way: Way) -> contextlib.AbstractContextManager[None]:
    return way.link.toxic("timeout", timeout=0)


def reset(way: Way) -> contextlib.AbstractContextManager[None]:
    return way.link.toxic("reset_peer", timeout=0)


def slow(way: Way) -> contextlib.AbstractContextManager[None]:
    return way.link.toxic("latency", latency=30_000)


@pytest.mark.fault(
    "R5", heals="requests are retried, at most half a minute apart; then the state is as requested"
)
@pytest.mark.parametrize(
    "fault",
    [
        refused,
        silent,
        pytest.param(reset, marks=pytest.mark.long),
        pytest.param(slow, marks=pytest.mark.long),
    ],
)
async def test_unreachable_api_server_is_retried(way: Way, healing: Healing, fault: Fault) -> None:
    await run_with_fault(way, fault, healing)


@pytest.mark.long
@pytest.mark.fault("R5", heals="the operator keeps running, however long it lasts")
@pytest.mark.parametrize("status", [503, 403, 401])
async def test_operator_survives_more_than_a_minute_of_refusals(
    way: Way, healing: Healing, status: int
) -> None:
    await run_with_fault(
        way, lambda way: way.before(answering(status)), healing, lasts=BEYOND_KOPFS_PATIENCE
    )


@pytest.mark.long
@pytest.mark.fault("R5", heals="the operator keeps running, however slow it is")
async def test_operator_survives_more_than_a_minute_of_high_latency(
    way: Way, healing: Healing
) -> None:
    await run_with_fault(way, slow, healing, lasts=BEYOND_KOPFS_PATIENCE)
