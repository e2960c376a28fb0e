"""The NetworkPolicy that allows servers' pods to reach the embedded store."""

from __future__ import annotations

from tests.support.operator.namespace import Operated
from tests.support.raw_objects import send_raw

NAME = "roadstead-store"
STORE = {
    "metadata": {"name": NAME},
    "spec": {
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "store"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": "s3", "protocol": "TCP"}]}],
    },
}


async def test_a_namespace_may_reach_the_store_with_its_first_server(operated: Operated) -> None:
    await send_raw(operated.api, "POST", operated.path("networkpolicies"), STORE)
    settings = {"ROADSTEAD_STORE_POLICY": NAME, "ROADSTEAD_NAMESPACE": operated.namespace}
    async with operated.operator(**settings):
        serve = await operated.serve(modelName=operated.site.publish())
        await operated.wait_for_deployment(serve)
        written = await operated.child("networkpolicies", f"{NAME}-servers")
    (rule,) = written["spec"]["ingress"]
    (peer,) = rule["from"]
    (named,) = peer["namespaceSelector"]["matchExpressions"]
    assert named["values"] == [operated.namespace]
    assert rule["ports"] == STORE["spec"]["ingress"][0]["ports"]  # type: ignore[index]
