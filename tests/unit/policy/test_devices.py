"""What counts as a device, and limits of other resources: contracts over shared GPUs."""

from typing import Any

import pytest

from roadstead.api.contract.demand import Demand, total
from roadstead.api.contract.devices import DeviceNames
from roadstead.api.contract.granted import Granted
from roadstead.api.contract.resource_contract import Reservation
from roadstead.policy.contract.contract_policy import explain, violations
from roadstead.policy.contract.contract_share import fits
from roadstead.settings import EnvReader
from tests.support.builders.resources import make_serve
from tests.unit.policy.contracts import make_contract, make_demanding, make_facts

SHARED = {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "3000", "nvidia.com/gpucores": "30"}


def demand_of(limits: dict[str, str], replicas: int = 1, **names: Any) -> Demand:
    """The demand of a server with these limits."""
    serve = make_serve(resources={"limits": limits})
    return Demand.of_serve(serve, replicas, devices=DeviceNames(**names))


@pytest.mark.parametrize(
    ("limits", "devices"),
    [
        pytest.param(SHARED, 1, id="memory and cores of one"),
        pytest.param(
            {"nvidia.com/gpu": "2", "nvidia.com/gpumem-percentage": "50"}, 2, id="percent"
        ),
        pytest.param({"nvidia.com/gpumem": "3000"}, 1, id="a share alone"),
        pytest.param({"nvidia.com/mig-1g.10gb": "2", "amd.com/gpu": "1"}, 3, id="any device"),
        pytest.param({"nobody.knows/this": "4"}, 4, id="an unknown one"),
        pytest.param({"rdma/" + "x" * 10**6: "2"}, 2, id="a name that no pod can have"),
        pytest.param({"nvidia.com/gpu": "1", "rdma/hca": "1"}, 1, id="a network"),
        pytest.param({"rdma/hca": "1", "ephemeral-storage": "1Gi"}, 0, id="no device"),
        pytest.param({"nvidia.com/gpu": "0", "nvidia.com/gpumem": "0"}, 0, id="none of it"),
    ],
)
def test_shares_and_other_resources_are_not_devices(limits: dict[str, str], devices: int) -> None:
    assert demand_of(limits).gpu == devices
    assert demand_of(limits, 3).gpu == 3 * devices
    assert demand_of(limits, 0).gpu == 0


def test_which_resources_are_devices_is_a_setting() -> None:
    limits = {"a.com/gpu": "1", "a.com/mem": "500", "b.com/x": "2"}
    assert demand_of(limits, devices=("a.com/*",), shares=("a.com/mem",), others=()).gpu == 1
    assert demand_of(limits, shares=(), others=()).gpu == 503


def test_names_are_read_from_the_environment() -> None:
    environ = {"ROADSTEAD_DEVICES": '["a.com/gpu"]', "ROADSTEAD_DEVICE_SHARES": "[]"}
    names = DeviceNames.read(EnvReader(environ))
    assert (names.devices, names.shares) == (("a.com/gpu",), ())
    assert names.others == DeviceNames().others


def test_resources_are_counted_by_name() -> None:
    two = total([demand_of(SHARED, 2), demand_of({"nvidia.com/gpumem": "500"})])
    assert two.resources["nvidia.com/gpumem"] == 6500
    assert (two - demand_of(SHARED, 2)).resources == {"nvidia.com/gpumem": 500}
    assert two - two == Demand()


def test_total_of_a_resource_limits_all_servers() -> None:
    limits = make_contract(total={"resources": {"nvidia.com/gpumem": "6000"}}).total
    assert fits(demand_of(SHARED, 2), limits)
    assert not fits(demand_of(SHARED, 3), limits)


@pytest.mark.parametrize("bound", ["6000", 6000])
def test_server_within_the_limit_of_a_resource_is_allowed(bound: str | int) -> None:
    limits = {"gpu": 2, "resources": {"nvidia.com/gpumem": bound}}
    serve = make_demanding(2, resources={"limits": SHARED})
    assert violations(make_facts(make_contract(perServer=limits), serve=serve)) == ()


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        pytest.param(
            {"perServer": {"resources": {"nvidia.com/gpumem": 5000}}},
            "spec.resources.limits[nvidia.com/gpumem]: 3000 nvidia.com/gpumem x 2 replicas is "
            "6000 nvidia.com/gpumem; contract demo allows 5000 nvidia.com/gpumem for one server",
            id="one server",
        ),
        pytest.param(
            {"total": {"resources": {"nvidia.com/gpumem": 8000}}},
            "spec.resources.limits[nvidia.com/gpumem]: 3000 nvidia.com/gpumem x 2 replicas is "
            "6000 nvidia.com/gpumem; contract demo has 8000 nvidia.com/gpumem in total, 5000 of "
            "them free",
            id="all",
        ),
        pytest.param(
            {"perServer": {"gpu": 1}},
            "spec.resources.limits[nvidia.com/gpu]: 1 GPU x 2 replicas is 2 GPUs; "
            "contract demo allows 1 GPU for one server",
            id="devices",
        ),
    ],
)
def test_server_over_the_limit_of_a_resource_is_denied(spec: dict[str, Any], text: str) -> None:
    serve = make_demanding(2, resources={"limits": SHARED})
    facts = make_facts(make_contract(**spec), serve=serve, others=demand_of(SHARED))
    assert explain(violations(facts)) == text


def test_a_share_alone_is_denied_where_no_device_is_allowed() -> None:
    serve = make_demanding(resources={"limits": {"nvidia.com/gpumem": "1"}})
    (found,) = violations(make_facts(make_contract(perServer={"gpu": 0}), serve=serve))
    assert (found.reason, found.field) == (
        "OverServerLimit",
        "spec.resources.limits[nvidia.com/gpumem]",
    )


def test_reservation_has_only_limited_resources() -> None:
    asked = demand_of(SHARED | {"x.example.com/" + "x" * 99: "1"})
    kept = asked.only({"nvidia.com/gpumem"})
    text = Reservation(key="a/b", demand=kept, at="2030-01-01T00:00:00Z", uid="u").to_json()
    assert text.endswith(" 2030-01-01T00:00:00Z nvidia.com/gpumem=3000")
    assert Reservation.parse(text).demand == kept
    assert asked.agrees(kept)
    assert not asked.agrees(demand_of(SHARED | {"nvidia.com/gpumem": "1"}))


def test_granted_resources_are_read_as_they_were_written() -> None:
    granted = Granted.of(make_serve(resources={"limits": SHARED}), "uid")
    again = Granted.parse({"granted": granted.to_json()})
    assert again is not None
    assert again.demand == granted.demand


def test_limit_of_an_unknown_resource_allows_nothing() -> None:
    assert make_contract(perServer={"resources": {"cpu": "1"}}).faults
    assert make_contract(total={"resources": {"a.com/b": "much"}}).faults
