"""Many objects: a cold start among them, and some that fail for ever."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from kubernetes.aio import client

from dev.servers.apiserver import ApiServer
from roadstead.controllers.operator import Operator
from tests.support.audit import writes_in
from tests.support.builders.objects import Raw
from tests.support.faults_table import Healing
from tests.support.operator.namespace import Operated
from tests.support.waiting import assert_eventually

COLD = 200
HEALTHY = 30
FAILING = 20
QUIET_SECONDS = 5


async def served(operated: Operated, names: set[str]) -> None:
    """Wait until all of these have their Deployment and say so."""

    async def there() -> bool:
        made = {item["metadata"]["name"] for item in await operated.children("deployments")}
        said = {
            item["metadata"]["name"]
            for item in await operated.children("modelserves")
            if item.get("status", {}).get("conditions")
        }
        assert names <= made & said, f"{len(names - (made & said))} are missing"
        return True

    await assert_eventually(there, timeout=120)


async def looked_at(operator: Operator) -> None:
    """Wait until the queue of ModelServes has nothing due, some seconds on end."""
    queue = next(item for kind, item in operator._queues.items() if kind.plural == "modelserves")
    quiet = 0
    while quiet < QUIET_SECONDS:
        await asyncio.sleep(1)
        quiet = quiet + 1 if queue.oldest() == 0 else 0


async def stored(operated: Operated) -> Raw:
    """A Model that is there already."""
    body = await operated.model(source={"quant": {"modelId": operated.site.publish()}})
    await operated.wait_for_reason(body, "Ready", "Ready")
    return body


@pytest.mark.fault("R8", heals="the operator starts, lists, and writes nothing")
@pytest.mark.long
async def test_a_restart_with_hundreds_of_servers_writes_nothing_and_loses_nothing(
    operated: Operated, apiserver: ApiServer, healing: Healing
) -> None:
    names = {f"cold-{number:03}" for number in range(COLD)}
    async with operated.operator():
        model = (await stored(operated))["metadata"]["name"]
        await asyncio.gather(*(operated.serve(name=name, modelName=model) for name in names))
        await served(operated, names)
    before = writes_in(apiserver.audit, operated.namespace)
    with healing():
        async with operated.operator() as operator:
            await looked_at(operator)
    assert writes_in(apiserver.audit, operated.namespace) - before == Counter()
    await served(operated, names)
    for plural in ("services", "serviceaccounts", "networkpolicies"):
        assert names <= {item["metadata"]["name"] for item in await operated.children(plural)}


async def refuse_deployments(api: client.ApiClient, namespace: str) -> None:
    """Have the API server refuse the Deployments of this namespace whose name begins with bad-."""
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
    """Whether the API server does so: it learns of a policy by a watch of its own."""
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
async def test_objects_that_fail_for_ever_hold_up_no_other(
    operated: Operated, apiserver: ApiServer
) -> None:
    bad = {f"bad-{number:02}" for number in range(FAILING)}
    good = {f"good-{number:02}" for number in range(HEALTHY)}
    await refuse_deployments(operated.api, operated.namespace)
    await assert_eventually(lambda: refused(operated), timeout=60)
    async with operated.operator() as operator:
        model = (await stored(operated))["metadata"]["name"]
        for name in sorted(bad) + sorted(good):
            await operated.serve(name=name, modelName=model)
        await served(operated, good)
        await looked_at(operator)
    attempts = Counter(
        {
            key: count
            for key, count in writes_in(apiserver.audit, operated.namespace).items()
            if key[:2] == ("create", "deployments")
        }
    )
    # An attempt at a create has no name in the audit log where it was refused.
    tries = sum(attempts.values()) - HEALTHY
    assert FAILING <= tries <= 5 * FAILING, attempts
    made = {item["metadata"]["name"] for item in await operated.children("deployments")}
    assert made == good
    for body in await operated.children("modelserves"):
        if body["metadata"]["name"] in bad:
            await operated.wait_for_reason(body, "WorkloadReady", "Rejected")
