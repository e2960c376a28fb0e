"""The operator is killed right after its writes, before it has heard that they are done."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

from dev import samplegguf
from dev.servers.apiserver import ApiServer
from tests.faults.aftermath import Scene, aftermath
from tests.faults.writes import Incarnations, Kills, Writes, never, watched
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

PATIENCE = 240
"""Seconds that one step may take: an operator takes two or three to start."""
OWNED = ("deployments", "services", "serviceaccounts", "networkpolicies", "secrets")


async def served_to_its_end(operated: Operated) -> None:
    """The main flow: a model that is missing is brought, served, scaled, changed and deleted."""
    name = operated.site.publish()
    serve = await operated.serve(name="gemma", modelName=name)
    await operated.wait_for_reason(serve, "ModelAvailable", "Verified", timeout=PATIENCE)
    await assert_eventually(lambda: operated.has("deployments", "gemma"), timeout=PATIENCE)
    await _runs(operated)
    await operated.wait_for_reason(serve, "Ready", "Ready", timeout=PATIENCE)
    await custom_objects.patch(operated.api, serve, {"spec": {"replicas": 2}}, "scale")
    await assert_eventually(lambda: _deployed(operated, replicas=2), timeout=PATIENCE)
    changes = {"spec": {"runtimeParams": {"contextSize": 8192}}}
    await custom_objects.patch(operated.api, serve, changes)
    await assert_eventually(lambda: _deployed(operated, replicas=2, word="8192"), timeout=PATIENCE)
    await once_each(operated, serve)
    (model,) = await list_all(operated.api, "models")
    assert model["status"]["sha256"] == hashlib.sha256(samplegguf.sample(SIZE)).hexdigest()
    await custom_objects.patch(operated.api, model, {"spec": {"deletionPolicy": "Delete"}})
    await custom_objects.delete(operated.api, serve)
    await custom_objects.delete(operated.api, model)
    await assert_eventually(lambda: _no_model(operated), timeout=PATIENCE)
    assert not operated.site.holds(model["status"]["minioBucket"], model["status"]["minioPath"])


async def _runs(operated: Operated) -> None:
    """Say what the Deployment controller would."""
    status = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
    path = f"{operated.path('deployments')}/gemma/status"
    await send_raw(operated.api, "PATCH", path, {"status": status})


async def _deployed(operated: Operated, *, replicas: int, word: str = "") -> bool:
    spec = (await operated.child("deployments", "gemma"))["spec"]
    arguments = spec["template"]["spec"]["containers"][0]["args"]
    return bool(spec["replicas"] == replicas) and (not word or word in arguments)


async def once_each(operated: Operated, serve: Raw) -> None:
    """One child of each kind, and one Model."""
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


async def killed(
    operated: Operated,
    apiserver: ApiServer,
    ledger: Ledger,
    folder: Path,
    kills: Kills,
    healing: Healing,
) -> tuple[Writes, Incarnations]:
    """The main flow under an operator that is killed like that, and what came of it.

    What heals cannot be told from the flow, so that all of it is measured.
    """
    token = await account(operated, "operator")
    environ = operated.site.environ(operated.kubeconfig, ROADSTEAD_RESYNC_SECONDS="600")
    async with watched(
        environ, server=apiserver, token=token, ledger=ledger, folder=folder, kills=kills
    ) as (seen, living):
        try:
            with healing():
                await served_to_its_end(operated)
        finally:
            print("killed after", *seen.killed_after, sep="\n  ")
        seen.kills = never
        # The one after the last that was killed may only be starting.
        port = int(living.environ["ROADSTEAD_HTTP_PORT"])
        await assert_eventually(lambda: is_ready(port), timeout=PATIENCE)
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
async def test_operator_that_is_killed_again_and_again_comes_to_the_same_end(
    operated: Operated, apiserver: ApiServer, ledger: Ledger, tmp_path: Path, healing: Healing
) -> None:
    # Each one gets a write further than the one before: the first dies after one, the next of two.
    seen, living = await killed(
        operated, apiserver, ledger, tmp_path, lambda kills, since: since > kills, healing
    )
    assert len(seen.killed_after) > 5
    assert set(living.codes[:-1]) == {-9}


@pytest.mark.long
@pytest.mark.timeout(5400)
@pytest.mark.fault("R1", heals="the operator resumes: nothing is lost, done twice or left behind")
async def test_operator_that_is_killed_after_any_of_its_writes_comes_to_the_same_end(
    operated: Operated, apiserver: ApiServer, ledger: Ledger, tmp_path: Path, healing: Healing
) -> None:
    wheres, number = set(), 1
    while True:
        folder = tmp_path / str(number)
        folder.mkdir()
        place = dataclasses.replace(
            operated, namespace=await fresh_namespace(operated.api, "fault")
        )
        seen, living = await killed(place, apiserver, ledger, folder, _once_after(number), healing)
        if not seen.killed_after:
            break
        wheres.add(seen.killed_after[0].split(" ")[0])
        assert living.codes[0] == -9
        number += 1
    assert wheres == {"api", "store", "ledger"}
    print(f"killed after each of {number - 1} writes")


def _once_after(number: int) -> Kills:
    return lambda kills, since: kills == 0 and since == number
