"""Rows have the latest state of their objects, in any order of writes."""

import asyncio
import dataclasses
import random

import pytest

from roadstead.ledger.row_projection import PodsView
from tests.support.builders.records import (
    LATER,
    NOW,
    a_contract,
    a_model,
    a_sample,
    a_server,
    an_admission,
    ready,
)
from tests.support.ledger import Ledger

STARTING = {"conditions": [ready("False", "Starting", "")]}


async def test_later_state_replaces_earlier_one(ledger: Ledger) -> None:
    await ledger.write(a_server(version=10, status=STARTING), a_server(version=11, now=LATER))
    found = await ledger.row("SELECT status, resource_version FROM server_records")
    assert found == {"status": "Ready", "resource_version": 11}


async def test_earlier_state_never_replaces_later_one(ledger: Ledger) -> None:
    await ledger.write(a_server(version=11), a_server(version=10, status=STARTING))
    assert (await ledger.row("SELECT status FROM server_records"))["status"] == "Ready"


@pytest.mark.fault(
    "R12", heals="an older row never replaces a newer one, whichever process writes it"
)
async def test_concurrent_writers_end_at_the_last_state(ledger: Ledger) -> None:
    versions = [n for n in range(1, 41) for _ in range(2)]
    random.Random(7).shuffle(versions)

    async def write(some: list[int]) -> None:
        for version in some:
            spec = {"runtimeParams": {"threads": version}}
            await ledger.write(a_server(version=version, spec=spec))

    await asyncio.gather(write(versions[::2]), write(versions[1::2]))
    found = await ledger.row("SELECT resource_version, runtime_params FROM server_records")
    assert found == {"resource_version": 40, "runtime_params": '{"threads": 40}'}


async def test_row_stays_after_its_object_is_deleted(ledger: Ledger) -> None:
    await ledger.write(a_server(version=10), a_server(version=12, deleted=True, now=LATER))
    found = await ledger.row("SELECT name, status, deleted_at FROM server_records")
    assert (found["name"], found["status"]) == ("gemma", "Deleted")
    assert found["deleted_at"] is not None


async def test_deletion_at_equal_version_is_written(ledger: Ledger) -> None:
    await ledger.write(a_server(version=10), a_server(version=10, deleted=True))
    assert (await ledger.row("SELECT status FROM server_records"))["status"] == "Deleted"


@pytest.mark.fault("R12", heals="a late writer changes nothing")
async def test_late_write_does_not_restore_deleted_row(ledger: Ledger) -> None:
    await ledger.write(a_server(version=12, deleted=True), a_server(version=13))
    assert (await ledger.row("SELECT status FROM server_records"))["status"] == "Deleted"


async def test_row_of_a_restored_server_continues(ledger: Ledger) -> None:
    gone = a_server(version=12, deleted=True, pods=PodsView(names=["old"], version=90))
    back = dataclasses.replace(
        a_server(version=13, pods=PodsView(names=["new"], version=2)),
        created_at="2026-02-01T00:00:00Z",
    )
    await ledger.write(gone)
    await ledger.write(back)
    await ledger.write(gone)
    select = "SELECT status, pod_names, deleted_at FROM server_records"
    assert await ledger.row(select) == {
        "status": "Ready",
        "pod_names": ["new"],
        "deleted_at": None,
    }


async def test_pods_have_a_separate_version(ledger: Ledger) -> None:
    one, two = (PodsView(names=[f"gemma-{n}"], version=n) for n in (1, 2))
    await ledger.write(a_server(version=10, pods=two), a_server(version=11, pods=one))
    assert (await ledger.row("SELECT pod_names FROM server_records"))["pod_names"] == ["gemma-2"]
    await ledger.write(a_server(version=11, pods=PodsView(names=["gemma-3"], version=3)))
    assert (await ledger.row("SELECT pod_names FROM server_records"))["pod_names"] == ["gemma-3"]


async def test_each_status_change_is_recorded(ledger: Ledger) -> None:
    await ledger.write(
        a_server(version=10, status=STARTING),
        a_server(version=11, status=STARTING, spec={"replicas": 2}),
        a_server(version=12, now=LATER),
    )
    rows = await ledger.rows("SELECT status, kind FROM status_history ORDER BY at")
    assert rows == [
        {"status": "Pending", "kind": "ModelServe"},
        {"status": "Ready", "kind": "ModelServe"},
    ]


async def test_models_and_contracts_have_rows(ledger: Ledger) -> None:
    await ledger.write(
        a_model(status={"gguf": {"parameterCount": 268_000_000}, "sizeBytes": 2**40}),
        a_contract(spec={"expiresAt": "2030-01-01T00:00:00Z"}, status={"used": {"servers": 1}}),
    )
    model = await ledger.row("SELECT parameter_count, file_size_bytes FROM model_records")
    assert model == {"parameter_count": 268_000_000, "file_size_bytes": 2**40}
    assert (await ledger.row("SELECT used FROM contract_records"))["used"] == '{"servers": 1}'


async def test_maximum_memory_never_decreases(ledger: Ledger) -> None:
    await ledger.write(
        a_server(),
        a_sample(memory_max_mb=600.0, sampled_at=NOW),
        a_sample(memory_max_mb=200.0, memory_current_mb=150.0, sampled_at=LATER),
    )
    found = await ledger.row("SELECT memory_current_mb, memory_max_mb FROM server_records")
    assert found == {"memory_current_mb": 150.0, "memory_max_mb": 600.0}


async def test_late_sample_does_not_replace_newer_one(ledger: Ledger) -> None:
    await ledger.write(
        a_server(),
        a_sample(cpu_usage_percent=90.0, sampled_at=LATER),
        a_sample(cpu_usage_percent=10.0, sampled_at=NOW),
    )
    assert (await ledger.row("SELECT cpu_usage_percent FROM server_records")) == {
        "cpu_usage_percent": 90.0
    }
    assert len(await ledger.rows("SELECT * FROM usage_samples")) == 2


async def test_row_written_twice_is_stored_once(ledger: Ledger) -> None:
    admission = an_admission()
    await ledger.write(admission, admission, a_sample(), a_sample())
    assert len(await ledger.rows("SELECT * FROM admission_records")) == 1
    assert len(await ledger.rows("SELECT * FROM usage_samples")) == 1


async def test_usage_stays_when_the_state_changes(ledger: Ledger) -> None:
    await ledger.write(a_server(version=10), a_sample(), a_server(version=11))
    found = await ledger.row("SELECT memory_current_mb FROM server_records")
    assert found["memory_current_mb"] == pytest.approx(500.0)
