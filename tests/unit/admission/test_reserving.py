"""Reservations with conflicts, failures and lost objects of the API server."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadstead.api.contract.contract_limits import DEFAULT_SERVERS
from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.errors import KubeConflict, KubeNotFound, KubeUnavailable
from roadstead.kube.admitted import AdmittedServes
from roadstead.kube.resources import MODELSERVES, RESOURCECONTRACTS, Resource
from roadstead.policy.contract.contract_policy import Caller, ContractFacts
from roadstead_webhooks.admission.counting import CountingCache
from roadstead_webhooks.admission.reserving import RESERVATION_ATTEMPTS, Reservations
from roadstead_webhooks.admission.validating import Claim
from tests.support.builders.reviews import NOW, SPECS, thing


class Contracts:
    """One contract with the API server's compare-and-swap; each write raises one of `faults`."""

    def __init__(self, **total: Any) -> None:
        spec = {**SPECS["ResourceContract"], "total": total}
        self.raw: dict[str, Any] | None = thing(
            "ResourceContract", spec=spec, name="demo", uid="c", resourceVersion="1"
        )
        self.faults: list[Exception] = []
        self.writes = 0

    async def get(self, resource: Resource, name: str, namespace: str = "") -> dict[str, Any]:
        """As KubeClient."""
        await asyncio.sleep(0)
        if self.raw is None:
            raise KubeNotFound("gone", status=404)
        return copy.deepcopy(self.raw)

    async def replace_status(self, resource: Resource, body: Any) -> dict[str, Any]:
        """As KubeClient."""
        await asyncio.sleep(0)
        if self.faults:
            raise self.faults.pop(0)
        if self.raw is None:
            raise KubeNotFound("gone", status=404)
        seen, version = (each["metadata"]["resourceVersion"] for each in (body, self.raw))
        if seen != version:
            raise KubeConflict("changed", status=409)
        self.writes += 1
        meta = {**self.raw["metadata"], "resourceVersion": str(int(version) + 1)}
        self.raw = copy.deepcopy({**self.raw, "metadata": meta, "status": body["status"]})
        return copy.deepcopy(self.raw)

    @property
    def reserved(self) -> dict[str, int]:
        """Return the replicas by server."""
        assert self.raw is not None
        contract = ResourceContract.parse(self.raw)
        return {each.key: each.demand.replicas for each in contract.reservations}


def webhook(contracts: Contracts) -> Reservations:
    """Return the reservations of a replica with the current contract in its cache."""
    cache = CountingCache(AdmittedServes())
    if contracts.raw:
        cache.put(RESOURCECONTRACTS, copy.deepcopy(contracts.raw))
    return Reservations(contracts, cache, clock=lambda: NOW)


def claim(name: str, replicas: int = 1, **spec: Any) -> Claim:
    """Return the claim of a new server with this name."""
    whole = {**SPECS["ModelServe"], "replicas": replicas, **spec}
    serve = ModelServe.parse(thing(name=name, spec=whole))
    facts = ContractFacts(
        serve=serve,
        replicas=replicas,
        caller=Caller(subject="alice", groups=frozenset({"demo-users"})),
        namespace_labels={},
        contract=None,
        now=NOW,
    )
    return Claim(contract="demo", key=f"demo/{name}", uid=name, wanted=facts.wanted, facts=facts)


async def admitted(reservations: Reservations, asked: Claim, *, dry_run: bool = False) -> bool:
    return await reservations.take(asked, dry_run=dry_run) is None


async def test_two_servers_share_one_total() -> None:
    contracts = Contracts(servers=10)
    servers = [webhook(contracts), webhook(contracts)]
    asked = [admitted(servers[each % 2], claim(f"s{each}")) for each in range(32)]
    assert sum(await asyncio.gather(*asked)) == 10
    assert len(contracts.reserved) == 10


async def test_total_of_a_resource_is_shared_and_no_other_resource_is_reserved() -> None:
    contracts = Contracts(resources={"nvidia.com/gpumem": 6000})
    servers = [webhook(contracts), webhook(contracts)]
    limits = {"nvidia.com/gpu": 1, "nvidia.com/gpumem": 2000, "rdma/" + "x" * 60: 1}
    asked = [claim(f"s{each}", resources={"limits": limits}) for each in range(6)]
    pairs = [admitted(servers[number % 2], each) for number, each in enumerate(asked)]
    assert sum(await asyncio.gather(*pairs)) == 3
    reserved = ResourceContract.parse(contracts.raw or {}).reservations
    assert [each.demand.resources for each in reserved] == [{"nvidia.com/gpumem": 2000}] * 3


