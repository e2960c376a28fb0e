"""Messages quote requests truncated and printable, in every kind of denial."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from roadstead.excerpts import (
    MAX_MESSAGE,
    MAX_STATEMENT,
    printable,
    truncate,
)
from roadstead.ledger.records import row
from roadstead_webhooks.admission.admission_records import record
from roadstead_webhooks.admission.mutating import mutate
from roadstead_webhooks.admission.review import (
    AdmissionAnswer,
    AdmissionRequest,
    BadReview,
    parse,
    to_review,
)
from roadstead_webhooks.admission.validating import validate
from tests.support.builders.reviews import RULES, Raw, claims, facts, offer, receipt, review, thing

LONG = "eyJ" + "\x1b[31m\n" * 20_000 + ".aa.aa"
SPEC = {
    "modelName": "m",
    "modelUuid": "u",
    "contract": "demo",
    "minioEndpoint": "e",
    "minioBucket": "b",
    "minioPath": "p",
    "replicas": 1,
    "resources": {"limits": {"memory": "1Gi"}, "requests": {"cpu": "1"}},
    "runtimeParams": {"extraArgs": ["--a"], "cacheTypeK": "f16"},
    "config": {
        "image": "i",
        "priorityClassName": "p",
        "runtimeClassName": "r",
        "imagePullSecrets": [{"name": "s"}],
        "nodeSelector": {"a": "b"},
        "tolerations": [{"key": "k"}],
        "podAnnotations": {"a": "b"},
    },
}
META: dict[str, Any] = {"annotations": {"a": "b"}, "labels": {"a": "b"}, "generateName": "g-"}
OFFERS: list[dict[str, Any]] = [
    {},
    {"models": [], "runtimeParams": {"forbiddenExtraArgs": ["*"]}},
    {"namespaces": {"names": ["other"]}},
    {"authorization": {"groups": ["nobody"]}},
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every text; paths of keys end with None."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key, None)
            yield from paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


def lengthened(whole: Raw, path: tuple[Any, ...]) -> Raw:
    """Return the review with a long text at the path."""
    copy: Raw = json.loads(json.dumps(whole))
    *outer, last = path[:-1] if path[-1] is None else path
    inner: Any = copy
    for name in outer:
        inner = inner[name]
    if path[-1] is None:
        inner[LONG] = inner.pop(last)
    else:
        inner[last] = LONG
    return copy


WHOLE = review("CREATE", thing(spec=SPEC, **META))


def parsed(whole: Raw) -> AdmissionRequest | None:
    """Return None if the body is not a review; that error is short."""
    try:
        return parse(json.dumps(whole).encode())
    except BadReview as error:
        if len(str(error)) > MAX_STATEMENT:
            raise
        return None


def answers(asked: AdmissionRequest) -> Iterator[AdmissionAnswer]:
    for spec in OFFERS:
        known = {
            "offers": (offer(**spec),),
            "receipt": receipt(asked, contract=str(asked.spec.get("contract"))),
        }
        yield validate(asked, facts(**known), RULES).answer
        for token in (None, claims()):
            mutation = mutate(asked, facts(**known, token=token), RULES)
            if mutation.denial:
                yield mutation.denial


@pytest.mark.parametrize("path", list(paths(WHOLE)), ids=lambda path: ".".join(map(str, path)))
def test_long_texts_of_a_review_are_truncated_in_messages(path: tuple[Any, ...]) -> None:
    asked = parsed(lengthened(WHOLE, path))
    for answer in answers(asked) if asked else ():
        assert asked is not None
        text = json.dumps(to_review(asked.uid, answer)["response"].get("status", {}))
        assert text.count("[31m") <= MAX_STATEMENT / 5
        assert answer.message.isprintable()
        kept = row(record(asked, answer, decided_at="2026-01-01T00:00:00Z"))
        assert max(len(str(each)) for each in kept.values()) <= 1024
        assert kept["message"].count("[31m") <= MAX_STATEMENT / 5


def test_some_of_those_requests_are_denied() -> None:
    asked = parse(json.dumps(WHOLE).encode())
    reasons = {answer.reason for answer in answers(asked)}
    assert len(reasons) > 3


def test_length_of_all_statements_is_limited() -> None:
    params = {"extraArgs": [f"--{number}" for number in range(4_000)]}
    asked = parse(
        json.dumps(review("CREATE", thing(spec={**SPEC, "runtimeParams": params}))).encode()
    )
    assert all(len(answer.message) <= MAX_MESSAGE for answer in answers(asked))


def test_truncated_text_ends_with_dots() -> None:
    assert truncate("a" * MAX_STATEMENT) == "a" * MAX_STATEMENT
    assert truncate("a" * (MAX_STATEMENT + 1)).endswith("a...")
    assert len(truncate("a" * 10_000)) == MAX_STATEMENT


def test_control_characters_are_replaced() -> None:
    assert printable("a\x1b[31m\n\u202eb") == "a\ufffd[31m\ufffd\ufffdb"
