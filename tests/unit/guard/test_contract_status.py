"""The status of a contract."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from roadstead.api.contract.demand import Demand
from roadstead.controllers.contract.contract_status import status_of, used_text
from tests.unit.guard.servers import parsed

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
DEMAND = Demand(servers=1, replicas=2, cpu_milli=2000, memory_bytes=2**31)


def ready_reason(used: Demand = DEMAND, *, left_out: int = 0, **spec: Any) -> tuple[str, str]:
    status = status_of(parsed(**spec), used=used, pending=(), left_out=left_out, now=NOW)
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    return ready["status"], ready["reason"]


@pytest.mark.parametrize(
    ("spec", "left_out", "expected"),
    [
        pytest.param({}, 0, ("True", "Ready"), id="no totals"),
        pytest.param({"total": {"replicas": 3}}, 0, ("True", "Ready"), id="some left"),
        pytest.param({"total": {"replicas": 2}}, 0, ("False", "Exhausted"), id="none left"),
        pytest.param({"total": {"gpu": 0}}, 0, ("True", "Ready"), id="no GPUs from the start"),
        pytest.param({"total": {"replicas": 1}}, 1, ("False", "OverTotal"), id="shrunk"),
        pytest.param({"expiresAt": "2026-01-01T12:00:00Z"}, 0, ("False", "Expired"), id="expired"),
        pytest.param({"expiresAt": "2026-01-01T12:00:01Z"}, 0, ("True", "Ready"), id="to end"),
        pytest.param({"total": {"cpu": "x"}}, 0, ("False", "Unreadable"), id="invalid quantity"),
    ],
)
def test_ready_is_true_if_servers_can_be_created(
    spec: dict[str, Any], left_out: int, expected: tuple[str, str]
) -> None:
    assert ready_reason(left_out=left_out, **spec) == expected


def test_use_is_shown_of_the_resources_that_the_contract_limits() -> None:
    used = dataclasses.replace(DEMAND, resources={"a.com/x": 4, "b.com/y": 2, "tenants/own": 1})
    limits: dict[str, Any] = {
        "perServer": {"resources": {"b.com/y": 9}},
        "total": {"resources": {"a.com/x": 4}},
    }
    status = status_of(parsed(**limits), used=used, pending=(), left_out=0, now=NOW)
    assert status["used"]["resources"] == {"a.com/x": 4, "b.com/y": 2}
    ready = next(each for each in status["conditions"] if each["type"] == "Ready")
    assert ready["message"] == "total.resources[a.com/x] used up"


def test_columns_show_use_beside_totals() -> None:
    total = parsed(total={"servers": 10, "cpu": "32", "memory": "64Gi"}).total
    assert used_text(DEMAND, total) == {
        "servers": "1/10",
        "replicas": "2",
        "cpu": "2/32",
        "memory": "2Gi/64Gi",
        "gpu": "0",
    }
