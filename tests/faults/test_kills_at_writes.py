"""The operator is killed right after its writes, before it receives the answer."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

from dev import samplegguf
from dev.servers.apiserver import ApiServer
from tests.faults.aftermath import Scene, aftermath
from tests.faults.writes import Incarnations, Kills, Writes, never, running_operator
from tests.support import custom_objects
from tests.support.apiserver import fresh_namespace
from tests.support.builders.objects import Raw
from tests.support.faults_table import Healing
from tests.support.ledger import Ledger
from tests.support.operator.namespace import Operated, list_all
from tests.support.operator.operator_process import is_ready
from tests.support.operator.replicas import account, user
from tests.support.operator.site import SIZE
from tests.support.raw_objects import send_raw
from tests.support.waiting import assert_eventually

STEP_SECONDS = 240
"""Seconds that a step may take: an operator takes two or three to start."""
OWNED = ("deployments", "services", "serviceaccounts", "networkpolicies", "secrets")


async def run_main_flow(operated: Operated) -> None:
    """The main flow: a missing model is transferred, served, scaled, changed and deleted."""
    name = operated.site.publish()
    serve = await operated.serve(name="gemma", modelName=name)
    await operated.wait_for_reason(serve, "ModelAvailable", "Verified", timeout=STEP_SECONDS)
    await assert_eventually(lambda: operated.has("deployments", "gemma"), timeout=STEP_SECONDS)
    await _set_ready(operated)
    await operated.wait_for_reason(serve, "Ready", "Ready", timeout=STEP_SECONDS)
    await custom_objects.patch(operated.api, serve, {"spec": {"replicas": 2}}, "scale")
    await assert_eventually(lambda: _deployed(operated, replicas=2), timeout=STEP_SECONDS)
    changes = {"spec": {"runtimeParams": {"contextSize": 8192}}}
    await custom_objects.patch(operated.api, serve, changes)
    await assert_eventually(
        lambda: _deployed(operated, replicas=2, word="8192"), timeout=STEP_SECONDS
    )
    await check_one_of_each(operated, serve)
    (model,) = await list_all(operated.api, "models")
    assert model["status"]["sha256"] == hashlib.sha256(samplegguf.sample(SIZE)).hexdigest()
    await custom_objects.patch(operated.api, model, {"spec": {"deletionPolicy": "Delete"}})
    await custom_objects.delete(operated.api, serve)
    await custom_objects.delete(operated.api, model)
    await assert_eventually(lambda: _no_model(operated), timeout=STEP_SECONDS)
    assert not operated.site.holds(model["status"]["minioBucket"], model["status"]["minioPath"])


async def _set_ready(operated: Operated) -> None:
    """Act as the Deployment controller."""
    status = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
    path = f"{operated.path('deployments')}/gemma/status"
    await send_raw(operated.api, "PATCH", path, {"status": status})


async def _deployed(operated: Operated, *, replicas: int, word: str = "") -> bool:
    spec = (await operated.child("deployments", "gemma"))["spec"]
    arguments = spec["template"]["spec"]["containers"][0]["args"]
    return bool(spec["replicas"] == replicas) and (not word or word in arguments)


async def check_one_of_each(operated: Operated, serve: Raw) -> None:
    """Check that there is one child of each kind, and one Model."""
    uid = serve["metadata"]["uid"]
    for plural in OWNED:
        owners = [
            each["uid"]
            for child in await operated.children(plural)
            for each in child["metadata"].get("ownerReferences", ())
        ]
        assert owners.count(uid) == 1, plural


async def _no_model(operated: Operated) -> bool:
    return await list_all(operated.api, "models") == []


async def run_with_kills(
    operated: Operated,
    apiserver: ApiServer,
    ledger: Ledger,
    folder: Path,
    kills: Kills,
    healing: Healing,
) -> tuple[Writes, Incarnations]:
    """Run the main flow with an operator that is killed like that; returns writes and processes.

    The recovery can't be separated from the flow, so all of it is measured.
    """
    token = await account(operated, "operator")
    environ = operated.site.environ(operated.kubeconfig, ROADSTEAD_RESYNC_SECONDS="600")
    async with running_operator(
        environ, server=apiserver, token=token, ledger=ledger, folder=folder, kills=kills
    ) as (seen, living):
        try:
            with healing():
                await run_main_flow(operated)
        finally:
            print("killed after", *seen.killed_after, sep="\n  ")
        seen.kills = never
        # The process after the last killed one may still be starting.
        port = int(living.environ["ROADSTEAD_HTTP_PORT"])
        await assert_eventually(lambda: is_ready(port), timeout=STEP_SECONDS)
        scene = Scene(
            operated=operated,
            server=apiserver,
            log=living.log,
            ledger=ledger,
            users=(user(operated.namespace, "operator"),),
            tokens=(token,),
        )
        await aftermath(scene)
    return seen, living


@pytest.mark.timeout(600)
@pytest.mark.fault("R1", heals="the operator resumes: nothing is lost, done twice or left behind")
async def test_repeatedly_killed_operator_reaches_the_requested_state(
    operated: Operated, apiserver: ApiServer, ledger: Ledger, tmp_path: Path, healing: Healing
) -> None:
    # Each process gets one write further: the first is killed after one, the next after two.
    seen, living = await run_with_kills(
        operated, apiserver, ledger, tmp_path, lambda kills, since: since > kills, healing
    )
    assert len(seen.killed_after) > 5
    assert set(living.codes[:-1]) == {-9}


@pytest.mark.long
@pytest.mark.timeout(5400)
@pytest.mark.fault("R1", heals="the operator resumes: nothing is lost, done twice or left behind")
async def test_operator_killed_after_any_write_reaches_the_requested_state(
    operated: Operated, apiserver: ApiServer, ledger: Ledger, tmp_path: Path, healing: Healing
) -> None:
    wheres, number = set(), 1
    while True:
        folder = tmp_path / str(number)
        folder.mkdir()
        place = dataclasses.replace(
            operated, namespace=await fresh_namespace(operated.api, "fault")
        )
        seen, living = await run_with_kills(
            place, apiserver, ledger, folder, _once_after(number), healing
        )
        if not seen.killed_after:
            break
        wheres.add(seen.killed_after[0].split(" ")[0])
        assert living.codes[0] == -9
        number += 1
    assert wheres == {"api", "store", "ledger"}
    print(f"killed after each of {number - 1} writes")


def _once_after(number: int) -> Kills:
    return lambda kills, since: kills == 0 and since == number
