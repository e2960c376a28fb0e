"""The allowances of a contract."""

from typing import Any

from roadstead.console.data.allowances import allowances, per_server

USED = {"servers": 1, "replicas": 2, "cpu": "1500m", "memory": "1Gi", "gpu": 0}


def row(used: Any = USED, **spec: Any) -> dict[str, Any]:
    return {"spec": spec, "used": used}


def test_amounts_are_formatted_with_units() -> None:
    found = allowances(row(total={"servers": 3, "cpu": 2, "memory": "4Gi"}))
    shown = {each.resource: (each.used_text, each.left_text, each.percent) for each in found}
    assert shown == {
        "Servers": ("1 server", "2 servers left", 33),
        "Replicas": ("2 replicas", "no limit", None),
        "CPU": ("1.5 cores", "0.5 cores left", 75),
        "Memory": ("1 GiB", "3 GiB left", 25),
    }


def test_nothing_is_left_above_the_total() -> None:
    (servers, *_) = allowances(row(total={"servers": 0}))
    assert (servers.left_text, servers.percent) == ("0 servers left", 100)


def test_contract_without_totals_has_default_limit_of_servers() -> None:
    (allowance,) = allowances(row(used={}))
    assert (allowance.resource, allowance.left_text) == ("Servers", "1000 servers left")


def test_only_set_limits_per_server_are_returned() -> None:
    assert per_server(row(perServer={"replicas": 2})) == [("Replicas", "2 replicas")]


def test_resources_limited_by_name_are_shown_by_name() -> None:
    used = {"servers": 1, "resources": {"nvidia.com/gpumem": 3000, "a.com/b": 1}}
    total = {"servers": 3, "resources": {"nvidia.com/gpumem": "4k"}}
    _, memory = allowances(row(used, total=total))
    assert (memory.resource, memory.used_text, memory.left_text, memory.percent) == (
        "nvidia.com/gpumem",
        "3000",
        "1000 left",
        75,
    )
    limits = {"resources": {"ephemeral-storage": "1Gi"}}
    assert per_server(row(perServer=limits)) == [("ephemeral-storage", "1 GiB")]
