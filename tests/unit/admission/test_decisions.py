"""Decisions of both webhooks, given the facts."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.api.contract.demand import Demand
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw
from roadstead.errors import InvalidReceipt, InvalidToken
from roadstead.tokens.claims import Remark
from roadstead_webhooks import admission
from roadstead_webhooks.admission.mutating import mutate
from roadstead_webhooks.admission.offload import LARGE_EFFORT
from roadstead_webhooks.admission.review import AdmissionRequest, Operation
from roadstead_webhooks.admission.validating import validate
from tests.support.builders.resources import make_model
from tests.support.builders.reviews import (
    NOW,
    OPERATOR,
    RULES,
    SPECS,
    claims,
    facts,
    offer,
    receipt,
    request,
    thing,
)
from tests.unit.admission.test_review import JSON

TOKEN = "model.example.com/auth-token"
RECEIPT = "model.example.com/receipt"
DELETION = "model.example.com/deletion"
EXPIRED = InvalidToken("it is old", reason="TokenExpired")
FORGED = InvalidReceipt("not ours", reason="ReceiptForged")
SMALL = {"limits": {"cpu": "1", "memory": "64Mi"}}
GOING: dict[str, Any] = {"deletionTimestamp": "2027-01-15T08:00:00Z", "finalizers": ["a"]}

PLAIN = {"source": {"quant": {"modelId": "one"}}, "format": "gguf", "deletionPolicy": "Retain"}
"""A Model as the operator would create it, with the CRD's defaults."""


def with_annotations(kind: str = "ModelServe", **changes: Any) -> dict[str, Any]:
    annotations = {TOKEN: "t", RECEIPT: "r"}
    return thing(kind, annotations=annotations, **changes)


def reason(asked: AdmissionRequest, **known: Any) -> str:
    """Return the mutating webhook's reason for a denial; empty if allowed."""
    denial = mutate(asked, facts(**known), RULES).denial
    return denial.reason if denial else ""


@pytest.mark.parametrize("kind", ["Model", "ModelServe", "ResourceContract"])
def test_creating_without_a_token_is_denied(kind: str) -> None:
    assert reason(request("CREATE", thing(kind), kind=kind)) == "TokenMissing"


@pytest.mark.parametrize("kind", ["Model", "ModelServe", "ResourceContract"])
def test_changing_a_spec_without_a_token_is_denied(kind: str) -> None:
    changed = thing(kind, spec={"modelName": "other"})
    assert reason(request("UPDATE", changed, thing(kind), kind=kind)) == "TokenMissing"


@pytest.mark.parametrize("why", ["TokenSignature", "TokenRevoked", "TokenKeyUnknown"])
def test_invalid_token_is_denied_even_if_none_is_required(why: str) -> None:
    asked = request("UPDATE", with_annotations(), thing())
    token = InvalidToken("it is bad", reason=why)
    assert reason(asked, token=token, receipt=receipt(asked)) == why


def test_expired_token_beside_an_unchanged_spec_is_ignored_with_a_warning() -> None:
    asked = request("UPDATE", with_annotations(), thing())
    mutation = mutate(asked, facts(token=EXPIRED, receipt=receipt(asked)), RULES)
    assert (mutation.denial, mutation.author) == (None, None)
    assert "expired" in mutation.warnings[0]


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        pytest.param(request("CREATE", with_annotations()), {}, id="a new object"),
        pytest.param(
            request("UPDATE", with_annotations(spec={"modelName": "b"}), thing()),
            {},
            id="another spec",
        ),
        pytest.param(
            request("UPDATE", with_annotations(), thing()), {"receipt": FORGED}, id="no receipt"
        ),
        pytest.param(
            request(
                "UPDATE",
                thing("Model", annotations={TOKEN: "t", DELETION: "yes"}),
                thing("Model"),
                kind="Model",
            ),
            {},
            id="a deletion",
        ),
    ],
)
def test_expired_token_is_denied_where_one_is_required(
    asked: AdmissionRequest, known: dict[str, Any]
) -> None:
    assert reason(asked, **{"token": EXPIRED, "receipt": receipt(asked), **known}) == "TokenExpired"


def test_no_denial_makes_flux_recreate_the_object() -> None:
    # With `force`, Flux deletes and recreates what is answered with 409 or 422.
    sources = Path(admission.__file__).parent.glob("*.py")
    codes = {code for path in sources for code in re.findall(r"code=(\d+)", path.read_text())}
    assert codes
    assert not codes & {"409", "422"}


