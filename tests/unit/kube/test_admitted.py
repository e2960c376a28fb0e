"""Admitted ModelServes have a valid receipt for this object and spec."""

from __future__ import annotations

from typing import Any

import pytest

from roadstead.api.group import ANNOTATION_RECEIPT, ANNOTATION_REQUESTED_BY
from roadstead.api.modelserve import ModelServe
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


def test_a_server_with_a_valid_receipt_is_admitted() -> None:
    assert AdmittedServes(verifier_of(KEY)).has(ModelServe.parse(ADMITTED))


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
def test_other_servers_are_not_admitted(raw: Raw) -> None:
    assert not AdmittedServes(verifier_of(KEY)).has(ModelServe.parse(raw))


def test_a_receipt_stays_valid_after_scaling() -> None:
    scaled = {**ADMITTED, "spec": {**ADMITTED["spec"], "replicas": 5}}
    assert AdmittedServes(verifier_of(KEY)).has(
        ModelServe.parse(with_metadata(scaled, generation=2))
    )


def test_a_verdict_is_dropped_with_its_spec_receipt_or_key() -> None:
    admitted = AdmittedServes(verifier_of(KEY))
    assert admitted.has(ModelServe.parse(ADMITTED))
    changed = with_metadata({**ADMITTED, "spec": {"modelName": "b"}}, generation=2)
    assert not admitted.has(ModelServe.parse(changed))
    assert admitted.has(ModelServe.parse(ADMITTED))
    assert not admitted.has(ModelServe.parse(with_metadata(ADMITTED, annotations={})))
    assert admitted.has(ModelServe.parse(ADMITTED))
    assert admitted.use(verifier_of(OTHER))
    assert not admitted.has(ModelServe.parse(ADMITTED))


def test_a_verdict_is_kept_if_keys_are_added() -> None:
    admitted = AdmittedServes(verifier_of(KEY))
    assert admitted.has(ModelServe.parse(ADMITTED))
    assert not admitted.use(verifier_of(KEY))
    assert admitted.use(verifier_of(KEY, OTHER))
    assert admitted.has(ModelServe.parse(ADMITTED))


def test_a_receipt_is_valid_once_its_key_is_known() -> None:
    admitted = AdmittedServes(verifier_of(OTHER))
    assert not admitted.has(ModelServe.parse(ADMITTED))
    admitted.use(verifier_of(KEY, OTHER))
    assert admitted.has(ModelServe.parse(ADMITTED))


def test_without_keys_every_server_is_admitted() -> None:
    assert AdmittedServes().has(ModelServe.parse(thing()))


def test_with_other_keys_a_receipt_is_verified_without_the_whole_spec() -> None:
    admitted = AdmittedServes(verifier_of(OTHER))
    assert not admitted.has(ModelServe.parse(ADMITTED))
    admitted.use(verifier_of(KEY))
    assert admitted.has(ModelServe.parse({**ADMITTED, "spec": {}}))


def test_a_deleted_server_is_forgotten() -> None:
    admitted = AdmittedServes(verifier_of(KEY))
    assert admitted.has(ModelServe.parse(ADMITTED))
    admitted.forget("u-1")
    assert not admitted.has(ModelServe.parse({**ADMITTED, "spec": {}}))


def test_a_receipt_of_an_account_is_void_without_its_name_beside_it() -> None:
    name = "system:serviceaccount:flux-system:applier"
    named = thing(generation=1, annotations={ANNOTATION_REQUESTED_BY: name})
    admitted = AdmittedServes(verifier_of(KEY))
    whole = with_receipt(named, KEY, account=name)
    assert admitted.has(ModelServe.parse(whole))
    text = whole["metadata"]["annotations"][ANNOTATION_RECEIPT]
    # The generation stays the same: annotations don't change it.
    assert not admitted.has(ModelServe.parse(with_receipt_text(text)))
    assert admitted.has(ModelServe.parse(whole))
