"""ServiceAccounts that need no token: their settings, and the decisions on their requests."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from roadstead.errors import InvalidReceipt, InvalidSettings, InvalidToken
from roadstead.settings import EnvReader
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission.mutating import Mutation, mutate
from roadstead_webhooks.admission.review import AdmissionRequest
from roadstead_webhooks.admission.service_accounts import read_accounts
from roadstead_webhooks.admission.validating import validate
from tests.support.builders.reviews import RULES, claims, facts, receipt, request, thing

NAME = "system:serviceaccount:flux-system:applier"
ENTRY: dict[str, Any] = {"namespace": "flux-system", "name": "applier", "groups": ["demo-users"]}
USERS = dataclasses.replace(RULES, accounts={NAME: frozenset({"demo-users", "others"})})
ADMINS = dataclasses.replace(RULES, accounts={NAME: RULES.admin_groups})
DELETION = "model.example.com/deletion"
TOKEN = "model.example.com/auth-token"
MISSING = InvalidReceipt("none", reason="ReceiptMissing")


def by_account(*arguments: Any, **changes: Any) -> AdmissionRequest:
    return request(*arguments, userInfo={"username": NAME}, **changes)


def account_receipt(asked: AdmissionRequest) -> Receipt:
    found = receipt(asked, subject=NAME)
    return dataclasses.replace(found, binding=dataclasses.replace(found.binding, requested_by=NAME))


def author(mutation: Mutation) -> tuple[str, str, frozenset[str]]:
    assert mutation.author is not None
    found = mutation.author
    return found.account, found.caller.subject, found.caller.groups


def read(*entries: Any) -> dict[str, frozenset[str]]:
    env = EnvReader({"ROADSTEAD_SERVICE_ACCOUNTS": json.dumps(entries)})
    found = dict(read_accounts(env))
    env.done()
    return found


def test_accounts_are_read_by_their_user_names() -> None:
    assert read(ENTRY, {**ENTRY, "name": "b", "groups": []}) == {
        NAME: frozenset({"demo-users"}),
        "system:serviceaccount:flux-system:b": frozenset(),
    }


def test_no_account_is_listed_by_default() -> None:
    assert read_accounts(EnvReader({})) == {}


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        pytest.param([{**ENTRY, "name": "*"}], "invalid name", id="a pattern"),
        pytest.param([{**ENTRY, "namespace": "a.b"}], "invalid namespace", id="a namespace"),
        pytest.param([{**ENTRY, "namespace": "a:b"}], "invalid namespace", id="a colon"),
        pytest.param([{**ENTRY, "groups": "admins"}], "groups is not a list", id="groups"),
        pytest.param([{**ENTRY, "groups": [" a"]}], "groups is not a list", id="a group"),
        pytest.param([{**ENTRY, "scopes": []}], "expected the fields", id="an unknown field"),
        pytest.param([{"name": "a"}], "expected the fields", id="a missing field"),
        pytest.param(["a"], "expected the fields", id="no object"),
        pytest.param([ENTRY, ENTRY], "is listed twice", id="twice"),
        pytest.param([{**ENTRY, "name": "a" * 250}], "is longer than", id="too long"),
    ],
)
def test_invalid_accounts_are_reported(entries: list[Any], fault: str) -> None:
    with pytest.raises(InvalidSettings, match=fault):
        read(*entries)


@pytest.mark.parametrize("text", ["{}", "x", "null"])
def test_value_that_is_no_list_is_reported(text: str) -> None:
    env = EnvReader({"ROADSTEAD_SERVICE_ACCOUNTS": text})
    read_accounts(env)
    with pytest.raises(InvalidSettings, match="is not a JSON list"):
        env.done()


def test_account_is_the_author_with_the_groups_that_are_checked() -> None:
    mutation = mutate(by_account("CREATE", thing()), facts(), USERS)
    assert author(mutation) == (NAME, NAME, frozenset({"demo-users"}))


def test_account_is_unknown_without_the_setting() -> None:
    denial = mutate(by_account("CREATE", thing()), facts(), RULES).denial
    assert denial is not None
    assert denial.reason == "TokenMissing"


def test_token_takes_precedence_over_the_account() -> None:
    asked = by_account("CREATE", thing(annotations={TOKEN: "t"}))
    assert author(mutate(asked, facts(token=claims()), USERS)) == (
        "",
        "alice",
        frozenset({"demo-users"}),
    )


def test_invalid_token_is_denied_to_an_account_too() -> None:
    asked = by_account("CREATE", thing(annotations={TOKEN: "t"}))
    token = InvalidToken("it is old", reason="TokenExpired")
    denial = mutate(asked, facts(token=token), USERS).denial
    assert denial is not None
    assert denial.reason == "TokenExpired"


def test_unchanged_object_keeps_the_receipt_of_another_author() -> None:
    asked = by_account("UPDATE", thing(), thing())
    mutation = mutate(asked, facts(receipt=receipt(asked)), USERS)
    assert (mutation.denial, mutation.author) == (None, None)


def test_receipt_of_an_account_is_only_taken_from_it() -> None:
    asked = by_account("CREATE", thing())
    found = account_receipt(asked)
    assert validate(asked, facts(receipt=found), USERS).answer.allowed
    other = validate(request("CREATE", thing()), facts(receipt=found), USERS).answer
    assert other.reason == "ReceiptOtherAuthor"


@pytest.mark.parametrize("kind", ["Model", "ResourceContract"])
def test_administrators_account_deletes_without_a_permit(kind: str) -> None:
    asked = by_account("DELETE", None, thing(kind), kind=kind)
    allowed = validate(asked, facts(), ADMINS).answer
    assert (allowed.allowed, allowed.subject) == (True, NAME)
    assert validate(asked, facts(), USERS).answer.reason == "NotAuthorized"
    assert validate(asked, facts(), RULES).answer.reason == "DeletionNotAsked"


def test_model_in_use_is_not_deleted_by_an_account() -> None:
    asked = by_account("DELETE", None, thing("Model"), kind="Model")
    answer = validate(asked, facts(users=("demo/one",)), ADMINS).answer
    assert answer.reason == "ModelInUse"


def test_account_gets_no_deletion_permit() -> None:
    asked = by_account(
        "UPDATE", thing("Model", annotations={DELETION: "yes"}), thing("Model"), kind="Model"
    )
    denial = mutate(asked, facts(receipt=MISSING), ADMINS).denial
    assert denial is not None
    assert denial.reason == "TokenMissing"
