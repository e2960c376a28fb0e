"""Which ModelServes were admitted: those with a receipt for this object and this spec."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.api.group import ANNOTATION_RECEIPT
from roadstead.kube.admitted import AdmittedServes
from roadstead.tokens.receipt_keys import SigningKey
from tests.support.builders.objects import Raw
from tests.support.builders.reviews import thing
from tests.support.receipts import verifier_of, with_receipt

KEY, OTHER = SigningKey.generate(), SigningKey.generate()
ADMITTED = with_receipt(thing(generation=1), KEY)


def with_metadata(raw: Raw, **changes: Any) -> Raw:
    return {**raw, "metadata": {**raw["metadata"], **changes}}


def with_receipt_text(text: str) -> Raw:
    return thing(generation=1, annotations={ANNOTATION_RECEIPT: text})


def test_a_server_whose_receipt_verifies_is_admitted() -> None:
    assert AdmittedServes(verifier_of(KEY)).has(ADMITTED)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(thing(generation=1), id="no receipt"),
        pytest.param(with_receipt_text("eyJ.eyJ.x"), id="none of ours"),
        pytest.param(with_receipt(thing(generation=1), OTHER), id="of an unknown key"),
        pytest.param(with_metadata(ADMITTED, name="two"), id="of another name"),
        pytest.param(with_metadata(ADMITTED, namespace="kube-system"), id="of another namespace"),
        pytest.param({**ADMITTED, "spec": {**ADMITTED["spec"], "contract": "b"}}, id="other spec"),
    ],
)
def test_any_other_is_not(raw: Raw) -> None:
    assert not AdmittedServes(verifier_of(KEY)).has(raw)


def test_replicas_may_change_as_by_scaling() -> None:
    scaled = {**ADMITTED, "spec": {**ADMITTED["spec"], "replicas": 5}}
    assert AdmittedServes(verifier_of(KEY)).has(with_metadata(scaled, generation=2))


def test_a_verdict_ends_with_spec_receipt_and_key() -> None:
    admitted = AdmittedServes(verifier_of(KEY))
    assert admitted.has(ADMITTED)
    changed = with_metadata({**ADMITTED, "spec": {"modelName": "b"}}, generation=2)
    assert not admitted.has(changed)
    assert admitted.has(ADMITTED)
    assert not admitted.has(with_metadata(ADMITTED, annotations={}))
    assert admitted.has(ADMITTED)
    assert admitted.use(verifier_of(OTHER))
    assert not admitted.has(ADMITTED)


def test_a_verdict_stays_with_keys_that_are_added() -> None:
    admitted = AdmittedServes(verifier_of(KEY))
    assert admitted.has(ADMITTED)
    assert not admitted.use(verifier_of(KEY))
    assert admitted.use(verifier_of(KEY, OTHER))
    assert admitted.has(ADMITTED)


def test_a_receipt_verifies_once_its_key_is_known() -> None:
    admitted = AdmittedServes(verifier_of(OTHER))
    assert not admitted.has(ADMITTED)
    admitted.use(verifier_of(KEY, OTHER))
    assert admitted.has(ADMITTED)


def test_as_long_as_no_keys_are_known_every_server_counts() -> None:
    assert AdmittedServes().has(thing())


def test_with_other_keys_a_receipt_is_verified_without_the_whole_spec() -> None:
    admitted = AdmittedServes(verifier_of(OTHER))
    assert not admitted.has(ADMITTED)
    admitted.use(verifier_of(KEY))
    assert admitted.has({**ADMITTED, "spec": {}})


def test_nothing_is_kept_of_a_server_that_is_gone() -> None:
    admitted = AdmittedServes(verifier_of(KEY))
    assert admitted.has(ADMITTED)
    admitted.forget("u-1")
    assert not admitted.has({**ADMITTED, "spec": {}})
