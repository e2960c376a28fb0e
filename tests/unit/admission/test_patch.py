"""The patch of the mutating webhook, and misplaced tokens."""

import json
from typing import Any

import pytest

from roadstead_webhooks.admission.misplaced import find_misplaced_token, strip_annotations
from roadstead_webhooks.admission.patch import Changes, patch
from tests.support.builders.reviews import thing

TOKEN = "model.example.com/auth-token"
RECEIPT = "model.example.com/receipt"
LAST = "kubectl.kubernetes.io/last-applied-configuration"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"


def patched(raw: Any, operations: list[Any]) -> Any:
    """Apply a patch as the API server does (the used subset of RFC 6902)."""
    result = json.loads(json.dumps(raw))
    for each in operations:
        *path, last = (
            part.replace("~1", "/").replace("~0", "~") for part in each["path"].split("/")[1:]
        )
        target = result
        for part in path:
            target = target[int(part) if isinstance(target, list) else part]
        if each["op"] == "remove":
            del target[last]
        else:
            target[last] = each["value"]
    return result


def test_token_is_removed_and_receipt_is_added() -> None:
    raw = thing(annotations={TOKEN: JWT, "a/b~c": "kept"})
    result = patched(raw, patch(raw, Changes(receipt="r", contract="demo")))
    assert result["metadata"]["annotations"] == {RECEIPT: "r", "a/b~c": "kept"}
    assert result["spec"]["contract"] == "demo"


def test_receipt_is_added_to_an_object_without_annotations() -> None:
    raw = thing()
    result = patched(raw, patch(raw, Changes(receipt="r")))
    assert result["metadata"]["annotations"] == {RECEIPT: "r"}


def test_second_call_changes_nothing() -> None:
    raw = thing(annotations={TOKEN: JWT})
    changes = Changes(receipt="r", contract="demo")
    assert patch(patched(raw, patch(raw, changes)), changes) == []


def test_last_applied_loses_token_and_receipt_and_nothing_else() -> None:
    applied = {"b": "<&>é", "metadata": {"annotations": {TOKEN: JWT, RECEIPT: "r", "x": "y"}}}
    raw = thing(annotations={LAST: json.dumps(applied) + "\n"})
    result = patched(raw, patch(raw, Changes(receipt=None)))
    text = '{"b":"\\u003c\\u0026\\u003eé","metadata":{"annotations":{"x":"y"}}}\n'
    assert result["metadata"]["annotations"] == {LAST: text}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"metadata": 1}', "[" * 100_000])
def test_last_applied_without_our_annotations_is_unchanged(text: str) -> None:
    assert strip_annotations(text) == text


def test_annotation_of_the_token_has_no_field_owner() -> None:
    fields: Any = {"f:metadata": {"f:annotations": {".": {}, f"f:{TOKEN}": {}, "f:x": {}}}}
    raw = thing(managedFields=[{"manager": "a"}, {"manager": "b", "fieldsV1": fields}])
    result = patched(raw, patch(raw, Changes(receipt=None)))
    left = result["metadata"]["managedFields"][1]["fieldsV1"]["f:metadata"]["f:annotations"]
    assert left == {".": {}, "f:x": {}}


@pytest.mark.parametrize(
    "raw",
    [
        thing(annotations={"x": f"Bearer {JWT}"}),
        thing(annotations={LAST: f'{{"a": "{JWT}"'}),
        thing(annotations={LAST: json.dumps({"spec": {"a": JWT}})}),
        thing(annotations={JWT[:60]: ""}),
        thing(labels={"x": JWT[:63]}),
        thing(spec={"config": {"podAnnotations": {"x": JWT}}}),
        thing(spec={"runtimeParams": {"extraArgs": ["--key", JWT]}}),
        thing(finalizers=[JWT]),
    ],
)
def test_token_that_would_be_stored_is_found(raw: Any) -> None:
    assert find_misplaced_token(raw, {})


def test_token_that_is_not_a_jwt_is_found_by_its_text() -> None:
    assert find_misplaced_token(thing(annotations={"x": "opaque-token"}), {}, token="opaque-token")


def test_token_in_its_annotation_is_not_misplaced() -> None:
    applied = json.dumps({"metadata": {"annotations": {TOKEN: JWT}}})
    assert not find_misplaced_token(
        thing(annotations={TOKEN: JWT, RECEIPT: JWT, LAST: applied}), {}, token=JWT
    )


def test_stored_text_does_not_block_an_update() -> None:
    raw = thing(annotations={"x": JWT})
    assert not find_misplaced_token(raw, raw)


def test_megabytes_of_token_prefixes_are_searched_in_linear_time() -> None:
    # A pattern that starts again at each prefix would block all admissions.
    assert not find_misplaced_token(thing(annotations={"x": "eyJ" * 700_000}), {})


def test_old_object_is_read_once_with_many_possible_tokens() -> None:
    class Counted(dict[str, Any]):
        reads = 0

        def items(self) -> Any:
            Counted.reads += 1
            return super().items()

    raw = thing(spec={"x": [JWT] * 50})
    assert not find_misplaced_token(raw, {**raw, "spec": Counted(raw["spec"])})
    assert Counted.reads == 1
