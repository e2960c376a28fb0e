"""The demand of a ModelServe, and sums of demands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import Demand, find_faults, total
from tests.support.builders.resources import make_serve

GIB = 2**30
DEMANDS = st.builds(
    Demand,
    servers=st.integers(0, 10**5),
    replicas=st.integers(0, 10**6),
    cpu_milli=st.integers(0, 2**63),
    memory_bytes=st.integers(0, 2**73),
    gpu=st.integers(0, 10**6),
    resources=st.dictionaries(st.sampled_from(["a.com/x", "b.com/y"]), st.integers(1, 2**62)),
)


def demand_of(resources: dict[str, Any], replicas: int = 1) -> Demand:
    return Demand.of_serve(make_serve(resources=resources), replicas)


@pytest.mark.parametrize(
    ("resources", "cpu", "memory", "gpu"),
    [
        pytest.param({}, 0, 0, 0, id="nothing set"),
        pytest.param({"limits": {"cpu": 2, "memory": "8Gi"}}, 2000, 8 * GIB, 0, id="limits"),
        pytest.param({"requests": {"cpu": "500m", "memory": 1}}, 500, 1, 0, id="requests"),
        pytest.param(
            {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
            1000,
            2 * GIB,
            0,
            id="a limit counts before a request",
        ),
        pytest.param({"limits": {"nvidia.com/gpu": 2}}, 0, 0, 2, id="gpu"),
        pytest.param(
            {"limits": {"amd.com/gpu": "1", "gpu.intel.com/i915": 1}}, 0, 0, 2, id="two kinds"
        ),
        pytest.param(
            {"limits": {"nvidia.com/mig-7g.80gb": 3, "hugepages-2Mi": "4Mi"}}, 0, 0, 3, id="device"
        ),
        pytest.param({"limits": {"cpu": "0.5m", "memory": "0.5"}}, 1, 1, 0, id="rounded up"),
        pytest.param({"limits": {"cpu": "-1", "memory": "1e9Gi"}}, 0, 0, 0, id="nonsense"),
        pytest.param({"limits": "many", "requests": [1]}, 0, 0, 0, id="no mapping"),
    ],
)
def test_demand_has_limits_or_requests(
    resources: dict[str, Any], cpu: int, memory: int, gpu: int
) -> None:
    one = Demand(servers=1, replicas=1, cpu_milli=cpu, memory_bytes=memory, gpu=gpu)
    assert demand_of(resources).only(()) == one
    three = Demand(servers=1, replicas=3, cpu_milli=3 * cpu, memory_bytes=3 * memory, gpu=3 * gpu)
    assert demand_of(resources, replicas=3).only(()) == three


def test_replicas_default_to_the_spec() -> None:
    assert Demand.of_serve(make_serve(replicas=4)).replicas == 4
    assert Demand.of_serve(make_serve(replicas=4), 0) == Demand(servers=1)


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        pytest.param({"limits": {"memory": "1e9Gi"}},
                     "spec.resources.limits.memory: invalid quantity '1e9Gi'", id="two exponents"),
        pytest.param({"limits": {"cpu": "-1"}},
                     "spec.resources.limits.cpu: -1 is negative", id="below zero"),
        pytest.param({"requests": {"cpu": "0.5m"}},
                     "spec.resources.requests.cpu: 0.5m is more precise than 1m", id="precise cpu"),
        pytest.param({"limits": {"memory": "500m"}},
                     "500m is not a whole number; write at least one whole byte", id="half a byte"),
        pytest.param({"limits": {"nvidia.com/gpu": "0.5"}},
                     "spec.resources.limits[nvidia.com/gpu]: 0.5 is not a whole number", id="gpu"),
        pytest.param({"limits": {"memory": "8E"}},
                     "", id="the largest unit"),
        pytest.param({"limits": {"memory": "8Ei"}},
                     "8Ei is above the maximum of a quantity", id="too large"),
        pytest.param({"limits": {"memory": "9e99"}},
                     "9e99 is above the maximum of a quantity", id="far too large"),
        pytest.param({"limits": {"cpu": None}}, "invalid quantity 'None'", id="null"),
    ],
)  # fmt: skip
def test_invalid_quantity_is_a_fault(resources: dict[str, Any], message: str) -> None:
    found = [str(fault) for fault in find_faults(make_serve(resources=resources))]
    assert len(found) == bool(message)
    assert message in "".join(found)


def test_every_fault_is_found() -> None:
    resources = {"limits": {"cpu": "x", "memory": "y"}, "requests": {"cpu": "z"}}
    assert len(list(find_faults(make_serve(resources=resources)))) == 3


@given(DEMANDS, DEMANDS)
def test_subtraction_inverts_addition(one: Demand, other: Demand) -> None:
    assert (one + other) - other == one
    assert one.within(one + other)
    assert one.within(one | other)
    assert (one - other).within(one)


@given(st.lists(DEMANDS))
def test_the_total_is_the_sum_of_each_part(demands: list[Demand]) -> None:
    parts = [each.parts for each in demands]
    names = {name for each in parts for name in each}
    expected = {name: sum(each.get(name, 0) for each in parts) for name in names}
    assert total(demands).parts == {**Demand().parts, **expected}


@given(DEMANDS)
def test_a_demand_survives_the_status(demand: Demand) -> None:
    assert Demand.parse(demand.to_json()) == demand


def test_amounts_are_written_as_quantities() -> None:
    demand = Demand(servers=1, replicas=3, cpu_milli=2500, memory_bytes=24 * GIB, gpu=0)
    assert demand.to_json() == {
        "servers": 1, "replicas": 3, "cpu": "2500m", "memory": "24Gi", "gpu": 0,
    }  # fmt: skip


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_RESOURCES = st.dictionaries(
    st.sampled_from(["limits", "requests"]),
    _JSON | st.dictionaries(st.sampled_from(["cpu", "memory", "x/gpu"]), _JSON),
)


@given(_RESOURCES)
def test_any_resources_can_be_counted(resources: Any) -> None:
    demand = demand_of(resources)
    assert Demand(servers=1, replicas=1).within(demand)
    list(find_faults(make_serve(resources=resources)))


def test_sums_of_the_largest_demands_fit_the_status_of_a_contract() -> None:
    resources = {"limits": {"cpu": "1e99", "memory": "1e99", "nvidia.com/gpu": "1e99"}}
    used = total([demand_of(resources, 1000)] * 10_000).to_json()
    assert len(str(used["cpu"])) <= 32
    assert len(str(used["memory"])) <= 32
    assert used["gpu"] == 2**31 - 1
