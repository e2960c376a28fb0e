"""Parsing a ResourceContract."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.contract_limits import Authorization, Limits
from roadstead.api.contract.demand import Demand
from roadstead.api.contract.resource_contract import (
    NamespaceScope,
    Reservation,
    ResourceContract,
    parse_time,
)
from tests.unit.policy.contracts import NOW, make_contract

UTC = datetime.UTC


def test_limits_are_in_the_units_of_a_demand() -> None:
    contract = make_contract(
        perServer={"replicas": 2, "cpu": "1500m", "memory": "8Gi", "gpu": 1},
        total={"servers": 10, "cpu": 32},
    )
    assert contract.per_server == Limits(replicas=2, cpu_milli=1500, memory_bytes=8 * 2**30, gpu=1)
    assert contract.total == Limits(servers=10, cpu_milli=32_000)
    assert contract.faults == ()


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"total": {"memory": "1e9Gi"}}, "spec.total.memory: invalid quantity '1e9Gi'"),
        ({"total": {"memory": "-1"}}, "spec.total.memory: -1 is negative"),
        ({"perServer": {"replicas": True}}, "spec.perServer.replicas: expected a whole number"),
        ({"perServer": {"gpu": -1}}, "spec.perServer.gpu: expected a whole number of 0 or more"),
        ({"runtimeParams": {"maxThreads": "2"}}, "spec.runtimeParams.maxThreads: expected a whole"),
        ({"expiresAt": "tomorrow"}, "spec.expiresAt: expected a time"),
    ],
)
def test_invalid_values_allow_nothing(spec: dict[str, Any], fault: str) -> None:
    contract = make_contract(**spec)
    assert fault in contract.faults[0]
    assert not contract.in_force(NOW)


def test_a_bound_is_rounded_down() -> None:
    contract = make_contract(total={"cpu": "1.5m", "memory": "1.9"})
    assert (contract.total.cpu_milli, contract.total.memory_bytes) == (1, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2030-01-01T00:00:00Z", datetime.datetime(2030, 1, 1, tzinfo=UTC)),
        ("2030-01-01t02:00:00.5+02:00", datetime.datetime(2030, 1, 1, 0, 0, 0, 500_000, UTC)),
        ("2030-01-01T00:00:00", datetime.datetime(2030, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:00", datetime.datetime.min.replace(tzinfo=UTC)),
        ("2030-13-01T00:00:00Z", datetime.datetime.min.replace(tzinfo=UTC)),
        ("", datetime.datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_time_is_in_utc_or_long_past(text: str, expected: datetime.datetime) -> None:
    assert parse_time(text) == expected


def test_contract_expires_at_its_time() -> None:
    contract = make_contract(expiresAt="2030-01-01T00:00:00Z")
    second = datetime.timedelta(seconds=1)
    assert contract.in_force(NOW - second)
    assert contract.expired(NOW)
    assert not make_contract().expired(NOW)


def test_a_contract_that_is_being_deleted_is_not_in_force() -> None:
    contract = make_contract(meta={"deletionTimestamp": "2029-12-31T00:00:00Z"})
    assert not contract.in_force(NOW)


@pytest.mark.parametrize(
    ("namespaces", "expected"),
    [
        pytest.param({"names": ["demo"]}, True, id="name"),
        pytest.param({"names": ["dem?", "x"]}, True, id="glob"),
        pytest.param({"names": ["team-*"]}, False, id="another glob"),
        pytest.param({"selector": {"matchLabels": {"team": "a"}}}, True, id="selector"),
        pytest.param({"selector": {"matchLabels": {"team": "b"}}}, False, id="another selector"),
        pytest.param({"selector": {}}, True, id="empty selector"),
        pytest.param(
            {"names": ["x"], "selector": {"matchLabels": {"team": "a"}}}, True, id="either"
        ),
        pytest.param({}, False, id="nothing"),
        pytest.param({"names": "demo", "selector": "all"}, False, id="nonsense"),
    ],
)
def test_namespaces_are_covered_by_name_or_label(
    namespaces: dict[str, Any], expected: bool
) -> None:
    assert NamespaceScope.parse(namespaces).covers("demo", {"team": "a"}) is expected


def test_no_contract_covers_a_namespace_without_name() -> None:
    assert not NamespaceScope.parse({"names": ["*"], "selector": {}}).covers("", {})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param({"subjects": ["alice"]}, True, id="subject"),
        pytest.param({"subjects": ["Alice"]}, False, id="another case"),
        pytest.param({"groups": ["a", "b"]}, True, id="one group"),
        pytest.param({"groups": ["c"]}, False, id="another group"),
        pytest.param({"subjects": ["bob"], "groups": ["a"]}, True, id="subject or group"),
        pytest.param({"scopes": ["serve"]}, True, id="a scope alone"),
        pytest.param({"scopes": ["serve", "admin"]}, False, id="all scopes"),
        pytest.param({"groups": ["a"], "scopes": ["admin"]}, False, id="group and scope"),
        pytest.param({}, False, id="nothing is nobody"),
        pytest.param({"groups": "a", "subjects": [1, None]}, False, id="nonsense is nobody"),
    ],
)
def test_caller_needs_a_named_subject_or_group_and_all_scopes(
    raw: dict[str, Any], expected: bool
) -> None:
    allowed = Authorization.parse(raw).allows("alice", {"a", "b"}, {"serve"})
    assert allowed is expected


def test_empty_subject_is_denied() -> None:
    assert not Authorization.parse({"subjects": [""]}).allows("", (), ())


def test_a_reservation_survives_the_status() -> None:
    reservation = Reservation(
        key="demo/gemma",
        demand=Demand(servers=1, replicas=2, cpu_milli=500, memory_bytes=2**30, gpu=1),
        at="2030-01-01T00:00:00Z",
        uid="u",
    )
    stored = reservation.to_json()
    assert Reservation.parse(stored) == reservation
    assert make_contract(status={"reservations": [stored]}).reservations == (reservation,)
    assert stored == "demo/gemma u 2 500m 1Gi 1 2030-01-01T00:00:00Z"


@given(st.text(max_size=40))
def test_any_text_parses_as_a_reservation(text: str) -> None:
    parsed = Reservation.parse(text)
    assert parsed.demand.servers == 1
    assert Reservation.parse(parsed.to_json()).demand == parsed.demand


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["names", "selector", "matchLabels", "matchExpressions", "groups", "cpu", "servers",
             "memory", "maxThreads", "reservations", "used", "forbiddenExtraArgs"]
        ),
        inner,
    ),
    max_leaves=12,
)  # fmt: skip
_PARTS = ["namespaces", "authorization", "models", "perServer", "total", "runtimeParams",
          "enforcement", "expiresAt"]  # fmt: skip


@given(st.dictionaries(st.sampled_from(_PARTS), _JSON), _JSON)
def test_any_contract_can_be_parsed(spec: Any, status: Any) -> None:
    contract = ResourceContract.parse({"metadata": {"name": "x"}, "spec": spec, "status": status})
    contract.namespaces.covers("demo", {"team": "a"})
    assert contract.in_force(NOW) in (True, False)


def test_too_large_total_is_reduced_to_the_largest_quantity() -> None:
    contract = make_contract(total={"cpu": "1e99", "memory": "999999999999999999999999Ei"})
    most = (2**63 - 1) * 1000, 2**63 - 1
    assert (contract.total.cpu_milli, contract.total.memory_bytes) == most


def test_contract_without_total_servers_has_the_default() -> None:
    for total in ({}, {"memory": "1Gi"}):
        assert make_contract(total=total).total.servers == 1000
    assert make_contract().total == Limits(servers=1000)
    assert make_contract(total={"servers": 0}).total.servers == 0
    assert make_contract(total={"servers": 100_000}).total.servers == 100_000
