"""A receipt is valid for one object and one spec, if the webhooks signed it."""

from __future__ import annotations

import dataclasses
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.errors import InvalidKey, InvalidReceipt
from roadstead.tokens.receipt_keys import SigningKey, public_keys
from roadstead.tokens.receipts import (
    ACCOUNT_RECEIPT_TYPE,
    MAX_RECEIPT_BYTES,
    RECEIPT_TYPE,
    Binding,
    Receipt,
    ReceiptVerifier,
    sign,
    spec_digest,
)
from tests.support.builders.tokens import NOW, claims, signed, verifier
from tests.unit.tokens.test_verification import refusal

KEY = SigningKey.generate()
OTHER = SigningKey.generate()
SPEC: dict[str, Any] = {"modelName": "gemma", "replicas": 1, "resources": {"limits": {"cpu": "1"}}}
BINDING = Binding(
    kind="ModelServe",
    namespace="demo",
    name="gemma",
    spec_digest=spec_digest("ModelServe", SPEC),
)
NAMED_LATER = dataclasses.replace(BINDING, name="", generate_name="gemma-")


def receipt(binding: Binding = BINDING, *, key: SigningKey = KEY, key_id: str = "") -> str:
    """Return a receipt of alice for `binding`."""
    return sign(
        subject="alice",
        issuer="roadstead-dev",
        groups=frozenset({"b", "a"}),
        scopes=frozenset({"serve"}),
        contract="demo",
        binding=binding,
        issued_at=NOW,
        key=key.private,
        key_id=key_id or key.key_id,
    )


def checking(*keys: SigningKey) -> ReceiptVerifier:
    """Return a verifier with the public keys, as read from a ConfigMap."""
    return ReceiptVerifier(public_keys({key.key_id: key.public_pem.decode() for key in keys}))


def refused(text: str, binding: Binding = BINDING, *, now: int = NOW) -> str:
    """Return the reason why a receipt is refused."""
    with pytest.raises(InvalidReceipt) as caught:
        checking(KEY).verify(text, binding, now=now)
    return caught.value.reason


def test_receipt_has_the_subject_of_the_request() -> None:
    text = receipt()
    assert checking(KEY, OTHER).verify(text, BINDING, now=NOW) == Receipt(
        subject="alice",
        issuer="roadstead-dev",
        groups=frozenset({"a", "b"}),
        scopes=frozenset({"serve"}),
        contract="demo",
        binding=BINDING,
        issued_at=NOW,
        key_id=KEY.key_id,
    )


def test_receipt_does_not_expire() -> None:
    checking(KEY).verify(receipt(), BINDING, now=NOW + 10 * 365 * 86_400)


def test_receipt_of_the_future_is_refused() -> None:
    assert refused(receipt(), now=NOW - 61) == "ReceiptForged"


def test_missing_receipt_is_refused() -> None:
    assert refused("") == "ReceiptMissing"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"namespace": "other"},
        {"kind": "Model"},
        {"name": ""},
        {"name": "", "generate_name": "gemma"},
    ],
)
def test_receipt_copied_to_another_object_is_refused(change: dict[str, str]) -> None:
    actual = dataclasses.replace(BINDING, **change)
    assert refused(receipt(), actual) == "ReceiptOtherObject"


@pytest.mark.parametrize("uid", ["two", ""])
def test_receipt_of_a_deleted_object_is_refused_for_its_successor(uid: str) -> None:
    text = receipt(dataclasses.replace(BINDING, uid="one"))
    assert refused(text, dataclasses.replace(BINDING, uid=uid)) == "ReceiptOtherObject"


def test_receipt_without_a_uid_is_valid_after_creation() -> None:
    checking(KEY).verify(receipt(), dataclasses.replace(BINDING, uid="one"), now=NOW)


@pytest.mark.parametrize("name", ["", "gemma-x2x4z"])
def test_receipt_for_a_generated_name_is_valid_for_it(name: str) -> None:
    actual = dataclasses.replace(NAMED_LATER, name=name, uid="one")
    checking(KEY).verify(receipt(NAMED_LATER), actual, now=NOW)


def test_long_generate_name_is_truncated_like_the_api_server_does() -> None:
    base = "g" * 62 + "-"
    actual = dataclasses.replace(NAMED_LATER, generate_name=base, name=base[:58] + "x2x4z")
    text = receipt(dataclasses.replace(NAMED_LATER, generate_name=base))
    checking(KEY).verify(text, actual, now=NOW)


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"name": "other", "generate_name": ""}, {"generate_name": "other-"}],
)
def test_receipt_for_a_generated_name_is_refused_for_others(change: dict[str, str]) -> None:
    actual = dataclasses.replace(NAMED_LATER, **{"name": "gemma-x2x4z", **change})
    assert refused(receipt(NAMED_LATER), actual) == "ReceiptOtherObject"


