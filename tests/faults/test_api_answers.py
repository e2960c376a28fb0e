"""The API server fails, refuses, throttles, or can't be reached: all goes on when it is well."""

import contextlib

import pytest

from tests.faults.way import Fault, Way, answering, befallen
from tests.support.faults_table import Healing

BEYOND_KOPFS_PATIENCE = 70.0
"""By itself kopf ends the operator after 55 s."""


@pytest.mark.fault(
    "R5", heals="requests are retried, at most half a minute apart; then the state is as requested"
)
@pytest.mark.parametrize("status", [500, pytest.param(403, marks=pytest.mark.long)])
async def test_an_api_server_that_fails_is_asked_again_until_it_is_well(
    way: Way, healing: Healing, status: int
) -> None:
    await befallen(way, lambda way: way.before(answering(status)), healing)


@pytest.mark.fault("R5", heals="requests are retried with backoff; then the state is as requested")
async def test_an_api_server_that_throttles_is_asked_now_and_then(
    way: Way, healing: Healing
) -> None:
    throttled = answering(429, {"Retry-After": "3"})
    await befallen(way, lambda way: way.before(throttled), healing)


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
async def test_an_api_server_that_can_not_be_reached_is_asked_until_it_can(
    way: Way, healing: Healing, fault: Fault
) -> None:
    await befallen(way, fault, healing)


@pytest.mark.long
@pytest.mark.fault("R5", heals="the operator keeps running, however long it lasts")
@pytest.mark.parametrize("status", [503, 403, 401])
async def test_an_operator_bears_more_than_a_minute_of_refusals(
    way: Way, healing: Healing, status: int
) -> None:
    await befallen(
        way, lambda way: way.before(answering(status)), healing, lasts=BEYOND_KOPFS_PATIENCE
    )


@pytest.mark.long
@pytest.mark.fault("R5", heals="the operator keeps running, however slow it is")
async def test_an_operator_bears_half_a_minute_of_latency_for_more_than_a_minute(
    way: Way, healing: Healing
) -> None:
    await befallen(way, slow, healing, lasts=BEYOND_KOPFS_PATIENCE)
