"""The verdict: a server that receipt and contract do not cover neither starts nor grows."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest

from roadstead.api.contract.demand import Demand
from roadstead.api.modelserve import ModelServe
from roadstead.policy.chain import Violation
from roadstead.policy.contract.contract_policy import Caller, ContractFacts
from roadstead.policy.recheck import Effect, RecheckFacts, judge
from tests.unit.guard.servers import make_server, parsed

NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
REFUSED = Violation(reason="ReceiptForged", message="the receipt is invalid")


def facts(
    *, granted: int | None = None, replicas: int = 3, runs: bool = False, **spec: Any
) -> RecheckFacts:
    serve = ModelServe.parse(make_server(replicas=replicas))
    grant = None if granted is None else Demand.of_serve(serve, granted)
    contract = ContractFacts(
        serve=serve,
        replicas=replicas,
        caller=Caller(subject="alice", groups=frozenset({"demo-users"})),
        namespace_labels={},
        contract=parsed(**spec),
        now=NOW,
    )
    return RecheckFacts(contract=contract, granted=grant, runs=runs)


def test_covered_server_is_applied() -> None:
    verdict = judge(facts(total={"replicas": 3}))
    assert (verdict.accepted, verdict.effect, verdict.replicas) == (True, Effect.APPLY, 3)


def test_accepted_server_has_its_author() -> None:
    assert judge(facts()).subject == "alice"


@pytest.mark.parametrize("granted", [None, Demand(), Demand(servers=1, replicas=2)])
def test_nothing_is_changed_without_a_valid_receipt(granted: Demand | None) -> None:
    verdict = judge(RecheckFacts(contract=None, refused=REFUSED, granted=granted, runs=True))
    assert (verdict.accepted, verdict.effect) == (False, Effect.FREEZE)


def test_a_new_server_over_the_contract_is_not_started() -> None:
    verdict = judge(facts(total={"replicas": 2}))
    assert (verdict.accepted, verdict.effect) == (False, Effect.FREEZE)


@pytest.mark.parametrize(
    ("granted", "replicas"),
    [
        pytest.param(3, 3, id="as it is"),
        pytest.param(1, 1, id="does not grow"),
        pytest.param(9, 3, id="may shrink"),
        pytest.param(0, 0, id="stays down"),
    ],
)
def test_granted_server_continues_and_does_not_grow(granted: int, replicas: int) -> None:
    verdict = judge(facts(granted=granted, total={"replicas": 2}))
    assert (verdict.effect, verdict.replicas) == (Effect.CAP, replicas)


def test_deployment_does_not_prove_a_grant() -> None:
    verdict = judge(facts(runs=True, total={"replicas": 2}))
    assert (verdict.accepted, verdict.effect) == (False, Effect.FREEZE)


def test_spec_above_the_grant_is_not_applied() -> None:
    given = facts(granted=3, total={"replicas": 2})
    assert given.granted is not None
    less = dataclasses.replace(given.granted, memory_bytes=given.granted.memory_bytes - 1)
    assert judge(dataclasses.replace(given, granted=less)).effect is Effect.FREEZE


def test_running_server_is_drained_if_the_contract_enforces_it() -> None:
    verdict = judge(facts(granted=3, total={"replicas": 2}, enforcement="Drain"))
    assert (verdict.accepted, verdict.effect, verdict.replicas) == (False, Effect.DRAIN, 0)


def test_running_server_without_a_grant_is_drained() -> None:
    verdict = judge(facts(runs=True, total={"replicas": 2}, enforcement="Drain"))
    assert (verdict.effect, verdict.replicas) == (Effect.DRAIN, 0)


def test_an_expired_contract_stops_new_servers() -> None:
    verdict = judge(facts(expiresAt="2026-01-01T11:59:59Z"))
    assert (verdict.reason, verdict.effect) == ("ContractExpired", Effect.FREEZE)


def test_deleted_contract_keeps_running_servers() -> None:
    given = facts(granted=3)
    assert given.contract is not None
    gone = dataclasses.replace(given.contract, contract=None)
    verdict = judge(dataclasses.replace(given, contract=gone))
    assert (verdict.accepted, verdict.effect) == (False, Effect.CAP)


def test_what_older_servers_took_is_gone() -> None:
    given = facts(granted=3, total={"replicas": 5})
    assert given.contract is not None
    crowded = dataclasses.replace(given.contract, others=Demand(servers=1, replicas=3))
    assert judge(dataclasses.replace(given, contract=crowded)).reason == "OverTotal"


def test_every_violation_is_reported() -> None:
    message = judge(facts(models=["other"], total={"replicas": 2, "cpu": "1"})).message
    assert all(part in message for part in ("spec.modelName", "spec.replicas", "cpu"))