@pytest.mark.parametrize("remark", list(Remark))
def test_denial_explains_missing_groups(remark: Remark) -> None:
    known = facts(token=claims("others", remarks=(remark,)))
    denial = mutate(request("CREATE", with_annotations()), known, RULES).denial
    assert denial is not None
    assert remark.advice in denial.message


def test_unchanged_spec_keeps_its_receipt_with_any_caller() -> None:
    asked = request("UPDATE", with_annotations(), thing())
    mutation = mutate(asked, facts(token=claims(), receipt=receipt(asked)), RULES)
    assert (mutation.denial, mutation.author) == (None, None)


def test_unchanged_spec_without_a_receipt_gets_one_with_a_token() -> None:
    asked = request("UPDATE", with_annotations(), thing())
    mutation = mutate(asked, facts(token=claims(), receipt=FORGED), RULES)
    assert mutation.author is not None


def test_manifest_without_the_contract_is_unchanged() -> None:
    bare = thing(spec={"modelName": "gemma", "replicas": 1})
    mutation = mutate(request("UPDATE", bare, thing()), facts(), RULES)
    assert (mutation.denial, mutation.contract) == (None, "demo")


def test_true_is_not_one() -> None:
    asked = request("UPDATE", thing(spec={"x": True}), thing(spec={"x": 1}))
    assert reason(asked) == "TokenMissing"


@pytest.mark.parametrize("kind", ["Model", "ModelServe", "ResourceContract"])
def test_finalizer_of_an_object_being_deleted_is_removed_with_any_token(kind: str) -> None:
    old = thing(kind, **GOING)
    new = with_annotations(kind, **{**GOING, "finalizers": []})
    asked = request("UPDATE", new, old, kind=kind)
    assert reason(asked, token=EXPIRED) == ""
    assert validate(asked, facts(receipt=FORGED), RULES).answer.allowed


def test_object_being_deleted_does_not_change_otherwise() -> None:
    changed = thing(spec={"modelName": "other"}, **GOING)
    assert reason(request("UPDATE", changed, thing(**GOING))) == "TokenMissing"


def operators(**source: Any) -> AdmissionRequest:
    """Return the operator's request to create a Model."""
    new = thing("Model", spec={"source": source})
    return request("CREATE", new, kind="Model", userInfo={"username": OPERATOR})


def test_operator_creates_models_without_a_token_and_gets_no_receipt() -> None:
    asked = operators(quant={"modelId": "one"})
    mutation = mutate(asked, facts(), RULES)
    assert (mutation.denial, mutation.author) == (None, None)
    answer = validate(asked, facts(receipt=FORGED, users=("demo/one",)), RULES).answer
    assert answer.allowed


def test_operator_creates_no_model_without_a_server_that_requests_it() -> None:
    unasked = validate(operators(quant={"modelId": "one"}), facts(), RULES).answer
    other = validate(operators(stored={}), facts(users=("demo/one",)), RULES).answer
    assert (unasked.reason, other.reason) == ("ModelNotAsked", "ModelNotAsked")


@pytest.mark.parametrize("kind", ["ModelServe", "ResourceContract"])
def test_operator_creates_nothing_else(kind: str) -> None:
    asked = request("CREATE", thing(kind), kind=kind, userInfo={"username": OPERATOR})
    assert reason(asked) == "TokenMissing"


def test_operator_changes_no_spec() -> None:
    asked = request(
        "UPDATE",
        thing("Model", spec={}),
        thing("Model"),
        kind="Model",
        userInfo={"username": OPERATOR},
    )
    assert reason(asked) == "TokenMissing"


class Unread(dict[str, Any]):
    """A spec that must not be read."""

    def items(self) -> Any:
        raise AssertionError("it was walked")

    __iter__ = keys = values = items


def test_large_object_without_a_token_is_denied_unread() -> None:
    asked = request("CREATE", thing())
    asked = dataclasses.replace(
        asked, effort=LARGE_EFFORT + 1, object={**asked.object, "spec": Unread(a="b")}
    )
    assert reason(asked) == "TokenMissing"
    assert reason(asked, token=EXPIRED) == "TokenExpired"


def test_small_object_without_a_token_is_denied_with_the_path_of_the_misplaced_token() -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln"
    asked = request("CREATE", thing(annotations={"example.com/token": jwt}))
    assert reason(asked) == "TokenMisplaced"


