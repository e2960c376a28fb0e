"""What waits for Postgres: never more than there is to say, and never an older state."""

from hypothesis import given
from hypothesis import strategies as st

from roadstead.ledger.outbox import ROWS_KEPT, Batch, Outbox
from tests.support.builders.records import UID, a_model, a_sample, a_server, an_admission, fresh_uid


def outbox() -> Outbox:
    """With a clock that stands still."""
    return Outbox(lambda: 100.0)


def test_later_state_takes_the_place_of_an_earlier_one() -> None:
    waiting = outbox()
    waiting.put(a_server(version=1))
    waiting.put(a_server(version=2))
    assert [each.record for each in waiting.take(10)] == [a_server(version=2)]


def test_state_that_could_not_be_written_does_not_replace_a_later_one() -> None:
    waiting = outbox()
    waiting.put(a_server(version=1))
    batch = waiting.take(10)
    waiting.put(a_server(version=2))
    waiting.back(batch)
    assert [each.record for each in waiting.take(10)] == [a_server(version=2)]


def test_state_that_could_not_be_written_waits_since_it_first_did() -> None:
    now = [0.0]
    waiting = Outbox(lambda: now[0])
    waiting.put(a_server())
    batch = waiting.take(10)
    now[0] = 30.0
    waiting.back(batch)
    assert waiting.oldest() == 30.0


def test_deletion_is_not_replaced_by_the_life_before_it() -> None:
    waiting = outbox()
    waiting.put(a_server(version=5, deleted=True))
    waiting.put(a_server(version=9))
    (only,) = waiting.take(10)
    assert only.record == a_server(version=5, deleted=True)


def test_many_states_of_one_object_take_the_room_of_one() -> None:
    waiting = outbox()
    for version in range(1000):
        waiting.put(a_server(version=version))
    assert len(waiting) == 1


def test_oldest_rows_go_where_there_are_too_many() -> None:
    waiting = outbox()
    waiting.append([a_sample(cpu_usage_percent=float(n)) for n in range(ROWS_KEPT + 2)])
    first = waiting.take(1)[0].record
    assert len(waiting) == ROWS_KEPT - 1
    assert first == a_sample(cpu_usage_percent=2.0)


def test_rows_that_could_not_be_written_come_first_again() -> None:
    waiting = outbox()
    one, two = an_admission(), an_admission()
    waiting.append([one, two])
    waiting.back(waiting.take(1))
    assert [each.record for each in waiting.take(10)] == [one, two]


def test_batch_holds_so_many_of_each_kind() -> None:
    waiting = outbox()
    for _ in range(5):
        waiting.put(a_model(uid=fresh_uid()))
    waiting.append([a_sample() for _ in range(5)])
    assert len(waiting.take(3)) == 6


def test_nothing_waiting_is_not_old() -> None:
    assert outbox().oldest() == 0.0


@given(st.lists(st.sampled_from(["put", "take", "back", "written"]), max_size=40))
def test_the_last_state_is_never_lost(steps: list[str]) -> None:
    waiting, version, written = outbox(), 0, 0
    held: Batch = []
    for step in steps:
        if step == "put":
            version += 1
            waiting.put(a_server(version=version))
        elif step == "take":
            waiting.back(held)
            held = waiting.take(10)
        elif step == "back":
            waiting.back(held)
            held = []
        else:
            written = max([written, *(_version(each.record) for each in held)])
            held = []
    waiting.back(held)
    left = [_version(each.record) for each in waiting.take(10)]
    assert max([written, *left]) == version
    assert len(left) <= 1


def _version(record: object) -> int:
    version = getattr(record, "resource_version", 0)
    assert getattr(record, "server_uuid", "") == UID
    return int(version)
