"""Image pull Secrets of the installation reach the pods of servers."""

from __future__ import annotations

import json

from roadstead.manifests.pull_secret import CONTENT, TYPE
from tests.support.builders.objects import Raw
from tests.support.operator.namespace import Operated
from tests.support.raw_objects import send_raw

PULLS = json.dumps([{"name": "by-name"}, {"name": "regcred", "copy": True}])


def settings(operated: Operated) -> dict[str, str]:
    """The settings of an operator in the namespace of the test."""
    return {
        "ROADSTEAD_NAMESPACE": operated.namespace,
        "ROADSTEAD_SERVER_PULL_SECRETS": PULLS,
    }


async def gemma(operated: Operated) -> Raw:
    """A ModelServe named gemma of an available model."""
    return await operated.serve(name="gemma", modelName=operated.site.publish())


async def test_a_server_gets_a_copy_of_the_pull_secret(operated: Operated) -> None:
    content = json.dumps({"auths": {"registry.example.com": {"auth": "dXNlcjpwYXNz"}}})
    secret = {"metadata": {"name": "regcred"}, "type": TYPE, "stringData": {CONTENT: content}}
    source = await send_raw(operated.api, "POST", operated.path("secrets"), secret)
    async with operated.operator(**settings(operated)):
        serve = await gemma(operated)
        deployment = await operated.wait_for_deployment(serve)
    copy = await operated.child("secrets", "gemma-pull-regcred")
    assert (copy["type"], copy["data"]) == (TYPE, source["data"])
    assert copy["metadata"]["ownerReferences"][0]["uid"] == serve["metadata"]["uid"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["imagePullSecrets"] == [{"name": "by-name"}, {"name": "gemma-pull-regcred"}]


async def test_a_missing_pull_secret_is_the_reason_of_the_server(operated: Operated) -> None:
    async with operated.operator(**settings(operated)):
        await operated.wait_for_reason(await gemma(operated), "Ready", "PullSecretMissing")
    assert not await operated.has("deployments", "gemma")