def test_valid_receipt_and_contract_are_admitted_with_a_claim() -> None:
    asked = request("CREATE", thing())
    validation = validate(asked, facts(receipt=receipt(asked)), RULES)
    assert validation.answer.allowed
    assert validation.reserve is not None
    assert (validation.reserve.contract, validation.reserve.key) == ("demo", "demo/one")


def test_pooling_type_that_the_mode_cannot_use_causes_a_warning() -> None:
    params = {"mode": "Embedding", "extraArgs": ["--pooling", "none"]}
    asked = request("CREATE", thing(spec={**SPECS["ModelServe"], "runtimeParams": params}))
    answer = validate(asked, facts(receipt=receipt(asked)), RULES).answer
    assert answer.allowed
    (warning,) = answer.warnings
    assert warning.startswith("spec.runtimeParams.mode: Embedding with pooling type none answers")


def test_cache_type_that_does_not_fit_the_model_causes_a_warning() -> None:
    params = {"cacheTypeK": "q8_0"}
    asked = request("CREATE", thing(spec={**SPECS["ModelServe"], "runtimeParams": params}))
    model = make_model(gguf={"embeddingLength": 2560, "headCount": 32})
    answer = validate(asked, facts(receipt=receipt(asked), model=model), RULES).answer
    assert answer.allowed
    assert [each for each in answer.warnings if "cacheTypeK: q8_0 needs heads of" in each]


@pytest.mark.parametrize(("architecture", "allowed"), [("llama", False), ("new", True)])
def test_limit_below_an_upper_bound_causes_a_warning_even_with_deny(
    architecture: str, allowed: bool
) -> None:
    model = make_model(gguf={"architecture": architecture, "blockCount": 2})
    asked = request("CREATE", thing(spec={**SPECS["ModelServe"], "resources": SMALL}))
    rules = dataclasses.replace(RULES, memory_fit="Deny")
    answer = validate(asked, facts(receipt=receipt(asked), model=model), rules).answer
    assert answer.allowed == allowed
    assert allowed or "raise the limit, or lower " in answer.message
    assert ("is an upper bound" in "".join(answer.warnings)) == allowed


def test_update_reserves_pods_that_may_still_run_beside_the_new_ones() -> None:
    before = Demand(servers=1, replicas=3, memory_bytes=2**30)
    limits = {"limits": {"cpu": "1", "memory": "1Mi"}}
    asked = request("UPDATE", thing(spec={**SPECS["ModelServe"], "resources": limits}), thing())
    known = facts(receipt=receipt(asked), running=before, offers=(offer(total={"cpu": 4}),))
    claim = validate(asked, known, RULES).reserve
    assert claim is not None
    assert claim.wanted == before | Demand(servers=1, replicas=1, cpu_milli=1000)


def test_moving_to_a_contract_without_room_for_running_pods_is_denied() -> None:
    before = Demand(servers=1, replicas=3)
    asked = request("UPDATE", thing(), thing(spec={**SPECS["ModelServe"], "contract": "old"}))
    known = facts(receipt=receipt(asked), running=before, offers=(offer(total={"replicas": 2}),))
    answer = validate(asked, known, RULES).answer
    assert answer.reason == "OverTotal"
    assert "3 replicas may still run until its rollout is complete" in answer.message


REFUSED = {"extraArgs": ["--model-url", "http://example.com/x"]}
"""Parameters that llama-server accepts and Roadstead refuses."""


def refused_serve() -> Raw:
    return thing(spec={"modelName": "gemma", "contract": "demo", "runtimeParams": REFUSED})


def test_spec_that_the_operator_would_refuse_is_denied() -> None:
    asked = request("CREATE", refused_serve())
    validation = validate(asked, facts(receipt=receipt(asked)), RULES)
    assert validation.answer.reason == "InvalidRuntimeParams"
    assert "spec.runtimeParams.extraArgs[0]" in validation.answer.message
    assert (validation.reserve, validation.answer.subject) == (None, "alice")


def test_spec_violation_is_reported_beside_contract_violations() -> None:
    asked = request("CREATE", refused_serve())
    known = facts(receipt=receipt(asked), offers=(offer(perServer={"replicas": 0}),))
    message = validate(asked, known, RULES).answer.message
    assert "spec.replicas" in message
    assert "spec.runtimeParams.extraArgs[0]" in message


def test_server_with_parameters_that_a_later_version_refuses_can_be_scaled_down() -> None:
    live = ModelServe.parse({**refused_serve(), "spec": {**refused_serve()["spec"], "replicas": 2}})
    body = thing(spec={"replicas": 0})
    scale = {**body, "kind": "Scale", "apiVersion": "autoscaling/v1"}
    asked = request("UPDATE", scale, scale, subResource="scale")
    known = facts(live=live, receipt=receipt(asked))
    assert validate(asked, known, RULES).answer.allowed


