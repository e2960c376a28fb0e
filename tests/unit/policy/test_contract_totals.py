"""Limits of one server and of all servers."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.api.contract.demand import Demand
from roadstead.policy.contract.contract_policy import explain, violations
from tests.unit.policy.contracts import make_contract, make_demanding, make_facts

GIB = 2**30


def reasons(spec: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    found = violations(make_facts(make_contract(**spec), **changes))
    return [(each.reason, each.field) for each in found]


def test_violation_has_the_requested_and_the_free_amount() -> None:
    facts = make_facts(
        make_contract(total={"memory": "16Gi"}),
        serve=make_demanding(3),
        others=Demand(servers=1, replicas=1, memory_bytes=12 * GIB),
    )
    assert explain(violations(facts)) == (
        "spec.resources.limits.memory: 8Gi x 3 replicas is 24Gi; "
        "contract demo has 16Gi in total, 4Gi of it free"
    )


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        pytest.param(
            {"perServer": {"replicas": 2}},
            "spec.replicas: 3 replicas; contract demo allows 2 replicas for one server",
            id="replicas of one",
        ),
        pytest.param(
            {"total": {"replicas": 2}},
            "spec.replicas: 3 replicas; contract demo has 2 replicas in total, 1 of them free",
            id="replicas of all",
        ),
        pytest.param(
            {"perServer": {"cpu": "5500m"}},
            "spec.resources.limits.cpu: 2 cpu x 3 replicas is 6 cpu; "
            "contract demo allows 5500m cpu for one server",
            id="cpu of one",
        ),
        pytest.param(
            {"total": {"servers": 1}},
            "1 server; contract demo has 1 server in total, 0 of them free",
            id="servers",
        ),
        pytest.param(
            {"total": {"gpu": 4}},
            "spec.resources.limits[nvidia.com/gpu]: 2 GPUs x 3 replicas is 6 GPUs; "
            "contract demo has 4 GPUs in total, 4 of them free",
            id="gpu",
        ),
    ],
)
def test_each_limit_has_its_message(spec: dict[str, Any], text: str) -> None:
    limits = {"cpu": 2, "memory": "8Gi", "nvidia.com/gpu": 2}
    facts = make_facts(
        make_contract(**spec),
        serve=make_demanding(3, resources={"limits": limits}),
        others=Demand(servers=1, replicas=1, cpu_milli=1000),
    )
    assert explain(violations(facts)) == text


def test_whole_total_can_be_used() -> None:
    others = Demand(servers=9, replicas=9, cpu_milli=18_000, memory_bytes=72 * GIB)
    total = {"servers": 10, "replicas": 10, "cpu": 20, "memory": "80Gi"}
    assert reasons({"total": total}, others=others) == []
    assert len(reasons({"total": total}, others=others + Demand(servers=1, replicas=1))) == 2


def test_server_can_exceed_both_limits() -> None:
    spec = {"perServer": {"memory": "4Gi"}, "total": {"memory": "6Gi"}}
    assert [reason for reason, _ in reasons(spec)] == ["OverServerLimit", "OverTotal"]


def test_what_a_contract_bounds_must_be_set() -> None:
    serve = make_demanding(resources={})
    assert reasons({"total": {"cpu": 8, "memory": "16Gi"}}, serve=serve) == [
        ("LimitMissing", "spec.resources.limits.cpu"),
        ("LimitMissing", "spec.resources.limits.memory"),
    ]
    assert reasons({"total": {"servers": 8, "gpu": 0}}, serve=serve) == []


def test_memory_request_is_not_a_limit() -> None:
    serve = make_demanding(resources={"requests": {"cpu": 1, "memory": "1Gi"}})
    assert reasons({"perServer": {"cpu": 8, "memory": "16Gi"}}, serve=serve) == [
        ("LimitMissing", "spec.resources.limits.memory")
    ]


def test_violation_names_the_request_if_it_counts() -> None:
    serve = make_demanding(resources={"requests": {"cpu": 4}})
    assert reasons({"total": {"cpu": 2}}, serve=serve) == [
        ("OverTotal", "spec.resources.requests.cpu")
    ]


def test_no_replicas_are_never_too_many() -> None:
    total = {"replicas": 0, "cpu": 0, "memory": 0}
    assert reasons({"total": total}, replicas=0, others=Demand(replicas=5)) == []


def test_requested_replicas_count() -> None:
    """A scale request has other replicas than the spec."""
    serve = make_demanding(1)
    assert reasons({"perServer": {"replicas": 2}}, serve=serve, replicas=3) == [
        ("OverServerLimit", "spec.replicas")
    ]


def test_lowered_contract_allows_a_server_to_shrink() -> None:
    spec = {"perServer": {"replicas": 1, "memory": "8Gi"}, "total": {"memory": "8Gi"}}
    own = Demand.of_serve(make_demanding(3))
    others = Demand(servers=1, replicas=1, memory_bytes=8 * GIB)
    assert reasons(spec, serve=make_demanding(2), own=own, others=others) == []
    assert len(reasons(spec, serve=make_demanding(4), own=own, others=others)) == 3


def test_contradictory_limits_allow_nothing() -> None:
    spec = {"perServer": {"memory": "16Gi"}, "total": {"servers": 0, "memory": "4Gi"}}
    assert [reason for reason, _ in reasons(spec)] == ["OverTotal", "OverTotal"]
