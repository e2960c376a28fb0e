"""The use of a contract by servers and by admissions."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import Demand, total
from roadstead.api.contract.resource_contract import Reservation
from roadstead.api.raw import timestamp
from roadstead.policy.contract.contract_load import (
    ABANDONED,
    SETTLE,
    load,
    outstanding,
    release,
    reserve,
)
from tests.unit.policy.contracts import NOW

_SECOND = datetime.timedelta(seconds=1)
_KEYS = st.sampled_from(["a/x", "a/y", "b/x"])
_DEMANDS = st.builds(
    Demand, servers=st.just(1), replicas=st.integers(0, 9), memory_bytes=st.integers(0, 99)
)


def of(replicas: int) -> Demand:
    return Demand(servers=1, replicas=replicas)


def reserved(key: str, demand: Demand, *, age: datetime.timedelta = _SECOND) -> Reservation:
    return Reservation(key=key, demand=demand, at=timestamp(NOW - age))


def test_servers_and_unseen_admissions_are_summed() -> None:
    assert load({"a/x": of(2)}, [reserved("a/y", of(3))]) == Demand(servers=2, replicas=5)


def test_visible_server_is_not_counted_twice() -> None:
    assert load({"a/x": of(2)}, [reserved("a/x", of(2))]) == of(2)


def test_growth_counts_at_once_and_shrinking_once_it_is_visible() -> None:
    assert load({"a/x": of(2)}, [reserved("a/x", of(5))]) == of(5)
    assert load({"a/x": of(5)}, [reserved("a/x", of(2))]) == of(5)


def test_server_does_not_block_itself() -> None:
    assert load({"a/x": of(2)}, [reserved("a/x", of(5))], without="a/x") == Demand()


@given(st.dictionaries(_KEYS, _DEMANDS), st.lists(st.tuples(_KEYS, _DEMANDS)))
def test_admission_never_reduces_the_load(
    counted: dict[str, Demand], admissions: list[tuple[str, Demand]]
) -> None:
    reservations: tuple[Reservation, ...] = ()
    before = load(counted, reservations)
    assert before == total(counted.values())
    for key, demand in admissions:
        reservations = reserve(reservations, reserved(key, demand))
        assert total(counted.values()).within(load(counted, reservations))
        assert demand.within(load(counted, reservations) - load(counted, reservations, without=key))


def test_a_server_has_one_reservation() -> None:
    one = reserve((), reserved("a/x", of(1)))
    two = reserve(one, reserved("a/y", of(1)))
    assert [each.demand.replicas for each in reserve(two, reserved("a/x", of(4)))] == [1, 4]
    assert [each.key for each in release(two, "a/x")] == ["a/y"]


@pytest.mark.parametrize(
    ("counted", "age", "kept"),
    [
        pytest.param({"a/x": of(2)}, SETTLE - _SECOND, True, id="seen, but not by all perhaps"),
        pytest.param({"a/x": of(2)}, SETTLE, False, id="seen by all"),
        pytest.param({}, ABANDONED - _SECOND, True, id="still to come"),
        pytest.param({}, ABANDONED, False, id="never came"),
        pytest.param({"a/x": of(1)}, ABANDONED - _SECOND, True, id="change still to come"),
        pytest.param({"a/x": of(1)}, ABANDONED, False, id="change never came"),
        pytest.param({}, -_SECOND, True, id="a clock that is ahead"),
        pytest.param({}, -ABANDONED, False, id="a clock that is far ahead"),
    ],
)
def test_reservation_is_kept_until_it_is_settled_or_abandoned(
    counted: dict[str, Demand], age: datetime.timedelta, kept: bool
) -> None:
    reservation = reserved("a/x", of(2), age=age)
    assert outstanding(counted, [reservation], now=NOW) == ((reservation,) if kept else ())


def test_reservation_without_a_time_is_released() -> None:
    reservation = Reservation(key="a/x", demand=of(1), at="")
    assert outstanding({}, [reservation], now=NOW) == ()
