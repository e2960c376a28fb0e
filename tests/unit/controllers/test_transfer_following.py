"""A Job followed to its end, whatever becomes of it and of its pods."""

import asyncio
from typing import Any

import pytest

from roadstead.api.raw import Raw
from roadstead.controllers import transfer_logs
from roadstead.controllers.transfer_following import Following, Pace
from roadstead.controllers.transfer_logs import PodLog
from roadstead.controllers.transfer_runner import Blocked, Outcome
from roadstead.transfer.messages import Event, Failed, Resume, Stopped, event_line
from tests.support.waiting import assert_eventually
from tests.unit.controllers.test_transfer_logs import FAILED, LOGGED, STARTED, Kubelet
from tests.unit.controllers.test_transfer_pods import ended, make_pod, unscheduled

RUNNING = make_pod(running={})
UPLOAD = Resume(upload_id="u", key="a.gguf", part_size_bytes=16, source_etag="e", size_bytes=32)
GENEROUS = 3.0
"""Seconds in which what is said is heard, on a busy machine too."""
OVER = {"status": {"conditions": [{"type": "Failed", "status": "True"}]}}


class Job:
    """A Job as the API server has it, its pods, and what its next pod was told."""

    def __init__(
        self, *pods: Any, state: Raw | None = None, remembers: int = 1, grace: float = 0.2
    ) -> None:
        self.pods = list(pods)
        self.state = state
        self.told: list[Resume] = []
        self.heard: list[Event | Blocked] = []
        self._remembers = remembers
        self._pace = Pace(pods=0.01, job=0.05, grace=grace)

    async def ask(self) -> Raw | None:
        return self.state

    async def remember(self, upload: Resume) -> bool:
        """Works from the n-th time on."""
        self.told.append(upload)
        return len(self.told) >= self._remembers

    async def followed(self, *lines: str, known: Resume | None = None) -> Outcome:
        """What it comes to, where the pod `one` logs these lines."""
        following = Following(
            pods=lambda: self.pods,
            state=self.ask,
            remember=self.remember,
            known=known,
            name="system/transfer-1",
            on_event=self.heard.append,
            pace=self._pace,
        )
        async with (
            asyncio.timeout(60),
            PodLog(Kubelet(one=[list(lines)]), "system", self.heard.append) as log,
        ):
            while True:
                outcome = await following.poll(log)
                if outcome is not None:
                    return outcome
                await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause before a log is read on."""
    monkeypatch.setattr(transfer_logs, "LOG_RETRY_SECONDS", 0.01)


async def test_the_outcome_is_what_a_pod_left_behind() -> None:
    assert await Job(ended(0, event_line(FAILED)), state={}).followed() == FAILED


async def test_a_job_that_was_deleted_is_told_as_a_crash() -> None:
    outcome = await Job(RUNNING, state=None).followed()
    assert isinstance(outcome, Failed)
    assert (outcome.reason, "was deleted" in outcome.message) == ("TransferCrashed", True)


async def test_where_the_pod_is_gone_its_log_has_told_the_outcome() -> None:
    job = Job(RUNNING, state=OVER, grace=GENEROUS)
    assert await job.followed(event_line(FAILED)) == FAILED


@pytest.mark.parametrize("last", [LOGGED, event_line(Stopped())])
async def test_a_job_whose_pods_all_ended_without_an_outcome_is_told_as_a_crash(last: str) -> None:
    outcome = await Job(RUNNING, state=OVER).followed(last)
    assert isinstance(outcome, Failed)
    assert (outcome.reason, "without an outcome" in outcome.message) == ("TransferCrashed", True)


async def test_the_next_pod_is_told_of_an_upload_until_that_has_worked() -> None:
    job = Job(RUNNING, state=OVER, remembers=3, grace=GENEROUS)
    await job.followed(event_line(STARTED))
    assert job.told == [UPLOAD] * 3


async def test_an_upload_that_the_next_pod_knows_of_is_not_told_again() -> None:
    job = Job(RUNNING, state=OVER)
    await job.followed(event_line(STARTED), known=UPLOAD)
    assert job.told == []


def at_work() -> Any:
    found = make_pod(running={})
    found["status"]["phase"] = "Running"
    return found


async def test_what_keeps_a_pod_from_beginning_is_told_until_it_does() -> None:
    job = Job(unscheduled("one", "2026-01-01T00:00:00Z"), state={})
    following = asyncio.create_task(job.followed())
    await assert_eventually(lambda: job.heard)
    job.pods = [at_work()]
    await assert_eventually(lambda: len(job.heard) > 1)
    job.pods = [ended(0, event_line(FAILED))]
    await following
    assert [each.reason for each in job.heard if isinstance(each, Blocked)] == ["Unschedulable", ""]


async def test_a_job_that_gets_no_pod_says_where_to_look() -> None:
    job = Job(state={})
    following = asyncio.create_task(job.followed())
    await assert_eventually(lambda: job.heard)
    job.state = None
    await following
    (told,) = job.heard
    assert isinstance(told, Blocked)
    assert (told.reason, "system/transfer-1" in told.message) == ("TransferPodMissing", True)