async def test_waiting_claims_are_written_together() -> None:
    contracts = Contracts(servers=100)
    one = webhook(contracts)
    assert all(await asyncio.gather(*(admitted(one, claim(f"s{each}")) for each in range(50))))
    assert contracts.writes <= 3


async def test_dry_run_gets_the_same_answer_and_writes_nothing() -> None:
    contracts = Contracts(servers=1)
    one = webhook(contracts)
    assert await admitted(one, claim("a"), dry_run=True)
    assert contracts.writes == 0
    assert await admitted(one, claim("a"))
    assert not await admitted(one, claim("b"), dry_run=True)


async def test_contract_without_totals_is_not_written() -> None:
    contracts = Contracts()
    assert await admitted(webhook(contracts), claim("a"))
    assert contracts.writes == 0


async def test_contract_without_totals_allows_the_default_number_of_servers() -> None:
    contracts = Contracts()
    cache = CountingCache(AdmittedServes())
    cache.put(RESOURCECONTRACTS, copy.deepcopy(contracts.raw or {}))
    for number in range(DEFAULT_SERVERS):
        name = f"s{number}"
        cache.put(MODELSERVES, thing(name=name, uid=name, resourceVersion="1"))
    one = Reservations(contracts, cache, clock=lambda: NOW)
    answer = await one.take(claim("one-more"), dry_run=False)
    assert answer is not None
    assert answer.reason == "OverTotal"
    assert "has 1000 servers in total, 0 of them free" in answer.message
    assert await admitted(one, claim("s0", 2))


async def test_stale_cache_alone_causes_no_denial() -> None:
    contracts = Contracts(servers=1)
    one, other = webhook(contracts), webhook(contracts)
    assert await admitted(one, claim("a"))
    assert contracts.raw is not None
    contracts.raw["status"]["reservations"] = []
    contracts.raw["metadata"]["resourceVersion"] = "9"
    assert await admitted(one, claim("b"))
    assert not await admitted(other, claim("c"))


async def test_conflicts_are_retried_a_limited_number_of_times() -> None:
    contracts = Contracts(servers=10)
    contracts.faults = [KubeConflict("changed", status=409)] * 3
    assert await admitted(webhook(contracts), claim("a"))
    contracts.faults = [KubeConflict("changed", status=409)] * RESERVATION_ATTEMPTS
    answer = await webhook(contracts).take(claim("b"), dry_run=False)
    assert answer is not None
    assert answer.code == 429


async def test_outage_of_the_api_server_denies_requests() -> None:
    contracts = Contracts(servers=10)
    contracts.faults = [KubeUnavailable("away", status=503)]
    one = webhook(contracts)
    with pytest.raises(KubeUnavailable):
        await one.take(claim("a"), dry_run=False)
    assert await admitted(one, claim("b"))


async def test_deleted_contract_denies_requests() -> None:
    contracts = Contracts(servers=10)
    one = webhook(contracts)
    contracts.raw = None
    answer = await one.take(claim("a"), dry_run=False)
    assert answer is not None
    assert answer.reason == "ContractNotFound"


async def test_two_creates_of_one_name_take_the_larger_of_both() -> None:
    contracts = Contracts(replicas=10)
    one = webhook(contracts)
    assert await admitted(one, claim("a", 7))
    assert await admitted(one, claim("a", 2))
    assert contracts.reserved == {"demo/a": 7}
    assert not await admitted(one, claim("b", 4))


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), max_size=15),
    st.integers(0, 20),
)
def test_never_more_than_the_total_is_admitted(steps: list[tuple[int, int]], total: int) -> None:
    contracts = Contracts(replicas=total)

    async def run() -> list[bool]:
        servers = [webhook(contracts) for _ in range(3)]
        asked = [
            admitted(servers[server], claim(f"s{place}", replicas))
            for place, (server, replicas) in enumerate(steps)
        ]
        return await asyncio.gather(*asked)

    verdicts = asyncio.run(run())
    taken = sum(replicas for (_, replicas), yes in zip(steps, verdicts, strict=True) if yes)
    assert taken <= total
    assert taken == sum(contracts.reserved.values())
