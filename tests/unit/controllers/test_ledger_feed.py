"""Watched objects are recorded in the outbox."""

import datetime

import pytest

from roadstead.api.usage import UsageSample
from roadstead.controllers.ledger_feed import INDEXES, LedgerFeed
from roadstead.kube.resources import MODELS, MODELSERVES, PODS
from roadstead.kube.watch_cache import WatchCache
from roadstead.ledger.outbox import Outbox
from roadstead.ledger.records import ObjectRecord, ServerRecord
from tests.support.builders.records import NOW, UID, Raw, make_object, make_pod, make_serve

SAMPLE = UsageSample(
    server_uuid=UID,
    sampled_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    memory_current_bytes=500_000_000,
    memory_max_bytes=600_000_000,
    cpu_usage_percent=10.0,
    tokens_per_second=None,
    requests_processing=None,
    requests_deferred=None,
)


class Desk:
    """A cache, an outbox, and the feed between them."""

    def __init__(self) -> None:
        self.cache = WatchCache(INDEXES)
        self.outbox = Outbox(lambda: 0.0)
        self.feed = LedgerFeed(self.cache, self.outbox, now=lambda: NOW)

    def waiting(self) -> list[ObjectRecord]:
        """The records since the last call."""
        batch = self.outbox.take(100)
        return [each.record for each in batch if isinstance(each.record, ObjectRecord)]

    def server(self) -> ServerRecord:
        """The only recorded server."""
        (found,) = self.waiting()
        assert isinstance(found, ServerRecord)
        return found


@pytest.fixture
def desk() -> Desk:
    """Empty."""
    return Desk()


def test_a_new_server_is_recorded(desk: Desk) -> None:
    serve = make_serve()
    desk.cache.put(MODELSERVES, serve)
    desk.feed.update(MODELSERVES, serve)
    assert desk.server().name == "gemma"


def test_a_deleted_server_is_recorded_as_deleted(desk: Desk) -> None:
    desk.feed.update(MODELSERVES, make_serve())
    assert desk.server().status == "Deleted"


def test_a_replaced_server_is_recorded_as_deleted(desk: Desk) -> None:
    desk.cache.put(MODELSERVES, make_serve(uid="5a1b2c3d-0a1b-4c3d-8e9f-0a1b2c3d4e5f"))
    desk.feed.update(MODELSERVES, make_serve())
    found = desk.server()
    assert (found.server_uuid, found.status) == (UID, "Deleted")


def test_a_pod_updates_the_pods_of_its_server(desk: Desk) -> None:
    desk.cache.put(MODELSERVES, make_serve())
    pod = make_pod("gemma-1", UID, version=33)
    desk.cache.put(PODS, pod)
    desk.feed.update(PODS, pod)
    found = desk.server()
    assert (found.pod_names, found.pods_version) == (("gemma-1",), 33)


@pytest.mark.parametrize("changes", [{"namespace": "other"}, {"ownerReferences": []}])
def test_a_pod_with_only_the_label_is_ignored(desk: Desk, changes: Raw) -> None:
    desk.cache.put(MODELSERVES, make_serve())
    pod = make_pod("gemma-1", UID)
    pod["metadata"] |= changes
    desk.cache.put(PODS, pod)
    desk.feed.update(PODS, pod)
    assert desk.waiting() == []


def test_a_deleted_pod_updates_the_version_of_the_pods(desk: Desk) -> None:
    desk.cache.put(MODELSERVES, make_serve())
    desk.feed.update(PODS, make_pod("gemma-1", UID, version=34))
    found = desk.server()
    assert (found.pod_names, found.pods_version) == ((), 34)


def test_a_list_of_pods_updates_the_version_of_all_pods(desk: Desk) -> None:
    desk.cache.note_list(PODS, 50)
    desk.cache.put(MODELSERVES, make_serve())
    desk.feed.update(MODELSERVES, make_serve())
    assert desk.server().pods_version == 50


def test_a_pod_without_a_server_is_not_recorded(desk: Desk) -> None:
    desk.feed.update(PODS, make_pod("other-1", UID))
    assert desk.waiting() == []


def test_a_model_is_recorded(desk: Desk) -> None:
    model = make_object("Model", "gemma")
    desk.cache.put(MODELS, model)
    desk.feed.update(MODELS, model)
    assert len(desk.waiting()) == 1


def test_sample_that_repeats_the_last_is_left_out(desk: Desk) -> None:
    desk.feed.add_samples([SAMPLE, SAMPLE])
    assert len(desk.outbox) == 1
