"""A Job is followed to its outcome, even if it or its pods are deleted."""

import asyncio
from typing import Any

import pytest

from roadstead.api.raw import Raw
from roadstead.controllers.transfers import transfer_logs
from roadstead.controllers.transfers.transfer_following import Following, Pace
from roadstead.controllers.transfers.transfer_logs import PodLog
from roadstead.controllers.transfers.transfer_runner import Blocked, Outcome
from roadstead.transfer.messages import Event, Failed, Resume, Stopped, event_line
from tests.support.waiting import assert_eventually
from tests.unit.controllers.test_transfer_logs import FAILED, LOGGED, STARTED, Kubelet
from tests.unit.controllers.test_transfer_pods import ended, make_pod, unscheduled

RUNNING = make_pod(running={})
UPLOAD = Resume(upload_id="u", key="a.gguf", part_size_bytes=16, source_etag="e", size_bytes=32)
GENEROUS = 3.0
"""Seconds until an event is received, even on a busy machine."""
OVER = {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}


class Job:
    """A Job, its pods, and the uploads stored for its next pod."""

    def __init__(
        self, *pods: Any, state: Raw | None = None, remembers: int = 1, grace: float = 0.2
    ) -> None:
        self.pods = list(pods)
        self.state = state
        self.stored: list[Resume] = []
        self.events: list[Event | Blocked] = []
        self._remembers = remembers
        self._pace = Pace(pods=0.01, job=0.05, grace=grace)

    async def ask(self) -> Raw | None:
        return self.state

    async def remember(self, upload: Resume) -> bool:
        """Succeed from the n-th call on."""
        self.stored.append(upload)
        return len(self.stored) >= self._remembers

    async def followed(self, *lines: str, known: Resume | None = None) -> Outcome:
        """The outcome if the pod `one` logs these lines."""
        following = Following(
            pods=lambda: self.pods,
            state=self.ask,
            remember=self.remember,
            known=known,
            name="system/transfer-1",
            on_event=self.events.append,
            pace=self._pace,
        )
        async with (
            asyncio.timeout(60),
            PodLog(Kubelet(one=[list(lines)]), "system", self.events.append) as log,
        ):
            while True:
                outcome = await following.poll(log)
                if outcome is not None:
                    return outcome
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the pause before a log is resumed."""
    monkeypatch.setattr(transfer_logs, "LOG_RETRY_SECONDS", 0.01)


async def test_the_outcome_is_the_termination_message() -> None:
    assert await Job(ended(0, event_line(FAILED)), state={}).followed() == FAILED


async def test_a_deleted_job_is_a_crash() -> None:
    outcome = await Job(RUNNING, state=None).followed()
    assert isinstance(outcome, Failed)
    assert (outcome.reason, "was deleted" in outcome.message) == ("TransferCrashed", True)


async def test_the_outcome_of_a_deleted_pod_is_in_its_log() -> None:
    job = Job(RUNNING, state=OVER, grace=GENEROUS)
    assert await job.followed(event_line(FAILED)) == FAILED


@pytest.mark.parametrize("last", [LOGGED, event_line(Stopped())])
async def test_a_job_without_an_outcome_is_a_crash(last: str) -> None:
    outcome = await Job(RUNNING, state=OVER).followed(last)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, "without an outcome" in outcome.message) == ("TransferCrashed", True)


async def test_storing_the_upload_for_the_next_pod_is_retried() -> None:
    job = Job(RUNNING, state=OVER, remembers=3, grace=GENEROUS)
    await job.followed(event_line(STARTED))
    assert job.stored == [UPLOAD] * 3


async def test_a_stored_upload_is_not_stored_again() -> None:
    job = Job(RUNNING, state=OVER)
    await job.followed(event_line(STARTED), known=UPLOAD)
    assert job.stored == []


def at_work() -> Any:
    found = make_pod(running={})
    found["status"]["phase"] = "Running"
    return found


async def test_a_blocker_is_reported_until_the_pod_starts() -> None:
    job = Job(unscheduled("one", "2026-01-01T00:00:00Z"), state={})
    following = asyncio.create_task(job.followed())
    await assert_eventually(lambda: job.events)
    job.pods = [at_work()]
    await assert_eventually(lambda: len(job.events) > 1)
    job.pods = [ended(0, event_line(FAILED))]
    await following
    assert [each.reason for each in job.events if isinstance(each, Blocked)] == [
        "Unschedulable",
        "",
    ]


async def test_a_job_without_a_pod_refers_to_its_events() -> None:
    job = Job(state={})
    following = asyncio.create_task(job.followed())
    await assert_eventually(lambda: job.events)
    job.state = None
    await following
    (blocked,) = job.events
    assert isinstance(blocked, Blocked)
    assert (blocked.reason, "system/transfer-1" in blocked.message) == ("TransferPodMissing", True)
