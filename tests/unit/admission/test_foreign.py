"""The limit on foreign metadata, in all its places."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roadstead.api.group import ANNOTATION_LAST_APPLIED
from roadstead.api.raw import Raw
from roadstead_webhooks.admission.foreign import MAX_BYTES, count_foreign_bytes, deny_oversized
from roadstead_webhooks.admission.mutating import mutate
from roadstead_webhooks.admission.validating import validate
from tests.support.builders.reviews import RULES, claims, facts, receipt, request, thing

KINDS = ["Model", "ModelServe", "ResourceContract"]
MUCH = "x" * (MAX_BYTES + 1)
PLACES: dict[str, dict[str, Any]] = {
    "annotation": {"annotations": {"example.com/notes": MUCH}},
    "annotation of our group": {"annotations": {"model.example.com/notes": MUCH}},
    "annotations": {"annotations": {f"example.com/{n:04}": "12345" for n in range(900)}},
    "keys": {"annotations": {f"example.com/{n}{'k' * 200}": "" for n in range(90)}},
    "last applied": {"annotations": {ANNOTATION_LAST_APPLIED: "y" * 2 * MAX_BYTES}},
    "labels": {"labels": {f"example.com/{n:04}": "12345" for n in range(900)}},
    "finalizers": {"finalizers": [MUCH]},
    "owners": {"ownerReferences": [{"name": MUCH}]},
}


def signed(kind: str, **meta: Any) -> Raw:
    annotations = {**meta.pop("annotations", {}), "model.example.com/auth-token": "t"}
    return thing(kind, annotations=annotations, **meta)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_metadata_above_the_limit_is_denied_with_advice(kind: str, place: str) -> None:
    asked = request("CREATE", signed(kind, **PLACES[place]), kind=kind)
    denial = mutate(asked, facts(token=claims("roadstead-admins")), RULES).denial
    assert denial is not None
    assert (denial.reason, denial.code) == ("MetadataTooLarge", 413)
    assert "at most 16 KiB are allowed: remove some" in denial.message


@pytest.mark.parametrize("kind", KINDS)
def test_the_validating_webhook_denies_it_too(kind: str) -> None:
    asked = request("CREATE", thing(kind, **PLACES["annotation"]), kind=kind)
    known = facts(receipt=receipt(asked, "roadstead-admins"))
    assert validate(asked, known, RULES).answer.reason == "MetadataTooLarge"


def test_metadata_at_the_limit_is_allowed() -> None:
    key = "example.com/notes"
    meta = {"annotations": {key: "x" * (MAX_BYTES - len(key))}}
    assert deny_oversized(request("CREATE", signed("ModelServe", **meta))) is None


def test_tokens_do_not_count_as_foreign_metadata() -> None:
    assert count_foreign_bytes(signed("ModelServe")) == 0


@pytest.mark.parametrize("text", ["<|im_start|>" * 500, '\n"\\' * 500, "ü" * 500])
def test_kubectls_copy_of_a_manifest_does_not_count_twice(text: str) -> None:
    annotations = {"example.com/notes": text}
    spec = {"modelName": "gemma", "config": {"podAnnotations": {"a": text}}}
    manifest = {**thing(spec=spec), "metadata": {"name": "one", "annotations": annotations}}
    copy = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&":
        copy = copy.replace(character, f"\\u{ord(character):04x}")
    raw = thing(spec=spec, annotations={**annotations, ANNOTATION_LAST_APPLIED: copy})
    without = thing(spec=spec, annotations=annotations)
    assert count_foreign_bytes(raw) - count_foreign_bytes(without) < len(text.encode())


def test_stored_metadata_above_the_limit_may_stay_or_shrink() -> None:
    stored = thing(annotations={"example.com/notes": MUCH + MUCH})
    for text, refused in ((MUCH + MUCH, False), (MUCH, False), (MUCH * 3, True)):
        asked = request("UPDATE", thing(annotations={"example.com/notes": text}), stored)
        assert bool(deny_oversized(asked)) == refused


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_of_an_object_being_deleted_does_not_grow_above_the_limit(kind: str) -> None:
    going: dict[str, Any] = {"deletionTimestamp": "2027-01-15T08:00:00Z", "finalizers": ["a"]}
    grown = thing(kind, **going, annotations={"example.com/notes": MUCH})
    asked = request("UPDATE", grown, thing(kind, **going), kind=kind)
    denial = mutate(asked, facts(), RULES).denial
    assert denial is not None
    assert denial.reason == "MetadataTooLarge"
    assert validate(asked, facts(), RULES).answer.reason == "MetadataTooLarge"
    without = thing(kind, **{**going, "finalizers": []}, annotations={"example.com/notes": MUCH})
    asked = request("UPDATE", without, grown, kind=kind)
    assert mutate(asked, facts(), RULES).denial is None
    assert validate(asked, facts(), RULES).answer.allowed
