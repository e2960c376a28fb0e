"""The load of a contract by servers and by admissions."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.resource_contract import Reservation
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import timestamp
from roadstead.policy.contract.contract_load import (
    RESERVATION_LIFETIME,
    SETTLE,
    ContractLoads,
    is_pending,
    reserve,
)
from roadstead.policy.contract.contract_share import Counted
from tests.unit.policy.contracts import NOW

_SECOND = datetime.timedelta(seconds=1)
_KEYS = st.sampled_from(["a/x", "a/y", "b/x"])
_REPLICAS = st.integers(0, 9)


def of(replicas: int) -> Demand:
    return Demand(servers=1, replicas=replicas)


def reserved(
    key: str, replicas: int, *, age: datetime.timedelta = _SECOND, uid: str = ""
) -> Reservation:
    return Reservation(key=key, demand=of(replicas), at=timestamp(NOW - age), uid=uid)


def loads(counted: dict[str, int]) -> ContractLoads:
    """Servers of contract `demo`, with their replicas."""
    found = ContractLoads()
    for key, replicas in counted.items():
        namespace, _, name = key.partition("/")
        spec = {"contract": "demo", "replicas": replicas}
        meta = {"namespace": namespace, "name": name, "uid": key}
        found.update(key, ModelServe.parse({"metadata": meta, "spec": spec}), admitted=True)
    return found


def load(counted: dict[str, int], *reservations: Reservation, without: str = "") -> Demand:
    return loads(counted).load("demo", reservations, without=without)


def test_servers_and_unseen_admissions_are_summed() -> None:
    assert load({"a/x": 2}, reserved("a/y", 3)) == Demand(servers=2, replicas=5)


def test_visible_server_is_not_counted_twice() -> None:
    assert load({"a/x": 2}, reserved("a/x", 2)) == of(2)


def test_growth_counts_at_once_and_shrinking_once_it_is_visible() -> None:
    assert load({"a/x": 2}, reserved("a/x", 5)) == of(5)
    assert load({"a/x": 5}, reserved("a/x", 2)) == of(5)


def test_server_does_not_block_itself() -> None:
    assert load({"a/x": 2}, reserved("a/x", 5), without="a/x") == Demand()


def test_an_unreadable_server_counts_as_granted() -> None:
    found, granted = ContractLoads(), {"contract": "demo", "replicas": 2}
    raw = {"spec": {"contract": "demo", "replicas": "9"}, "status": {"granted": granted}}
    assert found.update("a/x", ModelServe.parse(raw), admitted=True) == {"demo"}
    assert found.used("demo").replicas == 2


@given(st.dictionaries(_KEYS, _REPLICAS), st.lists(st.tuples(_KEYS, _REPLICAS)))
def test_admission_never_reduces_the_load(
    counted: dict[str, int], admissions: list[tuple[str, int]]
) -> None:
    found, reservations = loads(counted), tuple[Reservation, ...]()
    for key, replicas in admissions:
        reservations = reserve(reservations, reserved(key, replicas))
        now = found.load("demo", reservations)
        assert found.used("demo").within(now)
        assert of(replicas).within(now - found.load("demo", reservations, without=key))


def test_a_server_has_one_reservation() -> None:
    two = reserve(reserve((), reserved("a/x", 1)), reserved("a/y", 1))
    assert [each.demand.replicas for each in reserve(two, reserved("a/x", 4))] == [1, 4]


@pytest.mark.parametrize(
    ("replicas", "age", "uid", "pending"),
    [
        pytest.param(2, SETTLE - _SECOND, "", True, id="counted, but perhaps here alone"),
        pytest.param(2, SETTLE, "", False, id="counted by all"),
        pytest.param(2, SETTLE, "a/x", False, id="counted under its UID"),
        pytest.param(2, SETTLE, "new", True, id="an earlier object of that name"),
        pytest.param(None, RESERVATION_LIFETIME - _SECOND, "", True, id="still to come"),
        pytest.param(None, RESERVATION_LIFETIME, "", False, id="never came"),
        pytest.param(1, RESERVATION_LIFETIME - _SECOND, "", True, id="change still to come"),
        pytest.param(1, RESERVATION_LIFETIME, "", False, id="change never came"),
        pytest.param(None, -_SECOND, "", True, id="a clock that is ahead"),
        pytest.param(2, -2 * SETTLE, "", True, id="counted, by a clock that is ahead"),
        pytest.param(None, -RESERVATION_LIFETIME, "", False, id="a clock that is far ahead"),
    ],
)
def test_reservation_counts_until_it_is_settled_or_lapses(
    replicas: int | None, age: datetime.timedelta, uid: str, pending: bool
) -> None:
    reservation = reserved("a/x", 2, age=age, uid=uid)
    server = Counted(key="a/x", uid="a/x", created="", demand=of(replicas or 0))
    assert is_pending(reservation, server if replicas else None, now=NOW) is pending


def test_reservation_without_a_time_does_not_count() -> None:
    reservation = Reservation(key="a/x", demand=of(1), at="")
    assert not is_pending(reservation, None, now=NOW)
