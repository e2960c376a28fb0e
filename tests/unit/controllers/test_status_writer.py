"""A status is written if it changed; a change of `Ready` posts an Event."""

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
    """Records writes; `fault` is raised for an Event or a status."""

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
    """A writer with its own API server."""

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


async def test_an_unchanged_status_is_not_written() -> None:
    given = Written()
    assert not await given.writer.write(MODELS, model({"servers": 1}), {"servers": 1})
    assert (given.api.statuses, given.news, given.api.events) == ([], [], [])


async def test_a_written_status_is_in_the_cache_at_once() -> None:
    given = Written()
    assert await given.writer.write(MODELS, model(), {"servers": 1})
    assert given.api.statuses == [{"servers": 1}]
    assert given.cache.get(MODELS, "gemma") == given.news[0]


async def test_a_change_of_ready_posts_an_event() -> None:
    given = Written()
    await given.writer.write(MODELS, model(), ready(False, "StoreFull", "free some space"))
    (event,) = given.api.events
    assert (event["type"], event["reason"]) == ("Warning", "StoreFull")
    assert event["message"] == "free some space"
    assert event["involvedObject"]["name"] == "gemma"


async def test_a_conflict_posts_no_event_and_is_raised() -> None:
    given = Written()
    given.api.status_fault = KubeConflict("changed")
    with pytest.raises(KubeConflict):
        await given.writer.write(MODELS, model(), ready(True, "Ready"))
    assert (given.news, given.api.events) == ([], [])


async def test_a_refused_event_does_not_fail_the_write() -> None:
    given = Written()
    given.api.event_fault = KubeRejected("no more events")
    assert await given.writer.write(MODELS, model(), ready(True, "Ready"))


@pytest.mark.parametrize(
    ("before", "after", "good"),
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
def test_only_lasting_changes_post_an_event(
    before: dict[str, Any], after: dict[str, Any], good: bool | None
) -> None:
    change = ready_change(before, after)
    assert (change and change[2]) == good


def test_an_event_without_a_message_has_a_default() -> None:
    assert ready_change({}, ready(True, "Ready")) == ("Ready", "Ready is True", True)
