"""The ledger follows the cluster through outages of Postgres and operators."""

import asyncio
import functools
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from dev.servers.apiserver import ApiServer
from dev.servers.postgres import running
from roadstead.authorities import SYSTEM_AUTHORITIES
from roadstead.cli.ledger_commands import run_verification
from tests.support import custom_objects
from tests.support.builders.objects import Raw, make_contract, make_model
from tests.support.faults_table import Healing
from tests.support.ledger import Ledger, create_ledger
from tests.support.operator.ledger_comparison import ROWS, differences, row, wait_until_equal
from tests.support.operator.namespace import Operated
from tests.support.operator.pods import post_pod
from tests.support.operator.replicas import running_replicas
from tests.support.raw_objects import get_raw
from tests.support.waiting import assert_eventually

MODEL = "SELECT * FROM model_records WHERE model_name = $1"


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A database for the test."""
    with running() as server:
        yield await create_ledger(server, tmp_path)


def recording(operated: Operated, ledger: Ledger, **changes: str) -> Any:
    """An operator with this ledger."""
    file = str(ledger.dsn_file("writer"))
    return operated.operator(ROADSTEAD_LEDGER_DSN_FILE=file, **changes)


async def test_created_changed_and_deleted_objects_are_in_the_ledger(
    operated: Operated, ledger: Ledger
) -> None:
    async with recording(operated, ledger):
        kept, gone = [await operated.serve(modelName="nobody", replicas=n) for n in (1, 2)]
        await operated.wait_for_reason(gone, "Ready", "ModelUnknown")
        await wait_until_equal(operated, ledger)
        await custom_objects.delete(operated.api, gone)
        await custom_objects.patch(operated.api, kept, {"spec": {"replicas": 0}})
        await wait_until_equal(operated, ledger)
    assert (await row(ledger, gone))["status"] == "Deleted"
    found = await row(ledger, kept)
    assert (found["status"], found["status_reason"]) == ("Failed", "ModelUnknown")
    assert found["desired_replicas"] == 0


async def test_a_servers_pods_are_in_the_ledger(operated: Operated, ledger: Ledger) -> None:
    name = operated.site.publish()
    async with recording(operated, ledger):
        serve = await operated.serve(modelName=name)
        await operated.wait_for_deployment(serve)
        (deployment,) = await operated.children("deployments")
        pod = await post_pod(operated, deployment)
        await assert_eventually(functools.partial(has_pods, ledger, serve, [pod]))
        await wait_until_equal(operated, ledger)


async def has_pods(ledger: Ledger, serve: Raw, names: list[str]) -> bool:
    found = await ledger.rows(ROWS, serve["metadata"]["name"])
    return [each["pod_names"] for each in found] == [names]


@pytest.mark.fault("R3", heals="the next leader records what was deleted while nobody led")
async def test_deletions_without_a_leader_are_recorded_afterwards(
    operated: Operated, apiserver: ApiServer, ledger: Ledger, tmp_path: Path, healing: Healing
) -> None:
    # Half a minute and more: two operators start, and a Lease expires.
    async with running_replicas(operated, apiserver, tmp_path) as replicas:
        replicas.environ = {"ROADSTEAD_LEDGER_DSN_FILE": str(ledger.dsn_file("writer"))}
        first = await replicas.start("a")
        await replicas.leads(first)
        await replicas.start("b")
        serve = await operated.serve(modelName="nobody")
        await operated.wait_for_reason(serve, "Ready", "ModelUnknown")
        await wait_until_equal(operated, ledger)
        with healing():
            first.signal(signal.SIGKILL)
            await first.code()
            await custom_objects.delete(operated.api, serve)
            await wait_until_equal(operated, ledger)
    assert (await row(ledger, serve))["status"] == "Deleted"


@pytest.mark.fault("R12", heals="every change made meanwhile, deletions too")
async def test_changes_during_an_outage_of_postgres_are_recorded_afterwards(
    operated: Operated, ledger: Ledger
) -> None:
    async with recording(operated, ledger):
        changed, gone = [await operated.serve(modelName="nobody") for _ in range(2)]
        await operated.wait_for_reason(gone, "Ready", "ModelUnknown")
        await wait_until_equal(operated, ledger)
        ledger.server.kill()
        new, passing = [await operated.serve(modelName="nobody") for _ in range(2)]
        await operated.wait_for_reason(passing, "Ready", "ModelUnknown")
        await custom_objects.patch(operated.api, changed, {"spec": {"replicas": 3}})
        for each in (gone, passing):
            await custom_objects.delete(operated.api, each)
        ledger.server.start()
        await wait_until_equal(operated, ledger)
    assert (await row(ledger, changed))["desired_replicas"] == 3
    assert (await row(ledger, new))["status"] == "Failed"
    assert [(await row(ledger, each))["status"] for each in (gone, passing)] == ["Deleted"] * 2


async def test_verification_waits_for_postgres_and_late_rows(
    operated: Operated, ledger: Ledger
) -> None:
    async with recording(operated, ledger):
        ledger.server.stop()
        await operated.serve(modelName="nobody")
        verify = functools.partial(
            run_verification,
            authorities=SYSTEM_AUTHORITIES,
            kubeconfig=str(operated.kubeconfig),
            wait=120,
        )
        verifying = asyncio.create_task(asyncio.to_thread(verify, ledger.dsn_file("reader")))
        await asyncio.sleep(3)
        assert not verifying.done()
        ledger.server.start()
        assert await verifying == 0


async def test_changes_without_an_operator_are_recorded_by_the_next(
    operated: Operated, ledger: Ledger
) -> None:
    async with recording(operated, ledger):
        gone = await operated.serve(modelName="nobody")
        await operated.wait_for_reason(gone, "Ready", "ModelUnknown")
        await wait_until_equal(operated, ledger)
    await custom_objects.delete(operated.api, gone)
    new = await operated.serve(modelName="nobody")
    async with recording(operated, ledger):
        await wait_until_equal(operated, ledger)
    assert (await row(ledger, gone))["status"] == "Deleted"
    assert (await row(ledger, new))["status"] == "Failed"


@pytest.mark.fault("R12", heals="servers are started without Postgres")
async def test_the_operator_works_without_postgres(operated: Operated, ledger: Ledger) -> None:
    ledger.server.stop()
    async with recording(operated, ledger):
        serve = await operated.serve(modelName=operated.site.publish())
        await operated.wait_for_deployment(serve)


async def test_a_manually_changed_row_is_reported(operated: Operated, ledger: Ledger) -> None:
    async with recording(operated, ledger):
        serve = await operated.serve(modelName="nobody")
        await operated.wait_for_reason(serve, "Ready", "ModelUnknown")
        await wait_until_equal(operated, ledger)
    async with ledger.connected("owner") as connection:
        await connection.execute("UPDATE server_records SET subject = 'mallory'")
    (line,) = await differences(operated, ledger)
    assert line.endswith("subject is  in the cluster, mallory in the ledger")


async def test_the_row_of_a_verified_model_has_its_location_and_header(
    operated: Operated, ledger: Ledger
) -> None:
    async with recording(operated, ledger):
        name = operated.site.publish()
        serve = await operated.serve(modelName=name)
        await operated.wait_for_deployment(serve)
        await wait_until_equal(operated, ledger)
    found = await ledger.row(MODEL, name)
    model = await get_raw(operated.api, f"/apis/model.example.com/v1alpha1/models/{name}")
    assert found["sha256"] == model["status"]["sha256"]
    assert found["minio_path"] == model["status"]["minioPath"]
    assert found["file_size_bytes"] == model["status"]["sizeBytes"]
    assert (found["status"], found["servers"]) == ("Ready", 1)


async def test_an_object_of_an_earlier_model_is_not_transferred_again(
    operated: Operated, ledger: Ledger
) -> None:
    async with recording(operated, ledger):
        name = operated.site.publish()
        serve = await operated.serve(modelName=name)
        await operated.wait_for_deployment(serve)
        await wait_until_equal(operated, ledger)
        digest = (await ledger.row(f"{MODEL} AND status = 'Ready'", name))["sha256"]
        await custom_objects.delete(operated.api, serve)
        await custom_objects.delete(operated.api, make_model(name=name))
        await assert_eventually(lambda: _is_deleted(ledger, name))
        # Its source is unavailable.
        nowhere = {"quant": {"modelId": name, "endpoint": "http://127.0.0.1:9"}}
        again = await operated.model(name=name, source=nowhere, sha256=digest)
        await operated.wait_for_reason(again, "Ready", "Ready")


async def _is_deleted(ledger: Ledger, name: str) -> bool:
    return bool((await ledger.row(MODEL, name))["status"] == "Deleted")


async def test_a_contract_is_in_the_ledger_and_the_metrics(
    operated: Operated, ledger: Ledger
) -> None:
    contract = make_contract(total={"servers": 4}, expiresAt="2030-01-01T00:00:00Z")
    name = contract["metadata"]["name"]
    async with recording(operated, ledger):
        await custom_objects.create(operated.api, contract)
        await wait_until_equal(operated, ledger)
        labels = {"contract": name, "resource": "servers"}
        assert REGISTRY.get_sample_value("roadstead_contract_limit", labels) == 4
        await custom_objects.delete(operated.api, contract)
        await wait_until_equal(operated, ledger)
    found = await ledger.row("SELECT * FROM contract_records WHERE name = $1", name)
    assert found["status"] == "Deleted"
    assert found["expires_at"].year == 2030
