"""The namespaces that may reach the embedded store."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.controllers.modelserve.store_reach import StoreReach
from roadstead.errors import KubeRejected
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.resources import MODELSERVES, NETWORKPOLICIES
from roadstead.kube.watch_cache import WatchCache
from roadstead.tokens.receipt_keys import SigningKey
from tests.support.builders.reviews import thing
from tests.support.receipts import verifier_of, with_receipt
from tests.unit.kube.memory_api import MemoryApi

SYSTEM = "roadstead-system"
KEY = SigningKey.generate()
PORTS = [{"port": "s3", "protocol": "TCP"}]


class Site:
    """The chart's policy of the store, and servers in the cache."""

    def __init__(self) -> None:
        self.api = MemoryApi()
        self.cache = WatchCache({})
        self.admitted = AdmittedServes(verifier_of(KEY))
        meta = {"name": "roadstead-store", "namespace": SYSTEM, "uid": "base"}
        spec = {"podSelector": {"matchLabels": {"a": "b"}}, "ingress": [{"ports": PORTS}]}
        self.api.objects[NETWORKPOLICIES, SYSTEM, "roadstead-store"] = {
            "metadata": meta,
            "spec": spec,
        }
        self.reach = StoreReach(
            client=self.api,
            cache=self.cache,
            admitted=self.admitted,
            policy="roadstead-store",
            namespace=SYSTEM,
        )

    def serve(self, namespace: str, *, receipt: bool = True, **status: Any) -> None:
        raw = thing(name=f"in-{namespace}", namespace=namespace, uid=namespace, generation=1)
        signed = with_receipt(raw, KEY) if receipt else raw
        self.cache.put(MODELSERVES, {**signed, "status": status})

    def remove(self, namespace: str) -> None:
        self.cache.remove(MODELSERVES, (namespace, f"in-{namespace}"))
        self.admitted.forget(namespace)

    @property
    def opened(self) -> list[str]:
        """The namespaces that the policy allows."""
        policy = self.api.objects[NETWORKPOLICIES, SYSTEM, "roadstead-store-servers"]
        found: list[str] = []
        for rule in policy["spec"].get("ingress", ()):
            assert rule["ports"] == PORTS
            (peer,) = rule["from"]
            assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == "llama-server"
            (named,) = peer["namespaceSelector"]["matchExpressions"]
            found += named["values"]
        return found


async def test_without_servers_no_namespace_is_allowed() -> None:
    site = Site()
    await site.reach.review()
    assert site.opened == []


async def test_a_namespace_is_allowed_before_its_first_server() -> None:
    site = Site()
    site.serve("b")
    await site.reach.allow("a")
    assert site.opened == ["a", "b"]


async def test_an_allowed_namespace_needs_no_write() -> None:
    site = Site()
    site.serve("a")
    for _ in range(3):
        await site.reach.allow("a")
        await site.reach.review()
    assert len(site.api.writes) == 1


async def test_a_namespace_without_servers_is_removed() -> None:
    site = Site()
    for namespace in ("a", "b"):
        site.serve(namespace)
        await site.reach.allow(namespace)
    site.remove("a")
    await site.reach.review()
    assert site.opened == ["b"]


async def test_a_server_without_a_receipt_counts_only_if_it_ran() -> None:
    site = Site()
    site.serve("a", receipt=False)
    site.serve("b", receipt=False, startedAt="2030-01-01T00:00:00Z")
    await site.reach.review()
    assert site.opened == ["b"]


async def test_a_widened_policy_is_corrected() -> None:
    site = Site()
    site.serve("a")
    await site.reach.review()
    key = (NETWORKPOLICIES, SYSTEM, "roadstead-store-servers")
    site.api.objects[key]["spec"]["ingress"] = [{}]
    await site.reach.review()
    assert site.opened == ["a"]


async def test_a_failed_write_of_the_policy_is_retried() -> None:
    site = Site()
    site.serve("a")
    site.api.faults["apply", "NetworkPolicy"] = KubeRejected("no", status=403)
    with pytest.raises(KubeRejected):
        await site.reach.allow("a")
    await site.reach.allow("a")
    assert site.opened == ["a"]


async def test_the_policy_is_owned_by_the_charts() -> None:
    site = Site()
    await site.reach.review()
    policy = site.api.objects[NETWORKPOLICIES, SYSTEM, "roadstead-store-servers"]
    (owner,) = policy["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("NetworkPolicy", "base")