def test_receipt_without_a_name_is_refused() -> None:
    nameless = dataclasses.replace(BINDING, name="", generate_name="")
    assert refused(receipt(nameless), nameless) == "ReceiptOtherObject"


def test_receipt_kept_after_a_changed_spec_is_refused() -> None:
    digest = spec_digest("ModelServe", {**SPEC, "modelName": "other"})
    assert (
        refused(receipt(), dataclasses.replace(BINDING, spec_digest=digest)) == "ReceiptOtherSpec"
    )


def test_receipt_of_a_retired_key_is_refused() -> None:
    assert refused(receipt(key=OTHER)) == "ReceiptKeyUnknown"


def test_receipt_by_another_key_under_our_id_is_forged() -> None:
    assert refused(receipt(key=OTHER, key_id=KEY.key_id)) == "ReceiptForged"


def test_token_is_not_accepted_as_a_receipt() -> None:
    assert refused(signed(claims())) == "ReceiptForged"


def test_receipt_is_not_accepted_as_a_token() -> None:
    assert refusal(receipt()) == "TokenMalformed"


@pytest.mark.parametrize("typ", [None, "JWT", "roadstead-receipt"])
def test_receipt_of_another_type_is_forged(typ: str | None) -> None:
    headers = {"kid": KEY.key_id, "typ": typ}
    body = jwt.decode(receipt(), options={"verify_signature": False})
    text = jwt.encode(body, KEY.private, algorithm="EdDSA", headers=headers)
    assert refused(text) == "ReceiptForged"


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
def test_receipt_of_another_algorithm_is_forged(algorithm: str) -> None:
    body = jwt.decode(receipt(), options={"verify_signature": False})
    headers = {"kid": KEY.key_id, "typ": RECEIPT_TYPE}
    key = "" if algorithm == "none" else "k" * 32
    assert refused(jwt.encode(body, key, algorithm=algorithm, headers=headers)) == "ReceiptForged"


def test_receipt_of_another_version_is_refused() -> None:
    headers = {"kid": KEY.key_id, "typ": RECEIPT_TYPE}
    for body in ({"sub": "alice"}, {"object": {"kind": 1}}, {}):
        text = jwt.encode(dict(body), KEY.private, algorithm="EdDSA", headers=headers)
        assert refused(text) == "ReceiptForged"


def test_huge_receipt_is_forged() -> None:
    assert refused("a" * (MAX_RECEIPT_BYTES + 1)) == "ReceiptForged"


@given(text=st.text(min_size=1))
def test_any_text_is_refused(text: str) -> None:
    assert refused(text) == "ReceiptForged"


@given(data=st.data())
def test_receipt_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    good = receipt()
    place = data.draw(st.integers(0, len(good) - 1))
    character = data.draw(st.characters(exclude_characters=good[place]))
    changed = good[:place] + character + good[place + 1 :]
    assert refused(changed) in ("ReceiptForged", "ReceiptKeyUnknown")


VALUES = st.recursive(
    st.booleans() | st.integers(-100, 100) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
SPECS = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)


@given(spec=SPECS, seed=st.randoms())
def test_spec_digest_does_not_depend_on_the_order(spec: dict[str, Any], seed: Any) -> None:
    items = list(spec.items())
    seed.shuffle(items)
    assert spec_digest("ModelServe", dict(items)) == spec_digest("ModelServe", spec)


