"""A status is written when it changed, and told of when `Ready` took a turn."""

from typing import Any

import pytest

from roadstead.api.conditions import condition, merged
from roadstead.api.raw import Raw
from roadstead.controllers.status_writer import StatusWriter, ready_change
from roadstead.errors import KubeConflict, KubeRejected
from roadstead.kube.kube_client import Object
from roadstead.kube.kube_events import EventRecorder
from roadstead.kube.resources import MODELS, Resource
from roadstead.kube.watch_cache import WatchCache

NOW = "2026-01-01T00:00:00Z"


class Api:
    """Takes writes down; `fault` is what an event or a status is answered with."""

    def __init__(self) -> None:
        self.statuses: list[Raw] = []
        self.events: list[Raw] = []
        self.status_fault: Exception | None = None
        self.event_fault: Exception | None = None

    async def replace_status(self, resource: Resource, body: Raw) -> Object:
        if self.status_fault:
            raise self.status_fault
        self.statuses.append(body["status"])
        return {**body, "metadata": {**body["metadata"], "resourceVersion": "2"}}

    async def create(self, resource: Resource, body: Raw) -> Object:
        if self.event_fault:
            raise self.event_fault
        self.events.append(body)
        return dict(body)


class Written:
    """A writer on an API of its own."""

    def __init__(self) -> None:
        self.api, self.cache, self.news = Api(), WatchCache(), list[Raw]()
        self.writer = StatusWriter(
            self.api,
            self.cache,
            EventRecorder(self.api, instance="test"),
            on_written=lambda _, raw: self.news.append(raw),
        )


def ready(status: bool | None, reason: str, message: str = "") -> dict[str, Any]:
    return {"conditions": merged({}, [condition("Ready", status, reason, message)], now=NOW)}


def model(status: dict[str, Any] | None = None) -> dict[str, Any]:
    meta = {"name": "gemma", "uid": "1", "resourceVersion": "1"}
    typed = {"apiVersion": "model.example.com/v1alpha1", "kind": "Model"}
    return {**typed, "metadata": meta, "status": status or {}}


async def test_a_status_that_is_there_already_is_not_written() -> None:
    given = Written()
    assert not await given.writer.write(MODELS, model({"servers": 1}), {"servers": 1})
    assert (given.api.statuses, given.news, given.api.events) == ([], [], [])


async def test_what_was_written_is_seen_before_the_watch_tells_of_it() -> None:
    given = Written()
    assert await given.writer.write(MODELS, model(), {"servers": 1})
    assert given.api.statuses == [{"servers": 1}]
    assert given.cache.get(MODELS, "gemma") == given.news[0]


async def test_a_turn_of_ready_is_told_with_its_message() -> None:
    given = Written()
    await given.writer.write(MODELS, model(), ready(False, "StoreFull", "free some space"))
    (event,) = given.api.events
    assert (event["type"], event["reason"]) == ("Warning", "StoreFull")
    assert event["message"] == "free some space"
    assert event["involvedObject"]["name"] == "gemma"


async def test_a_conflict_tells_nothing_and_is_left_to_the_queue() -> None:
    given = Written()
    given.api.status_fault = KubeConflict("changed")
    with pytest.raises(KubeConflict):
        await given.writer.write(MODELS, model(), ready(True, "Ready"))
    assert (given.news, given.api.events) == ([], [])


async def test_an_event_that_is_refused_does_not_undo_the_write() -> None:
    given = Written()
    given.api.event_fault = KubeRejected("no more events")
    assert await given.writer.write(MODELS, model(), ready(True, "Ready"))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param({}, {}, None, id="no-condition"),
        pytest.param({}, ready(False, "Queued"), True, id="queued"),
        pytest.param({}, ready(True, "Ready"), True, id="ready"),
        pytest.param(ready(True, "Ready"), ready(True, "Ready", "else"), None, id="message"),
        pytest.param(ready(True, "Ready"), ready(False, "OutOfMemory"), False, id="worse"),
        pytest.param(ready(False, "Queued"), ready(False, "Starting"), None, id="passing"),
        pytest.param({}, ready(None, "Unknown"), False, id="unknown"),
    ],
)
def test_only_a_turn_that_stays_is_news(
    before: dict[str, Any], after: dict[str, Any], told: bool | None
) -> None:
    turn = ready_change(before, after)
    assert (turn and turn[2]) == told


def test_news_without_a_message_still_says_something() -> None:
    assert ready_change({}, ready(True, "Ready")) == ("Ready", "Ready is True", True)
