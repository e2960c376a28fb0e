"""What a contract covers, and what callers outside it learn."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from roadstead.policy.chain import Violation
from roadstead.policy.contract.contract_policy import (
    Caller,
    authorizes,
    covers,
    explain,
    violations,
)
from tests.unit.policy.contracts import ALICE, NOW, make_contract, make_demanding, make_facts


def test_server_within_its_contract_is_allowed() -> None:
    contract = make_contract(
        perServer={"replicas": 1, "cpu": 2, "memory": "8Gi"},
        total={"servers": 1, "replicas": 1, "cpu": "2000m", "memory": "8192Mi", "gpu": 0},
        expiresAt="2030-01-01T00:00:01Z",
    )
    assert violations(make_facts(contract)) == ()


def test_server_without_a_contract_is_denied() -> None:
    (found,) = violations(make_facts(None))
    assert found.reason == "NoContract"


def test_contract_of_another_namespace_reports_only_the_namespace() -> None:
    contract = make_contract(namespaces={"names": ["other"]}, total={"memory": "1Gi"})
    (found,) = violations(make_facts(contract))
    assert found.reason == "NamespaceNotCovered"
    assert "other" not in found.message


def test_unauthorized_caller_learns_what_the_contract_requires() -> None:
    contract = make_contract(
        authorization={"groups": ["admins"], "subjects": ["bob"], "scopes": ["serve", "more"]},
        total={"memory": "1Gi"},
    )
    (found,) = violations(make_facts(contract))
    assert (found.reason, found.field) == ("NotAuthorized", "spec.contract")
    assert found.message == (
        "contract demo requires group admins or one of 1 named subjects and scope more, serve; "
        "of these, the token that alice applied the server with has group none and scope serve"
    )


def test_subjects_are_counted_and_not_named() -> None:
    contract = make_contract(authorization={"subjects": ["bob@example.com"]})
    assert "bob" not in explain(violations(make_facts(contract)))


@pytest.mark.parametrize(
    ("spec", "meta", "reason"),
    [
        pytest.param({"expiresAt": "2030-01-01T00:00:00Z"}, {}, "ContractExpired", id="expired"),
        pytest.param({"expiresAt": "soon"}, {}, "ContractInvalid", id="no time"),
        pytest.param({"total": {"cpu": "1e9Gi"}}, {}, "ContractInvalid", id="invalid quantity"),
        pytest.param({}, {"deletionTimestamp": "2030"}, "ContractDeleting", id="deleting"),
    ],
)
def test_contract_that_is_not_in_force_allows_nothing(
    spec: dict[str, Any], meta: dict[str, Any], reason: str
) -> None:
    found = violations(make_facts(make_contract(meta=meta, **spec)))
    assert reason in {each.reason for each in found}


def test_violation_has_the_time_of_expiry() -> None:
    contract = make_contract(expiresAt="2029-12-31T23:00:00-01:00")
    (found,) = violations(make_facts(contract))
    assert "contract demo expired at 2030-01-01T00:00:00Z" in found.message


def test_contract_is_in_force_until_it_expires() -> None:
    contract = make_contract(expiresAt="2030-01-01T00:00:00Z")
    earlier = NOW - datetime.timedelta(microseconds=1)
    assert violations(make_facts(contract, now=earlier)) == ()


@pytest.mark.parametrize(
    ("spec", "uuid_model", "reason", "field"),
    [
        pytest.param({"modelName": "llama"}, "", "ModelNotAllowed", "spec.modelName", id="name"),
        pytest.param(
            {"modelName": "", "modelUuid": "u"}, "llama", "ModelNotAllowed", "spec.modelUuid",
            id="uuid",
        ),
        pytest.param(
            {"modelName": "gemma", "modelUuid": "u"}, "llama", "ModelNotAllowed", "spec.modelUuid",
            id="an allowed name beside the uuid of another",
        ),
        pytest.param(
            {"modelName": "gemma", "modelUuid": "u"}, "", "ModelNotFound", "spec.modelUuid",
            id="an unknown uuid",
        ),
        pytest.param({"modelName": ""}, "", "ModelNotAllowed", "spec.modelName", id="no model"),
    ],
)  # fmt: skip
def test_model_outside_the_contract_is_denied(
    spec: dict[str, Any], uuid_model: str, reason: str, field: str
) -> None:
    facts = make_facts(
        make_contract(models=["gemma*", "qwen-?"]),
        serve=make_demanding(**spec),
        uuid_model=uuid_model,
    )
    (found,) = violations(facts)
    assert (found.reason, found.field) == (reason, field)
    assert "contract demo" in found.message


def test_violation_lists_the_allowed_models() -> None:
    facts = make_facts(make_contract(models=["qwen-?", "gemma*"]),
                       serve=make_demanding(modelName="llama"))  # fmt: skip
    assert explain(violations(facts)) == (
        "spec.modelName: model llama; contract demo allows gemma*, qwen-?"
    )


def test_all_violations_are_reported_at_once() -> None:
    limit = "spec.resources.limits.memory"
    too_small = Violation(reason="MemoryTooSmall", message="1Gi; it needs 16Gi", field=limit)
    contract = make_contract(
        models=["llama"],
        expiresAt="2029-01-01T00:00:00Z",
        perServer={"replicas": 1},
        total={"memory": "16Gi"},
        runtimeParams={"maxContextSize": 2048, "extraArgs": "Forbid"},
    )
    serve = make_demanding(3, runtimeParams={"contextSize": 4096, "extraArgs": ["--temp", "1"]})
    found = violations(make_facts(contract, serve=serve, memory=too_small))
    assert {(each.reason, each.field) for each in found} == {
        ("ContractExpired", "spec.contract"),
        ("ModelNotAllowed", "spec.modelName"),
        ("OverServerLimit", "spec.replicas"),
        ("OverTotal", "spec.resources.limits.memory"),
        ("OverRuntimeBound", "spec.runtimeParams.contextSize"),
        ("ExtraArgsForbidden", "spec.runtimeParams.extraArgs"),
        ("MemoryTooSmall", limit),
    }
    assert explain(found).count("; ") >= len(found) - 1


def test_invalid_quantities_are_reported_with_their_field() -> None:
    serve = make_demanding(resources={"limits": {"cpu": "0.5m", "memory": "1e9Gi"}})
    found = violations(make_facts(make_contract(), serve=serve))
    assert explain(found) == (
        "spec.resources.limits.cpu: 0.5m is more precise than 1m, a thousandth of a core; "
        "spec.resources.limits.memory: invalid quantity '1e9Gi': expected a value such as 500m or "
        "2Gi"
    )


@pytest.mark.parametrize(
    ("caller", "namespace", "model", "expected"),
    [
        (ALICE, "demo", "gemma", True),
        (ALICE, "other", "gemma", False),
        (ALICE, "demo", "llama", False),
        (ALICE, "demo", "", False),
        (Caller(subject="alice"), "demo", "gemma", False),
    ],
)
def test_a_contract_covers_caller_namespace_and_model(
    caller: Caller, namespace: str, model: str, expected: bool
) -> None:
    contract = make_contract(models=["gemma"])
    assert covers(contract, namespace, {}, caller, model) is expected


def test_a_model_is_authorized_wherever_it_would_run() -> None:
    contract = make_contract(namespaces={"names": ["other"]}, models=["gemma"])
    assert authorizes(contract, ALICE, "gemma")
    assert not authorizes(contract, ALICE, "llama")
    assert not authorizes(contract, Caller(subject="bob"), "gemma")
