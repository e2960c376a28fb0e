"""The outbox keeps the latest state of each object and a limited number of rows."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from roadstead.ledger.outbox import ROWS_KEPT, Batch, Outbox
from tests.support.builders.records import UID, a_model, a_sample, a_server, an_admission, fresh_uid


def outbox() -> Outbox:
    """An outbox with a fixed clock."""
    return Outbox(lambda: 100.0)


def test_later_state_replaces_unwritten_earlier_one() -> None:
    waiting = outbox()
    waiting.put(a_server(version=1))
    waiting.put(a_server(version=2))
    assert [each.record for each in waiting.take(10)] == [a_server(version=2)]


def test_put_back_state_does_not_replace_later_one() -> None:
    waiting = outbox()
    waiting.put(a_server(version=1))
    batch = waiting.take(10)
    waiting.put(a_server(version=2))
    waiting.put_back(batch)
    assert [each.record for each in waiting.take(10)] == [a_server(version=2)]


def test_put_back_state_keeps_its_waiting_time() -> None:
    now = [0.0]
    waiting = Outbox(lambda: now[0])
    waiting.put(a_server())
    batch = waiting.take(10)
    now[0] = 30.0
    waiting.put_back(batch)
    assert waiting.oldest() == 30.0


def test_deletion_is_not_replaced_by_live_state() -> None:
    waiting = outbox()
    waiting.put(a_server(version=5, deleted=True))
    waiting.put(a_server(version=9))
    (only,) = waiting.take(10)
    assert only.record == a_server(version=5, deleted=True)


def test_restored_server_replaces_the_deletion_of_the_one_with_its_id() -> None:
    back = dataclasses.replace(a_server(version=9), created_at="2026-02-01T00:00:00Z")
    for states in ((a_server(version=5, deleted=True), back), (back, a_server(version=5))):
        waiting = outbox()
        for state in states:
            waiting.put(state)
        (only,) = waiting.take(10)
        assert only.record == back


def test_many_states_of_one_object_count_once() -> None:
    waiting = outbox()
    for version in range(1000):
        waiting.put(a_server(version=version))
    assert len(waiting) == 1


def test_oldest_rows_are_dropped_beyond_the_limit() -> None:
    waiting = outbox()
    waiting.append([a_sample(cpu_usage_percent=float(n)) for n in range(ROWS_KEPT + 2)])
    first = waiting.take(1)[0].record
    assert len(waiting) == ROWS_KEPT - 1
    assert first == a_sample(cpu_usage_percent=2.0)


def test_put_back_rows_are_taken_first() -> None:
    waiting = outbox()
    one, two = an_admission(), an_admission()
    waiting.append([one, two])
    waiting.put_back(waiting.take(1))
    assert [each.record for each in waiting.take(10)] == [one, two]


def test_batch_limit_applies_to_each_kind() -> None:
    waiting = outbox()
    for _ in range(5):
        waiting.put(a_model(uid=fresh_uid()))
    waiting.append([a_sample() for _ in range(5)])
    assert len(waiting.take(3)) == 6


def test_empty_outbox_has_age_zero() -> None:
    assert outbox().oldest() == 0.0


@given(st.lists(st.sampled_from(["put", "take", "back", "written"]), max_size=40))
def test_last_state_is_never_lost(steps: list[str]) -> None:
    waiting, version, written = outbox(), 0, 0
    taken: Batch = []
    for step in steps:
        if step == "put":
            version += 1
            waiting.put(a_server(version=version))
        elif step == "take":
            waiting.put_back(taken)
            taken = waiting.take(10)
        elif step == "back":
            waiting.put_back(taken)
            taken = []
        else:
            written = max([written, *(_version(each.record) for each in taken)])
            taken = []
    waiting.put_back(taken)
    left = [_version(each.record) for each in waiting.take(10)]
    assert max([written, *left]) == version
    assert len(left) <= 1


def _version(record: object) -> int:
    version = getattr(record, "resource_version", 0)
    assert getattr(record, "server_uuid", "") == UID
    return int(version)