def plain(value: Any) -> Any:
    """To compare by: True is not 1 here, as it is not in JSON."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return (type(value).__name__, value)


@given(one=SPECS, other=SPECS)
def test_different_specs_have_different_digests(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = spec_digest("Model", one) == spec_digest("Model", other)
    assert same == (plain(one) == plain(other))


def test_replicas_are_excluded_from_the_digest_of_a_modelserve() -> None:
    assert spec_digest("ModelServe", {**SPEC, "replicas": 9}) == BINDING.spec_digest
    assert spec_digest("Model", {"replicas": 9}) != spec_digest("Model", {})


def test_signing_key_round_trips() -> None:
    again = SigningKey.parse(KEY.private_pem)
    assert again.key_id == KEY.key_id
    checking(KEY).verify(receipt(key=again), BINDING, now=NOW)
    assert "PRIVATE" not in repr(again)


@pytest.mark.parametrize(
    "data",
    [
        {OTHER.key_id: KEY.public_pem.decode()},
        {KEY.key_id: "junk"},
        {KEY.key_id: KEY.private_pem.decode()},
    ],
)
def test_public_key_with_a_wrong_id_is_refused(data: dict[str, str]) -> None:
    with pytest.raises(InvalidKey, match=next(iter(data))):
        public_keys(data)


def test_token_that_is_signed_with_a_receipt_key_is_refused() -> None:
    """The two kinds share nothing: a token by the receipts' key is of no issuer's."""
    token = signed(claims(), algorithm="EdDSA", private=KEY.private)
    assert refusal(token, verifier()) == "TokenAlgorithm"


ACCOUNT = "system:serviceaccount:flux-system:applier"
OF_ACCOUNT = dataclasses.replace(BINDING, requested_by=ACCOUNT)


def account_receipt(subject: str = ACCOUNT) -> str:
    """Return a receipt of a ServiceAccount."""
    return sign(
        subject=subject,
        issuer="kubernetes",
        groups=frozenset({"a"}),
        scopes=frozenset(),
        contract="demo",
        binding=OF_ACCOUNT,
        issued_at=NOW,
        key=KEY.private,
        key_id=KEY.key_id,
    )


def test_receipt_of_an_account_has_a_type_of_its_own() -> None:
    text = account_receipt()
    assert jwt.get_unverified_header(text)["typ"] == ACCOUNT_RECEIPT_TYPE
    assert checking(KEY).verify(text, OF_ACCOUNT, now=NOW).subject == ACCOUNT


@pytest.mark.parametrize("name", ["", "alice", f"{ACCOUNT}2"])
def test_receipt_of_an_account_is_invalid_beside_another_name(name: str) -> None:
    beside = dataclasses.replace(BINDING, requested_by=name)
    assert refused(account_receipt(), beside) == "ReceiptOtherAuthor"


def test_receipt_of_a_token_is_invalid_beside_the_name_of_an_account() -> None:
    assert refused(receipt(), OF_ACCOUNT) == "ReceiptOtherAuthor"


def test_receipt_of_an_account_names_no_other_subject() -> None:
    assert refused(account_receipt("alice"), OF_ACCOUNT) == "ReceiptForged"


@pytest.mark.parametrize(
    ("text", "typ"),
    [(receipt(), ACCOUNT_RECEIPT_TYPE), (account_receipt(), RECEIPT_TYPE)],
    ids=["a token's", "an account's"],
)
def test_receipt_of_one_type_does_not_pass_for_the_other(text: str, typ: str) -> None:
    payload = jwt.decode(text, options={"verify_signature": False})
    headers = {"typ": typ, "kid": KEY.key_id}
    changed = jwt.encode(payload, KEY.private, algorithm="EdDSA", headers=headers)
    assert refused(changed, OF_ACCOUNT if ACCOUNT in str(payload) else BINDING) == "ReceiptForged"


def test_receipt_of_a_token_has_no_claim_that_earlier_versions_do_not_know() -> None:
    payload = jwt.decode(receipt(), options={"verify_signature": False})
    assert "requested_by" not in payload["object"]


SERVER = dataclasses.replace(BINDING, server_id="0d9b3c1e-5a6f-4f0e-8c64-3f6f9f1f2a77")


@pytest.mark.parametrize("signed_for", [SERVER, BINDING], ids=["bound", "unbound"])
def test_receipt_is_refused_for_another_server_id(signed_for: Binding) -> None:
    for server_id in ("7f1c2f4e-21ab-4a8e-9f4d-9e9d3c0b7a11", "", SERVER.server_id):
        if server_id != signed_for.server_id:
            other = dataclasses.replace(signed_for, server_id=server_id)
            assert refused(receipt(signed_for), other) == "ReceiptOtherObject"


def test_server_id_is_no_claim_that_earlier_versions_refuse() -> None:
    payload = jwt.decode(receipt(SERVER), options={"verify_signature": False})
    assert payload["server"] == SERVER.server_id
    assert "server_id" not in payload["object"]


def test_earlier_receipt_may_have_another_uid_and_another_spec() -> None:
    old = receipt(dataclasses.replace(SERVER, uid="u-1"))
    now = dataclasses.replace(SERVER, uid="", spec_digest="other")
    found = checking(KEY).verify_earlier(old, now, now=NOW)
    assert (found.binding.uid, found.binding.spec_digest) == ("u-1", BINDING.spec_digest)


@pytest.mark.parametrize("change", [{"name": "b"}, {"namespace": "b"}, {"server_id": ""}])
def test_earlier_receipt_of_another_object_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(InvalidReceipt, match="another object"):
        checking(KEY).verify_earlier(
            receipt(SERVER), dataclasses.replace(SERVER, **change), now=NOW
        )
