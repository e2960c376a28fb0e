"""Pods' logs are followed; a fake kubelet interrupts them."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from roadstead.controllers.transfers import transfer_logs
from roadstead.controllers.transfers.transfer_logs import PodLog
from roadstead.errors import KubeUnavailable
from roadstead.transfer.messages import (
    Event,
    Failed,
    Progress,
    Started,
    Stopped,
    event_line,
)
from tests.support.waiting import assert_eventually
from tests.unit.controllers.test_transfer_pods import make_pod

STARTED = Started(
    upload_id="u",
    key="a.gguf",
    part_size_bytes=16,
    source_etag="e",
    bytes_total=32,
    resumed_bytes=0,
)
FAILED = Failed(reason="StoreFull", message="no space")
LOGGED = '{"time": "2026-01-01T00:00:00.000Z", "level": "info", "message": "resuming"}'


def progress(done: int) -> Progress:
    return Progress(bytes_done=done, bytes_total=32, bytes_per_second=1)


class Kubelet:
    """Answers each request with the next answer for that pod, then is unavailable."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    async def log(
        self, pod: str, *, namespace: str, since: str = "", silence: float
    ) -> AsyncIterator[bytes]:
        self.asked.append((pod, since))
        for line in self.answers[pod].pop(0) if self.answers[pod] else ():
            yield f"2026-01-01T00:00:0{len(self.asked)}Z {line}".encode()
        raise KubeUnavailable("cut off")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the pause before a log is resumed."""
    monkeypatch.setattr(transfer_logs, "LOG_RETRY_SECONDS", 0.01)


@contextlib.asynccontextmanager
async def following(kubelet: Kubelet, *pods: Any) -> AsyncIterator[tuple[PodLog, list[Event]]]:
    events: list[Event] = []
    async with PodLog(kubelet, "system", events.append) as log:
        log.follow_newest(pods)
        yield log, events


async def test_events_are_found_among_log_lines() -> None:
    lines = [event_line(STARTED), LOGGED, "Traceback", event_line(progress(5)), event_line(FAILED)]
    async with following(Kubelet(one=[lines]), make_pod(running={})) as (log, events):
        await assert_eventually(lambda: log.outcome)
    assert (log.outcome, log.started) == (FAILED, STARTED)
    assert events == [STARTED, progress(5)]


async def test_an_interrupted_log_is_resumed() -> None:
    kubelet = Kubelet(one=[[event_line(STARTED)], [], [event_line(progress(7))]])
    async with following(kubelet, make_pod(running={})) as (_, events):
        await assert_eventually(lambda: progress(7) in events)
    assert kubelet.asked[:3] == [
        ("one", ""),
        ("one", "2026-01-01T00:00:01Z"),
        ("one", "2026-01-01T00:00:01Z"),
    ]


async def test_the_log_of_the_next_pod_replaces_the_last_one() -> None:
    kubelet = Kubelet(one=[[event_line(STARTED), event_line(Stopped())]], two=[[LOGGED]])
    first = make_pod(terminated={"exitCode": 4})
    second = make_pod("two", at="2026-01-01T00:00:09Z", running={})
    async with following(kubelet, first) as (log, _):
        await assert_eventually(lambda: log.outcome)
        log.follow_newest([first, second])
        assert log.outcome is None
        await assert_eventually(lambda: kubelet.asked[-1][0] == "two")
    assert log.started == STARTED


async def test_the_log_of_a_pending_pod_is_not_read() -> None:
    kubelet = Kubelet()
    async with following(kubelet, make_pod(waiting={})) as (log, _):
        log.follow_newest([])
    assert kubelet.asked == []
