"""Conversion of forms to objects, and of API errors to messages."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.console.web.requests import (
    BadRequest,
    build_modelserve,
    refusal,
    scale_patch,
    with_token,
)
from roadstead.errors import KubeConflict, KubeError, KubeRejected, KubeUnavailable

FORM = {"name": "a", "namespace": "b", "modelName": "c", "contract": ""}


def test_form_becomes_a_modelserve() -> None:
    made = build_modelserve(
        {**FORM, "replicas": 2, "runtimeParams": {"threads": 1}, "resources": {}}
    )
    assert made["metadata"] == {"name": "a", "namespace": "b"}
    assert made["spec"] == {"modelName": "c", "replicas": 2, "runtimeParams": {"threads": 1}}


def test_unknown_fields_of_a_form_are_ignored() -> None:
    extra = {"metadata": {"labels": {}}, "config": {"image": "x"}, "annotations": {"a": "b"}}
    assert build_modelserve({**FORM, **extra}) == build_modelserve(FORM)


@pytest.mark.parametrize("given", [None, [], "x", {}, {**FORM, "name": ["a"]}])
def test_malformed_form_is_refused(given: Any) -> None:
    with pytest.raises(BadRequest):
        build_modelserve(given)


@pytest.mark.parametrize("field", ["name", "namespace", "modelName", "contract"])
@pytest.mark.parametrize(
    "name", ["../../../../api/v1/watch/namespaces/a/configmaps/b", "..", "A", "a_b", "a" * 254]
)
def test_invalid_name_is_refused(field: str, name: str) -> None:
    with pytest.raises(BadRequest, match="expected lower case letters"):
        build_modelserve({**FORM, field: name})


def test_token_as_name_is_not_quoted() -> None:
    token = f"eyJhbGciOiJIUzI1NiJ9.{'a' * 20}.{'b' * 20}"
    with pytest.raises(BadRequest) as caught:
        build_modelserve({**FORM, "name": token})
    assert "a" * 20 not in str(caught.value)


def test_token_is_in_the_annotation_for_admission() -> None:
    made = with_token(build_modelserve(FORM), "a.b.c")
    assert made["metadata"]["annotations"] == {"model.example.com/auth-token": "a.b.c"}


@pytest.mark.parametrize("given", [None, {}, {"replicas": "1"}, {"replicas": True}])
def test_scaling_requires_a_number(given: Any) -> None:
    with pytest.raises(BadRequest):
        scale_patch(given, uid="u", token="t")


def refused(kind: type[KubeError], status: int, text: str) -> tuple[int, str, str]:
    found = refusal(kind(f"POST /apis/x: {status}: {text}", status=status))
    return found.status, found.code, found.message


def test_denial_has_the_webhooks_message() -> None:
    text = 'admission webhook "v.example.com" denied the request: OverServerLimit: 5 are too many'
    assert refused(KubeRejected, 403, text) == (403, "OverServerLimit", "5 are too many")


def test_missing_right_of_the_console_is_not_reported_as_denial() -> None:
    text = 'forbidden: User "system:serviceaccount:a:roadstead-console" cannot create'
    status, code, message = refused(KubeRejected, 403, text)
    assert (status, code) == (502, "ConsoleForbidden")
    assert "serviceaccount" not in message


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [(KubeConflict, 409, 409), (KubeRejected, 422, 422), (KubeUnavailable, 500, 503)],
)
def test_other_errors_keep_their_status(kind: type[KubeError], status: int, expected: int) -> None:
    assert refused(kind, status, "why")[0] == expected


def test_tokens_are_redacted_in_errors() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
    assert token not in refused(KubeRejected, 422, f"annotation {token} is wrong")[2]
