"""The rules of the election; each candidate has its own clock."""

import dataclasses

from roadstead.kube.lease import Action, Election, LeaseRecord, LeaseTimes

TIMES = LeaseTimes()
MADE_BY_THE_CHART = LeaseRecord(version="1")
HELD = LeaseRecord(
    holder="other", acquired="t0", renewed="t0", duration=15, transitions=1, version="2"
)


def candidate(*seen: tuple[LeaseRecord | None, float]) -> Election:
    """A candidate that has read these records at these times."""
    election = Election("me", TIMES)
    for record, at in seen:
        election.on_read(record, at)
    return election


def leader(at: float = 100) -> Election:
    """A leader that acquired the chart's Lease at `at`."""
    election = candidate((MADE_BY_THE_CHART, at - 4))
    step = election.next(at, "now")
    assert step.action is Action.WRITE
    election.on_send(step, at)
    election.on_written(step.record, "3", sent=at, now=at)
    return election


def takes_after(election: Election, now: float) -> float:
    """Seconds until the candidate claims the Lease if the record does not change."""
    waited = 0.0
    while (step := election.next(now + waited, "now")).action is Action.READ:
        waited += max(step.delay, 1 / 64)
        election.on_send(step, now + waited)
    return waited


def test_a_candidate_reads_the_lease_first() -> None:
    assert candidate().next(100, "now").action is Action.READ
    assert candidate().next(100, "now").delay == 0


def test_a_lease_is_acquired_after_its_duration_without_a_change() -> None:
    assert takes_after(candidate((HELD, 100)), 100) == 15


def test_each_renewal_restarts_the_wait() -> None:
    renewed = dataclasses.replace(HELD, version="9")
    assert takes_after(candidate((HELD, 100), (renewed, 114)), 114) == 15


def test_times_in_the_record_are_ignored() -> None:
    old = dataclasses.replace(HELD, renewed="1970-01-01T00:00:00Z")
    assert takes_after(candidate((old, 100)), 100) == 15


def test_a_longer_duration_of_the_holder_counts() -> None:
    assert takes_after(candidate((dataclasses.replace(HELD, duration=60), 100)), 100) == 60


def test_an_excessive_duration_does_not_count() -> None:
    assert takes_after(candidate((dataclasses.replace(HELD, duration=10**6), 100)), 100) == 300


def test_a_shortened_duration_does_not_shorten_the_wait() -> None:
    assert takes_after(candidate((dataclasses.replace(HELD, duration=1), 100)), 100) == 15


def test_a_released_lease_is_acquired_at_once() -> None:
    released = dataclasses.replace(HELD, holder="", duration=1, version="3")
    assert takes_after(candidate((HELD, 100), (released, 101)), 101) == 0


def test_a_manually_removed_holder_does_not_shorten_the_wait() -> None:
    emptied = dataclasses.replace(HELD, holder="", version="3")
    assert takes_after(candidate((HELD, 100), (emptied, 101)), 101) == 15


def test_a_manually_written_name_does_not_lead() -> None:
    given = dataclasses.replace(HELD, holder="me", version="3")
    election = candidate((HELD, 100), (given, 101))
    assert not election.leads(101)
    assert takes_after(election, 101) == 15


def test_a_deleted_lease_is_created_without_a_holder() -> None:
    election = candidate((HELD, 100), (None, 101))
    step = election.next(101, "now")
    assert (step.action, step.record.holder, step.delay) == (Action.CREATE, "", 4)
    election.on_send(step, 105)
    election.on_written(step.record, "4", sent=105, now=105)
    assert not election.leads(105)
    assert takes_after(election, 105) == 15


def test_a_leader_may_write_until_the_deadline_after_its_request() -> None:
    election = leader(100)
    assert election.leads(109.9)
    assert not election.leads(110)
    assert election.lost(110)


def test_a_renewal_counts_from_its_request() -> None:
    election = leader(100)
    step = election.next(102, "now")
    election.on_send(step, 102)
    election.on_written(step.record, "4", sent=102, now=108)
    assert election.held_until == 112


def test_a_late_answer_does_not_make_a_leader() -> None:
    election = candidate((MADE_BY_THE_CHART, 90))
    step = election.next(100, "now")
    election.on_send(step, 100)
    election.on_written(step.record, "3", sent=100, now=111)
    assert not election.leads(111)
    assert not election.lost(111)


def test_a_claim_with_a_lost_answer_is_repeated_at_once() -> None:
    election = candidate((MADE_BY_THE_CHART, 90))
    step = election.next(100, "stamp")
    election.on_send(step, 100)
    election.on_failure()
    election.on_read(dataclasses.replace(step.record, version="3"), 101)
    assert takes_after(election, 101) == 0


def test_a_leader_renews_every_two_seconds() -> None:
    step = leader(100).next(100, "now")
    assert (step.action, step.delay) == (Action.WRITE, 2)


def test_a_leader_that_reads_another_holder_has_lost() -> None:
    election = leader(100)
    election.on_failure()
    election.on_read(dataclasses.replace(HELD, version="7"), 103)
    assert election.lost(103)


def test_a_leader_that_reads_no_holder_has_lost() -> None:
    election = leader(100)
    election.on_failure()
    election.on_read(dataclasses.replace(HELD, holder="", version="7"), 103)
    assert election.lost(103)


def test_a_leader_that_reads_itself_continues_from_that_version() -> None:
    election = leader(100)
    election.on_failure()
    election.on_read(dataclasses.replace(HELD, holder="me", version="7"), 103)
    assert election.next(103, "now").record.version == "7"
    assert election.leads(103)


def test_a_leader_creates_a_deleted_lease_with_its_name() -> None:
    election = leader(100)
    election.on_read(None, 103)
    step = election.next(103, "now")
    assert (step.action, step.record.holder) == (Action.CREATE, "me")
    assert election.leads(103)


def test_a_released_lease_ends_the_leadership() -> None:
    election = leader(100)
    record = election.release(101, "now")
    assert record is not None
    assert dataclasses.replace(record, version="9").released
    assert not election.leads(101)


def test_a_candidate_releases_nothing() -> None:
    assert candidate((HELD, 100)).release(101, "now") is None


def test_a_record_is_unchanged_by_serialization() -> None:
    raw = {"metadata": {"resourceVersion": "2"}, "spec": HELD.spec()}
    assert LeaseRecord.parse(raw) == HELD
    assert LeaseRecord.parse({"metadata": {"resourceVersion": "1"}}) == MADE_BY_THE_CHART
