"""The caller in a receipt has only the groups and scopes that are checked later."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from roadstead.errors import InvalidReceipt
from roadstead.policy.contract.contract_policy import Caller
from roadstead.tokens.claims import Claims
from roadstead_webhooks.admission.mutating import Mutation, mutate
from roadstead_webhooks.admission.review import AdmissionRequest
from roadstead_webhooks.admission.validating import validate
from tests.support.builders.reviews import RULES, claims, facts, offer, receipt, request, thing

TOKEN = "model.example.com/auth-token"
DELETION = "model.example.com/deletion"
FORGED = InvalidReceipt("not ours", reason="ReceiptForged")
SCOPED = offer(authorization={"groups": ["demo-users", "others"], "scopes": ["serve"]})
QUANT = {"source": {"quant": {"modelId": "one"}}}


def everything(*groups: str) -> Claims:
    """Claims with more groups and scopes than any contract requires."""
    found = claims("demo-users", "roadstead-admins", "laid-off-in-may", *groups)
    return dataclasses.replace(found, scopes=frozenset({"serve", "mail"}))


def with_token(kind: str, **changes: Any) -> dict[str, Any]:
    return thing(kind, annotations={TOKEN: "t"}, **changes)


def mutated(asked: AdmissionRequest, **known: Any) -> Mutation:
    found = mutate(asked, facts(token=everything(), **known), RULES)
    assert found.denial is None
    return found


def named(asked: AdmissionRequest, **known: Any) -> Caller:
    """Return the caller in the new receipt."""
    author = mutated(asked, **known).author
    assert author is not None
    return author.caller


def test_receipt_of_a_server_has_the_groups_of_its_contract() -> None:
    asked = request("CREATE", with_token("ModelServe"))
    assert named(asked, offers=(SCOPED,)) == Caller(
        subject="alice", groups=frozenset({"demo-users"}), scopes=frozenset({"serve"})
    )


def test_receipt_has_no_groups_of_other_contracts() -> None:
    other = offer(authorization={"groups": ["laid-off-in-may"], "scopes": ["mail"]})
    renamed = dataclasses.replace(other.contract.meta, name="other")
    other = dataclasses.replace(other, contract=dataclasses.replace(other.contract, meta=renamed))
    caller = named(request("CREATE", with_token("ModelServe")), offers=(other, SCOPED))
    assert caller.groups == {"demo-users"}
    assert caller.scopes == {"serve"}


def test_receipt_that_replaces_an_invalid_one_has_no_other_groups() -> None:
    asked = request("UPDATE", with_token("ModelServe"), thing("ModelServe"))
    assert named(asked, receipt=FORGED, offers=(SCOPED,)).groups == {"demo-users"}


@pytest.mark.parametrize("kind", ["Model", "ResourceContract"])
def test_receipt_of_an_administrators_change_has_the_admin_groups(kind: str) -> None:
    asked = request("UPDATE", with_token(kind), thing(kind, spec={"a": "b"}), kind=kind)
    caller = named(asked)
    assert caller.groups == {"roadstead-admins"}
    assert not caller.scopes


def test_receipt_of_a_model_has_the_groups_of_its_contracts() -> None:
    asked = request("CREATE", with_token("Model", spec=QUANT), kind="Model")
    elsewhere = offer(authorization={"groups": ["laid-off-in-may"]}, models=["two"])
    caller = named(asked, offers=(SCOPED, elsewhere))
    assert caller.groups == {"demo-users", "roadstead-admins"}


@pytest.mark.parametrize("kind", ["Model", "ResourceContract"])
def test_deletion_permit_has_the_admin_groups(kind: str) -> None:
    asked = request(
        "UPDATE", thing(kind, annotations={TOKEN: "t", DELETION: "yes"}), thing(kind), kind=kind
    )
    deletion = mutated(asked, receipt=receipt(asked)).deletion
    assert deletion is not None
    assert deletion.caller.groups == {"roadstead-admins"}
    assert not deletion.caller.scopes


@pytest.mark.parametrize(
    ("kind", "spec", "group"),
    [
        pytest.param("ModelServe", None, "demo-users", id="server"),
        pytest.param("Model", QUANT, "demo-users", id="model-of-a-contract"),
        pytest.param("Model", None, "roadstead-admins", id="model-of-an-administrator"),
        pytest.param("ResourceContract", None, "roadstead-admins", id="contract"),
    ],
)
def test_groups_in_a_receipt_are_enough_to_be_admitted(kind: str, spec: Any, group: str) -> None:
    asked = request("CREATE", with_token(kind, spec=spec), kind=kind)
    mutation = mutate(asked, facts(token=claims(group, "more")), RULES)
    assert mutation.author is not None
    caller = mutation.author.caller
    held = receipt(asked, *caller.groups, contract=mutation.contract)
    stored = request("CREATE", thing(kind, spec=spec), kind=kind)
    assert validate(stored, facts(receipt=held), RULES).answer.allowed
