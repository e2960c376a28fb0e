"""A server's use of a contract while its previous spec may still run."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import NO_DEMAND, Demand
from roadstead.api.contract.granted import Granted
from roadstead.api.modelserve import ModelServe
from roadstead.policy.contract.contract_load import taken_by
from roadstead.policy.contract.contract_policy import explain, violations
from tests.unit.policy.contracts import make_contract, make_demanding, make_facts

GIB = 2**30
AMOUNTS = st.integers(0, 2**40)
DEMANDS = st.builds(
    Demand,
    servers=st.just(1),
    replicas=st.integers(0, 1000),
    cpu_milli=AMOUNTS,
    memory_bytes=AMOUNTS,
    gpu=st.integers(0, 1000),
)


def running(serve: ModelServe, demand: Demand, contract: str = "demo") -> ModelServe:
    """The server with a grant in its status."""
    granted = Granted(contract=contract, demand=demand)
    return dataclasses.replace(serve, raw={**serve.raw, "status": {"granted": granted.to_json()}})


def admitted(**spec: Any) -> ModelServe:
    return make_demanding(contract="demo", **spec)


@given(DEMANDS)
def test_what_is_granted_is_read_as_it_was_written(demand: Demand) -> None:
    granted = Granted(contract="demo", demand=demand, model_uuid="model-uid")
    assert Granted.parse({"granted": granted.to_json()}) == granted


@given(DEMANDS)
def test_server_uses_the_larger_of_its_spec_and_its_grant(demand: Demand) -> None:
    serve = running(admitted(), demand)
    contract, taken = taken_by(serve, admitted=True)
    assert contract == "demo"
    assert demand.within(taken)
    assert Demand.of_serve(serve).within(taken)
    assert taken == demand | Demand.of_serve(serve)


def test_server_with_an_invalid_receipt_uses_its_grant() -> None:
    demand = Demand(servers=1, replicas=2, memory_bytes=GIB)
    changed = running(make_demanding(1000, contract="other"), demand)
    assert taken_by(changed, admitted=False) == ("demo", demand)


def test_server_without_receipt_and_grant_uses_nothing() -> None:
    assert taken_by(admitted(replicas=1000), admitted=False) == ("", NO_DEMAND)


def test_grant_counts_under_the_new_contract() -> None:
    demand = Demand(servers=1, replicas=1, memory_bytes=600 * GIB)
    contract, taken = taken_by(running(admitted(), demand, contract="old"), admitted=True)
    assert (contract, taken.memory_bytes) == ("demo", 600 * GIB)


def test_a_contract_must_have_room_for_what_may_still_run() -> None:
    facts = make_facts(
        make_contract(total={"memory": "16Gi"}, perServer={"memory": "8Gi"}),
        running=Demand(servers=1, replicas=1, memory_bytes=24 * GIB),
    )
    assert explain(violations(facts)) == (
        "spec.resources.limits.memory: 24Gi may still run until its rollout is complete; "
        "contract demo has 16Gi in total, 16Gi of it free"
    )


def test_server_can_shrink_while_its_grant_is_larger() -> None:
    before = Demand(servers=1, replicas=1, cpu_milli=4000, memory_bytes=24 * GIB)
    contract = make_contract(total={"memory": "16Gi", "cpu": 4})
    assert violations(make_facts(contract, own=before, running=before)) == ()
