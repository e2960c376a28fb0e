"""Many objects: a cold start with them, and some that fail permanently."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from kubernetes.aio import client

from dev.servers.apiserver import ApiServer
from roadstead.process.operator import Operator
from tests.support.audit import writes_in
from tests.support.builders.objects import Raw
from tests.support.faults_table import Healing
from tests.support.operator.namespace import Operated
from tests.support.waiting import assert_eventually

COLD = 200
HEALTHY = 30
FAILING = 20
QUIET_SECONDS = 5


async def wait_for_deployments(operated: Operated, names: set[str]) -> None:
    """Wait until all of these have their Deployment and a status."""

    async def exist() -> bool:
        made = {item["metadata"]["name"] for item in await operated.children("deployments")}
        reported = {
            item["metadata"]["name"]
            for item in await operated.children("modelserves")
            if item.get("status", {}).get("conditions")
        }
        assert names <= made & reported, f"{len(names - (made & reported))} are missing"
        return True

    await assert_eventually(exist, timeout=120)


async def wait_until_queue_idle(operator: Operator) -> None:
    """Wait until the queue of ModelServes has been idle for some seconds."""
    queue = next(
        item for kind, item in operator.components.queues.items() if kind.plural == "modelserves"
    )
    quiet = 0
    while quiet < QUIET_SECONDS:
        await asyncio.sleep(1)
        quiet = quiet + 1 if queue.oldest() == 0 else 0


async def create_stored_model(operated: Operated) -> Raw:
    """Create a Model and wait until it is stored."""
    body = await operated.model(source={"quant": {"modelId": operated.site.publish()}})
    await operated.wait_for_reason(body, "Ready", "Ready")
    return body


@pytest.mark.fault("R8", heals="the operator starts, lists, and writes nothing")
@pytest.mark.long
async def test_restart_with_hundreds_of_servers_writes_nothing(
    operated: Operated, apiserver: ApiServer, healing: Healing
) -> None:
    names = {f"cold-{number:03}" for number in range(COLD)}
    async with operated.operator():
        model = (await create_stored_model(operated))["metadata"]["name"]
        await asyncio.gather(*(operated.serve(name=name, modelName=model) for name in names))
        await wait_for_deployments(operated, names)
    before = writes_in(apiserver.audit, operated.namespace)
    with healing():
        async with operated.operator() as operator:
            await wait_until_queue_idle(operator)
    assert writes_in(apiserver.audit, operated.namespace) - before == Counter()
    await wait_for_deployments(operated, names)
    for plural in ("services", "serviceaccounts", "networkpolicies"):
        assert names <= {item["metadata"]["name"] for item in await operated.children(plural)}


async def refuse_deployments(api: client.ApiClient, namespace: str) -> None:
    """Make the API server refuse Deployments of this namespace whose names start with bad-."""
    admission = client.AdmissionregistrationV1Api(api)
    name = f"refuse-{namespace}"
    rule = client.V1NamedRuleWithOperations(
        api_groups=["apps"], api_versions=["v1"], operations=["*"], resources=["deployments"]
    )
    here = client.V1LabelSelector(match_labels={"kubernetes.io/metadata.name": namespace})
    await admission.create_validating_admission_policy(
        client.V1ValidatingAdmissionPolicy(
            metadata=client.V1ObjectMeta(name=name),
            spec=client.V1ValidatingAdmissionPolicySpec(
                match_constraints=client.V1MatchResources(
                    namespace_selector=here, resource_rules=[rule]
                ),
                validations=[
                    client.V1Validation(expression="!object.metadata.name.startsWith('bad-')")
                ],
            ),
        )
    )
    await admission.create_validating_admission_policy_binding(
        client.V1ValidatingAdmissionPolicyBinding(
            metadata=client.V1ObjectMeta(name=name),
            spec=client.V1ValidatingAdmissionPolicyBindingSpec(
                policy_name=name, validation_actions=["Deny"]
            ),
        )
    )


async def refused(operated: Operated) -> bool:
    """Whether the API server does: it notices a policy by a watch."""
    pod = {"containers": [{"name": "a", "image": "a"}]}
    labels = {"app": "probe"}
    body: Any = {
        "metadata": {"name": "bad-probe"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    try:
        await client.AppsV1Api(operated.api).create_namespaced_deployment(
            operated.namespace, body, dry_run="All"
        )
    except client.ApiException as error:
        return error.status in (403, 422)
    return False


@pytest.mark.long
@pytest.mark.fault(
    "R9", heals="the others at once; these objects when the cause of the refusal is removed"
)
async def test_permanently_failing_objects_block_no_others(
    operated: Operated, apiserver: ApiServer
) -> None:
    bad = {f"bad-{number:02}" for number in range(FAILING)}
    good = {f"good-{number:02}" for number in range(HEALTHY)}
    await refuse_deployments(operated.api, operated.namespace)
    await assert_eventually(lambda: refused(operated), timeout=60)
    async with operated.operator() as operator:
        model = (await create_stored_model(operated))["metadata"]["name"]
        for name in sorted(bad) + sorted(good):
            await operated.serve(name=name, modelName=model)
        await wait_for_deployments(operated, good)
        await wait_until_queue_idle(operator)
    attempts = Counter(
        {
            key: count
            for key, count in writes_in(apiserver.audit, operated.namespace).items()
            if key[:2] == ("create", "deployments")
        }
    )
    # In the audit log, a refused create has no name.
    tries = sum(attempts.values()) - HEALTHY
    assert FAILING <= tries <= 5 * FAILING, attempts
    made = {item["metadata"]["name"] for item in await operated.children("deployments")}
    assert made == good
    for body in await operated.children("modelserves"):
        if body["metadata"]["name"] in bad:
            await operated.wait_for_reason(body, "WorkloadReady", "Rejected")