def test_token_that_is_still_set_is_denied() -> None:
    asked = request("CREATE", with_annotations())
    answer = validate(asked, facts(receipt=receipt(asked)), RULES).answer
    assert answer.reason == "TokenNotTaken"


def test_receipt_for_another_contract_is_denied() -> None:
    asked = request("CREATE", thing())
    answer = validate(asked, facts(receipt=receipt(asked, contract="other")), RULES).answer
    assert answer.reason == "ReceiptOtherSpec"


def test_receipt_changed_by_a_user_is_denied() -> None:
    stripped = thing(annotations={RECEIPT: "new"})
    asked = request("UPDATE", stripped, thing(annotations={RECEIPT: "old"}))
    assert validate(asked, facts(receipt=FORGED), RULES).answer.reason == "ReceiptForged"


def test_removing_the_contract_without_the_mutating_webhook_is_denied() -> None:
    bare = thing(spec={"modelName": "gemma", "replicas": 1}, annotations={RECEIPT: "r"})
    asked = request("UPDATE", bare, thing(annotations={RECEIPT: "r"}))
    assert not validate(asked, facts(receipt=FORGED), RULES).answer.allowed


@pytest.mark.parametrize(
    ("groups", "allowed"), [(("roadstead-admins",), True), (("demo-users",), False)]
)
def test_contracts_are_for_admins(groups: tuple[str, ...], allowed: bool) -> None:
    asked = request("CREATE", thing("ResourceContract"), kind="ResourceContract")
    answer = validate(asked, facts(receipt=receipt(asked, *groups)), RULES).answer
    assert answer.allowed is allowed


@pytest.mark.parametrize(("models", "allowed"), [(["on?"], True), (["gemma"], False)])
def test_model_is_created_by_callers_whose_contract_allows_it(
    models: list[str], allowed: bool
) -> None:
    asked = request("CREATE", thing("Model", spec=PLAIN), kind="Model")
    known = facts(receipt=receipt(asked), offers=(offer(models=models),))
    assert validate(asked, known, RULES).answer.allowed is allowed


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"source": {"quant": {"modelId": "secret"}}}, id="another model"),
        pytest.param({"source": {"stored": {}}, "minioPath": "theirs.gguf"}, id="an object"),
        pytest.param({"source": {"presignedUrl": {"secretRef": {"name": "x"}}}}, id="a Secret"),
        pytest.param({**PLAIN, "minioBucket": "backups"}, id="another place"),
        pytest.param({**PLAIN, "deletionPolicy": "Delete"}, id="with its object"),
    ],
)
def test_allowed_model_name_cannot_refer_to_another_source(spec: Raw) -> None:
    asked = request("CREATE", thing("Model", spec=spec), kind="Model")
    known = facts(receipt=receipt(asked), offers=(offer(models=["*"]),))
    assert validate(asked, known, RULES).answer.reason == "NotAuthorized"
    admin = facts(receipt=receipt(asked, "roadstead-admins"))
    assert validate(asked, admin, RULES).answer.allowed


def test_only_admins_change_models() -> None:
    asked = request("UPDATE", thing("Model", spec=PLAIN), thing("Model"), kind="Model")
    known = facts(receipt=receipt(asked), offers=(offer(models=["*"]),))
    assert validate(asked, known, RULES).answer.reason == "NotAuthorized"


@pytest.mark.parametrize("kind", ["Model", "ResourceContract"])
def test_new_owners_are_denied(kind: str) -> None:
    owned = thing(kind, ownerReferences=[{"kind": "Namespace", "name": "nope", "uid": "0"}])
    asked = request("UPDATE", owned, thing(kind), kind=kind)
    assert validate(asked, facts(), RULES).answer.reason == "OwnersNotTaken"
    assert validate(request("UPDATE", thing(kind), owned, kind=kind), facts(), RULES).answer.allowed


def test_deleting_a_model_in_use_is_denied_with_its_servers() -> None:
    asked = request("DELETE", None, thing("Model"), kind="Model")
    leave = receipt(asked, "roadstead-admins")
    answer = validate(asked, facts(users=("demo/a", "demo/b"), deletion=leave), RULES).answer
    assert answer.reason == "ModelInUse"
    assert "demo/a, demo/b" in answer.message


