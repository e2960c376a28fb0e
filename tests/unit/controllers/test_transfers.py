"""Transfers as child processes: the real command, with an unavailable or silent store."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.servers.process import free_port
from roadstead.api.model import StoreLocation
from roadstead.controllers.transfers.running_transfers import (
    REPORT_SECONDS,
    REPORT_SHARE,
    State,
    Transfers,
    _Reported,
)
from roadstead.controllers.transfers.transfer_process import ProcessRunner
from roadstead.controllers.transfers.transfer_runner import TransferAttempt
from roadstead.errors import Retry
from roadstead.transfer.messages import Failed, Phase, Progress, TransferJob, UrlInput
from tests.support.waiting import assert_eventually

URL = "http://127.0.0.1:9/model.gguf?X-Amz-Signature=secretsignature"


@pytest.fixture
def silent() -> Iterator[str]:
    """A store that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def absent() -> str:
    """The address of a store that does not run."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file with a key for the store."""
    path = tmp_path / "key"
    path.write_text("roadstead")
    return path


def environ(endpoint: str, key: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "ROADSTEAD_STORE_ENDPOINT": endpoint,
        "ROADSTEAD_STORE_ACCESS_KEY_FILE": str(key),
        "ROADSTEAD_STORE_SECRET_KEY_FILE": str(key),
        "ROADSTEAD_TRANSFER_ATTEMPTS": "1",
    }


def job(uid: str, endpoint: str) -> TransferJob:
    target = StoreLocation(endpoint=endpoint, bucket="models", path=f"{uid}.gguf")
    return TransferJob(
        model_uid=uid, model_name=f"model-{uid}", source=UrlInput(url=URL), target=target
    )


def processes() -> set[int]:
    """The children of this process."""
    listed = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return {int(pid) for path in listed for pid in path.read_text().split()}


def everybody_reads(pid: int) -> str:
    """The arguments and the environment of a process."""
    return "".join(Path(f"/proc/{pid}/{name}").read_text() for name in ("cmdline", "environ"))


class TransferSite:
    """Transfers, their reported changes, and their processes."""

    def __init__(self, given: dict[str, str], *, slots: int = 4) -> None:
        self.news: list[str] = []
        self.transfers = Transfers(
            ProcessRunner(given), concurrency=slots, on_news=self.news.append
        )
        self._before = processes()

    def start(self, uid: str, endpoint: str = "http://127.0.0.1:9") -> None:
        attempt = TransferAttempt(job=job(uid, endpoint), inputs="1", number=1)
        self.transfers.start(attempt, tenants=())

    def state(self, uid: str) -> State | None:
        view = self.transfers.view(uid)
        return view.state if view else None

    def running(self) -> set[int]:
        return processes() - self._before

    async def outcome(self, uid: str) -> Failed:
        await assert_eventually(lambda: self.state(uid) is State.ENDED)
        view = self.transfers.view(uid)
        assert view is not None
        assert isinstance(view.outcome, Failed)
        return view.outcome


@contextlib.asynccontextmanager
async def running_transfers(
    given: dict[str, str], *, slots: int = 4
) -> AsyncIterator[TransferSite]:
    site = TransferSite(given, slots=slots)
    try:
        yield site
    finally:
        await site.transfers.stop_all()


async def test_the_failure_of_a_transfer_is_reported(absent: str, key: Path) -> None:
    async with running_transfers(environ(absent, key)) as site:
        site.start("1", absent)
        outcome = await site.outcome("1")
    assert (outcome.reason, outcome.retry) == ("StoreUnreachable", Retry.BACKOFF)
    assert site.news == ["1"]


async def test_a_process_that_fails_to_start_is_reported_with_its_code() -> None:
    async with running_transfers({"PATH": os.environ["PATH"]}) as site:
        site.start("1")
        outcome = await site.outcome("1")
    assert outcome.reason == "TransferCrashed"
    assert "exited with" in outcome.message


async def test_a_killed_process_is_reported_with_its_signal(silent: str, key: Path) -> None:
    async with running_transfers(environ(silent, key)) as site:
        site.start("1", silent)
        await assert_eventually(site.running)
        (pid,) = site.running()
        os.kill(pid, signal.SIGKILL)
        outcome = await site.outcome("1")
    assert (outcome.reason, outcome.retry) == ("TransferCrashed", Retry.BACKOFF)
    assert "signal 9" in outcome.message


async def test_a_transfer_waits_until_a_slot_is_free(silent: str, key: Path) -> None:
    async with running_transfers(environ(silent, key), slots=1) as site:
        site.start("1", silent)
        await assert_eventually(site.running)
        site.start("2", silent)
        assert (site.state("1"), site.state("2")) == (State.RUNNING, State.QUEUED)
        await site.transfers.stop("1")
        await assert_eventually(lambda: site.state("2") is State.RUNNING)


async def test_a_model_has_at_most_one_transfer(silent: str, key: Path) -> None:
    async with running_transfers(environ(silent, key)) as site:
        for _ in range(3):
            site.start("1", silent)
        await assert_eventually(site.running)
        await asyncio.sleep(0.2)
        assert len(site.running()) == 1


async def test_a_running_transfer_is_not_forgotten(silent: str, key: Path) -> None:
    async with running_transfers(environ(silent, key)) as site:
        site.start("1", silent)
        site.transfers.forget("1")
        assert site.state("1") is State.QUEUED


async def test_a_stopped_transfer_leaves_no_process(silent: str, key: Path) -> None:
    async with running_transfers(environ(silent, key)) as site:
        site.start("1", silent)
        await assert_eventually(site.running)
        await site.transfers.stop("1")
        assert (site.running(), site.state("1"), site.news) == (set(), None, [])


async def test_the_url_is_neither_in_the_arguments_nor_in_the_environment(
    silent: str, key: Path
) -> None:
    async with running_transfers(environ(silent, key)) as site:
        site.start("1", silent)
        await assert_eventually(site.running)
        (pid,) = site.running()
        shown = everybody_reads(pid)
    assert "roadstead\0transfer" in shown
    assert "X-Amz" not in shown


def progress(done: int, phase: Phase = Phase.TRANSFERRING) -> Progress:
    return Progress(bytes_done=done, bytes_total=1000, bytes_per_second=1, phase=phase)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 1000)), max_size=50))
def test_progress_is_reported_only_after_ten_seconds_or_five_percent(
    turns: list[tuple[float, int]],
) -> None:
    reported = _Reported()
    now, written = 0.0, list[tuple[float, int]]()
    for pause, done in turns:
        now += pause
        if reported.is_due(progress(done), now):
            written.append((now, done))
    for (at, done), (later, more) in itertools.pairwise(written):
        assert later - at >= REPORT_SECONDS or abs(more - done) >= REPORT_SHARE * 1000


def test_a_change_of_phase_is_reported_at_once() -> None:
    reported = _Reported()
    assert reported.is_due(progress(500), 1.0)
    assert not reported.is_due(progress(501), 1.1)
    assert reported.is_due(progress(501, Phase.VERIFYING), 1.2)
