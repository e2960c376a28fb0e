"""Parsing and answering reviews, and rejecting other bodies."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead_webhooks.admission.offload import LARGE_EFFORT
from roadstead_webhooks.admission.review import (
    MAX_BYTES,
    MAX_NODES,
    MAX_OBJECT_BYTES,
    MAX_SPEC_NODES,
    AdmissionAnswer,
    AdmissionRequest,
    BadReview,
    claimed_namespace,
    claimed_uid,
    parse,
    to_review,
)
from tests.support.builders.reviews import request, review, thing

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def body(**changes: Any) -> bytes:
    whole = review("CREATE", thing())
    return json.dumps({**whole, "request": {**whole["request"], **changes}}).encode()


def test_request_has_operation_and_object() -> None:
    parsed = request("UPDATE", thing(), thing(), dryRun=True)
    assert (parsed.operation, parsed.kind, parsed.title) == (
        "UPDATE",
        "ModelServe",
        "ModelServe demo/one",
    )
    assert parsed.dry_run
    assert parsed.username == "kubernetes-admin"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b"{}", 400, id="an empty object"),
        pytest.param(b"[]", 400, id="a list"),
        pytest.param(body()[:-20], 400, id="truncated"),
        pytest.param(b"\xff" + body(), 400, id="bad UTF-8"),
        pytest.param(body().replace(b"k8s.io/v1", b"k8s.io/v1beta1"), 400, id="v1beta1"),
        pytest.param(
            body().replace(b'"uid": "705ab4f5"', b'"uid": "1", "uid": "2"'), 400, id="a key twice"
        ),
        pytest.param(b'{"a":' * 100 + b"1" + b"}" * 100, 400, id="nested too deep"),
        pytest.param(b"[" * MAX_NODES, 400, id="a bomb of brackets"),
        pytest.param(b"[" * (MAX_NODES + 1), 413, id="a larger one"),
        pytest.param(body(operation="CONNECT"), 400, id="another operation"),
        pytest.param(body(uid=""), 400, id="no uid"),
        pytest.param(body(object=None), 400, id="no object"),
        pytest.param(body(operation="UPDATE"), 400, id="no old object"),
        pytest.param(
            body(object={"metadata": {"annotations": {"a": 1}}}),
            400,
            id="annotations that are none",
        ),
        pytest.param(b" " * (MAX_BYTES + 1), 413, id="too large"),
        pytest.param(body(object={**thing(), "x": [0] * MAX_NODES}), 413, id="many numbers"),
        pytest.param(body(object={**thing(), "x": [[]] * MAX_NODES}), 413, id="many lists"),
        pytest.param(body(object={**thing(), "x": [{}] * MAX_NODES}), 413, id="many objects"),
        pytest.param(
            body(object={**thing(), "x": {str(n): "" for n in range(MAX_NODES)}}),
            413,
            id="many keys",
        ),
        pytest.param(
            body(object=thing(spec={"x": [{"y": ""}] * (MAX_SPEC_NODES // 2)})),
            413,
            id="a spec of many fields",
        ),
        pytest.param(
            body(object={**thing(), "x": "x" * MAX_OBJECT_BYTES}), 413, id="a large object"
        ),
        pytest.param(
            body(object={**thing(), "x": "\u00e4" * (MAX_OBJECT_BYTES // 2)}),
            413,
            id="a large object of other letters",
        ),
    ],
)
def test_body_that_is_not_a_review_is_rejected(data: bytes, status: int) -> None:
    with pytest.raises(BadReview) as caught:
        parse(data)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"object": thing("Model")}, id="another object"),
        pytest.param(
            {"kind": {"group": "apps", "version": "v1", "kind": "Deployment"}}, id="another kind"
        ),
        pytest.param(
            {"resource": {"group": "", "version": "v1", "resource": "pods"}}, id="another resource"
        ),
        pytest.param({"namespace": "other"}, id="another namespace"),
        pytest.param({"name": "other"}, id="another name"),
        pytest.param({"oldObject": thing("Model")}, id="another old object"),
    ],
)
def test_inconsistent_fields_of_a_request_are_found(changes: dict[str, Any]) -> None:
    assert parse(body(**changes)).mismatch


@pytest.mark.parametrize("text", ["../a", "..", "A", "a_b", "x-amz-" * 10_000])
@pytest.mark.parametrize("field", ["name", "namespace", "generateName"])
def test_invalid_name_is_found_and_truncated(field: str, text: str) -> None:
    named = {"name": "", "generateName": text} if field == "generateName" else {field: text}
    parsed = request("CREATE", thing(**named))
    assert f"{field} is not a valid" in parsed.mismatch
    assert len(parsed.title) < 400
    assert text[:300] not in parsed.mismatch


@pytest.mark.parametrize("prefix", ["gemma-", "gemma.", "a"])
def test_prefix_of_a_valid_name_is_valid(prefix: str) -> None:
    assert not request("CREATE", thing(name="", generateName=prefix)).mismatch


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_parsed_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadReview):
        assert isinstance(parse(data), AdmissionRequest)


@given(st.sampled_from(sorted(review("UPDATE", thing(), thing())["request"])), JSON)
def test_any_field_of_a_request_is_parsed_or_refused(field: str, value: Any) -> None:
    asked = review("UPDATE", thing(), thing())
    asked["request"][field] = value
    with contextlib.suppress(BadReview):
        assert isinstance(parse(json.dumps(asked).encode()), AdmissionRequest)


def test_denial_has_reason_and_message() -> None:
    answer = AdmissionAnswer(
        allowed=False, reason="TokenExpired", message="it is old", subject="alice"
    )
    response = to_review("1", answer)["response"]
    assert response["status"] == {
        "code": 403,
        "reason": "Forbidden",
        "message": "TokenExpired: it is old",
    }
    assert response["auditAnnotations"] == {"reason": "TokenExpired", "subject": "alice"}


def test_patch_is_base64_of_json() -> None:
    operation = {"op": "remove", "path": "/x"}
    response = to_review("1", AdmissionAnswer(allowed=True, reason="Signed", patch=[operation]))[
        "response"
    ]
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == [operation]


def test_old_object_that_is_large_may_be_replaced_by_a_small_one() -> None:
    large = {**thing(), "x": "x" * MAX_OBJECT_BYTES}
    asked = parse(json.dumps(review("UPDATE", thing(), large)).encode())
    assert asked.effort > MAX_OBJECT_BYTES


@pytest.mark.parametrize(
    "spec", [{"x": [[]] * 4_000}, {"x": {str(n): "" for n in range(4_000)}}, {"x": "x" * 70_000}]
)
def test_review_of_many_values_is_large_as_well_as_one_of_many_bytes(spec: Any) -> None:
    assert request("CREATE", thing(spec=spec)).effort > LARGE_EFFORT


@pytest.mark.parametrize("kind", ["Model", "ModelServe", "ResourceContract"])
def test_ordinary_review_is_not_large(kind: str) -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(thing(kind))}
    asked = request("UPDATE", thing(kind, annotations=annotations), thing(kind), kind=kind)
    assert asked.effort < LARGE_EFFORT / 4


def test_contract_with_the_maximum_of_reservations_is_parsed() -> None:
    full = thing("ResourceContract")
    full["status"] = {"reservations": ["demo/a 1"] * 10_000}
    assert parse(json.dumps(review("UPDATE", full, full, kind="ResourceContract")).encode())


@pytest.mark.parametrize(
    ("head", "uid"),
    [
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"0a-1",',
         "0a-1"),
        (b'{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"<b>",',
         ""),
        (b' {"request":{"uid":"0a-1"', ""),
        (b"", ""),
    ],
)  # fmt: skip
def test_uid_is_read_from_the_head_of_a_review(head: bytes, uid: str) -> None:
    assert claimed_uid(head + b"x" * 4096) == uid


def _head(name: str, namespace: str = "", resource: str = "modelserves") -> bytes:
    """The beginning of a review as the API server writes it, until the operation."""
    where = {"namespace": namespace} if namespace else {}
    fields = {"resource": {"resource": resource}, "name": name, **where, "operation": "CREATE"}
    return json.dumps({"request": fields}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("head", "namespace"),
    [
        pytest.param(_head("one", "demo"), "demo", id="of a server"),
        pytest.param(
            _head('x","namespace":"other","operation":"', "demo"), "demo", id="imitated by a name"
        ),
        pytest.param(_head("one", resource="models"), "", id="of a model"),
        pytest.param(_head("x" * 4096, "demo"), "?", id="after a long name"),
    ],
)
def test_namespace_is_read_from_the_head_of_a_review(head: bytes, namespace: str) -> None:
    assert claimed_namespace(head) == namespace