@pytest.mark.parametrize("kind", ["Model", "ResourceContract"])
def test_deletion_needs_a_recent_permit(kind: str) -> None:
    asked = request("DELETE", None, thing(kind), kind=kind)
    leave = receipt(asked, "roadstead-admins")
    old = receipt(asked, "roadstead-admins", issued_at=int(NOW.timestamp()) - 601)
    stranger = receipt(asked, "strangers")
    verdicts = [
        validate(asked, facts(deletion=each), RULES).answer.allowed
        for each in (leave, old, stranger, FORGED, None)
    ]
    assert verdicts == [True, False, False, False, False]


@pytest.mark.parametrize("kind", ["Model", "ModelServe", "ResourceContract"])
@pytest.mark.parametrize("account", ["generic-garbage-collector", "namespace-controller"])
def test_garbage_collector_deletes_all(kind: str, account: str) -> None:
    user = {"username": f"system:serviceaccount:kube-system:{account}"}
    asked = request("DELETE", None, thing(kind), kind=kind, userInfo=user)
    assert validate(asked, facts(users=("demo/a",)), RULES).answer.allowed


def test_deletion_permit_needs_a_token() -> None:
    new = thing("Model", annotations={DELETION: "yes"})
    assert reason(request("UPDATE", new, thing("Model"), kind="Model")) == "TokenMissing"


def test_deletion_permit_written_by_a_user_is_denied() -> None:
    new = thing("Model", annotations={DELETION: "yes"})
    asked = request("UPDATE", new, thing("Model"), kind="Model")
    answer = validate(asked, facts(receipt=receipt(asked), deletion=FORGED), RULES).answer
    assert answer.reason == "ReceiptForged"


@pytest.mark.parametrize("replicas", [None, "3", True, 1.5])
def test_scale_to_no_number_is_denied(replicas: Any) -> None:
    scale = {**thing(spec={"replicas": replicas}), "kind": "Scale", "apiVersion": "autoscaling/v1"}
    asked = request("UPDATE", scale, scale, subResource="scale")
    assert not validate(asked, facts(), RULES).answer.allowed


@given(
    st.sampled_from(["CREATE", "UPDATE"]),
    st.sampled_from(["Model", "ModelServe", "ResourceContract"]),
    JSON,
    st.dictionaries(st.sampled_from([TOKEN, RECEIPT, DELETION, "x"]), st.text(max_size=9)),
    st.sampled_from([None, EXPIRED]),
)
def test_no_receipt_is_signed_without_a_valid_token(
    operation: str, kind: str, spec: Any, annotations: dict[str, str], token: InvalidToken | None
) -> None:
    new = {**thing(kind, annotations=annotations), "spec": spec}
    old = thing(kind) if operation == Operation.UPDATE else None
    asked = request(operation, new, old, kind=kind)
    mutation = mutate(asked, facts(token=token, receipt=FORGED), RULES)
    assert mutation.author is None
    assert mutation.deletion is None
    if operation == Operation.CREATE:
        assert mutation.denial is not None


@given(
    st.sampled_from(list(Operation)),
    st.sampled_from(["Model", "ModelServe", "ResourceContract"]),
    st.sampled_from(["", "scale", "status", "x"]),
    JSON,
    JSON,
    st.sampled_from([FORGED, None]),
)
def test_changed_spec_without_a_valid_receipt_is_denied(
    operation: Operation,
    kind: str,
    subresource: str,
    spec: Any,
    old_spec: Any,
    fault: InvalidReceipt | None,
) -> None:
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale"} if subresource == "scale" else {}
    body = {**thing(kind), **scale}
    new = None if operation == Operation.DELETE else {**body, "spec": spec}
    old = None if operation == Operation.CREATE else {**body, "spec": old_spec}
    asked = request(operation, new, old, kind=kind, subResource=subresource)
    answer = validate(asked, facts(receipt=fault, deletion=fault), RULES).answer
    harmless = (
        subresource == "status"
        or (operation == Operation.DELETE and not subresource and kind == "ModelServe")
        or (operation == Operation.UPDATE and not subresource and repr(spec) == repr(old_spec))
    )
    assert not answer.allowed or harmless


@given(JSON, st.sampled_from(["CREATE", "UPDATE"]))
def test_any_spec_with_a_valid_token_is_decided(spec: Any, operation: str) -> None:
    new = {**thing(), "spec": spec}
    asked = request(operation, new, thing() if operation == "UPDATE" else None)
    mutate(asked, facts(token=claims()), RULES)
    validate(asked, facts(receipt=receipt(asked)), RULES)
