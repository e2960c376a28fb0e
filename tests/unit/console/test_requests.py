"""What pages send, as objects; and refusals in words."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.console.requests import BadRequest, refusal, scaled, wanted_serve, with_token
from roadstead.errors import KubeConflict, KubeError, KubeRejected, KubeUnavailable

FORM = {"name": "a", "namespace": "b", "modelName": "c", "contract": ""}


def test_form_becomes_a_modelserve() -> None:
    made = wanted_serve({**FORM, "replicas": 2, "runtimeParams": {"threads": 1}, "resources": {}})
    assert made["metadata"] == {"name": "a", "namespace": "b"}
    assert made["spec"] == {"modelName": "c", "replicas": 2, "runtimeParams": {"threads": 1}}


def test_nothing_else_of_a_form_gets_into_the_object() -> None:
    extra = {"metadata": {"labels": {}}, "config": {"image": "x"}, "annotations": {"a": "b"}}
    assert wanted_serve({**FORM, **extra}) == wanted_serve(FORM)


@pytest.mark.parametrize("given", [None, [], "x", {}, {**FORM, "name": ["a"]}])
def test_what_is_no_form_is_refused(given: Any) -> None:
    with pytest.raises(BadRequest):
        wanted_serve(given)


@pytest.mark.parametrize("field", ["name", "namespace", "modelName", "contract"])
@pytest.mark.parametrize(
    "name", ["../../../../api/v1/watch/namespaces/a/configmaps/b", "..", "A", "a_b", "a" * 254]
)
def test_what_nothing_can_be_called_is_refused(field: str, name: str) -> None:
    with pytest.raises(BadRequest, match="expected lower case letters"):
        wanted_serve({**FORM, field: name})


def test_token_in_place_of_a_name_is_not_repeated() -> None:
    token = f"eyJhbGciOiJIUzI1NiJ9.{'a' * 20}.{'b' * 20}"
    with pytest.raises(BadRequest) as caught:
        wanted_serve({**FORM, "name": token})
    assert "a" * 20 not in str(caught.value)


def test_token_is_in_the_annotation_that_admission_takes_out() -> None:
    made = with_token(wanted_serve(FORM), "a.b.c")
    assert made["metadata"]["annotations"] == {"model.example.com/auth-token": "a.b.c"}


@pytest.mark.parametrize("given", [None, {}, {"replicas": "1"}, {"replicas": True}])
def test_scaling_needs_a_number(given: Any) -> None:
    with pytest.raises(BadRequest):
        scaled(given, uid="u", token="t")


def refused(kind: type[KubeError], status: int, words: str) -> tuple[int, str, str]:
    found = refusal(kind(f"POST /apis/x: {status}: {words}", status=status))
    return found.status, found.code, found.message


def test_denial_is_told_in_the_contracts_words() -> None:
    words = 'admission webhook "v.example.com" denied the request: OverServerLimit: 5 are too many'
    assert refused(KubeRejected, 403, words) == (403, "OverServerLimit", "5 are too many")


def test_right_that_the_console_lacks_is_not_taken_for_a_denial() -> None:
    words = 'forbidden: User "system:serviceaccount:a:roadstead-console" cannot create'
    status, code, message = refused(KubeRejected, 403, words)
    assert (status, code) == (502, "ConsoleForbidden")
    assert "serviceaccount" not in message


@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [(KubeConflict, 409, 409), (KubeRejected, 422, 422), (KubeUnavailable, 500, 503)],
)
def test_other_refusals_keep_their_meaning(kind: type[KubeError], status: int, told: int) -> None:
    assert refused(kind, status, "why")[0] == told


def test_no_refusal_repeats_a_token() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"
    assert token not in refused(KubeRejected, 422, f"annotation {token} is wrong")[2]
