"""Receipts: who requested an object's spec, signed by the webhooks, bound to that one object.

A receipt grants nothing. It is a JWT with its own type (RFC 8725, 3.11 and 3.12) and its own
keys, so a token is never accepted as a receipt, nor a receipt as a token. It does not expire,
since it records who made a request; its key can be retired.

Receipts of ServiceAccounts, which need no token, have another type than those of tokens. Such a
receipt is valid only beside an annotation with the account's name, because an admission policy
lets nobody else write that name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from roadstead.errors import InvalidReceipt, InvalidToken
from roadstead.json_digest import json_digest
from roadstead.tokens.keys import Algorithm, Key
from roadstead.tokens.parsing import UntrustedToken, parse

RECEIPT_TYPE: Final = "roadstead-receipt+jwt"
"""Of a request with a token."""
ACCOUNT_RECEIPT_TYPE: Final = "roadstead-account-receipt+jwt"
"""Of a request by a ServiceAccount, by the API server's word."""
RECEIPT_TYPES: Final = frozenset({RECEIPT_TYPE, ACCOUNT_RECEIPT_TYPE})
MAX_RECEIPT_BYTES: Final = 32 * 1024
"""Sufficient for the groups and scopes of the largest token."""
LEEWAY_SECONDS: Final = 60
"""How far a webhook's clock may be ahead of the operator's."""
_MAX_GENERATED_BASE: Final = 58
"""The API server truncates `generateName` to this length before it appends five characters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Binding:
    """The object that a receipt is for.

    `name` is empty if the API server has yet to derive it from `generate_name`, `uid` if it is not
    assigned yet; `spec_digest` is from `spec_digest()`.
    """

    kind: str
    namespace: str
    name: str
    generate_name: str = ""
    uid: str = ""
    server_id: str = ""
    """The server ID in a ModelServe's annotation; empty without one."""
    spec_digest: str
    requested_by: str = ""
    """The annotation with the ServiceAccount that requested it without a token; else empty."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Receipt:
    """A statement of the webhooks: `subject` of `issuer` requested the object of `binding`."""

    subject: str
    issuer: str
    groups: frozenset[str]
    scopes: frozenset[str]
    contract: str
    binding: Binding
    issued_at: int
    key_id: str
    restorer: str = ""
    """The user name of the restorer that created the object with an earlier receipt."""


def spec_digest(kind: str, spec: Mapping[str, Any]) -> str:
    """Return the sha256, in hex, of a spec's canonical JSON.

    A ModelServe's `replicas` are excluded: `kubectl scale` and autoscalers change them without a
    token. Defaults are included; the API server sets them before it calls the webhooks.
    """
    counted = dict(spec)
    if kind == "ModelServe":
        counted.pop("replicas", None)
    return json_digest(counted)


def sign(
    *,
    subject: str,
    issuer: str,
    groups: frozenset[str],
    scopes: frozenset[str],
    contract: str,
    binding: Binding,
    issued_at: int,
    key: Ed25519PrivateKey,
    key_id: str,
    restorer: str = "",
) -> str:
    """Return a signed receipt; `issued_at` is in seconds since 1970.

    It is one of a ServiceAccount if the binding has `requested_by`, which then is the subject.
    """
    claims = {
        "sub": subject,
        "origin": issuer,
        "groups": sorted(groups),
        "scopes": sorted(scopes),
        "contract": contract,
        "iat": issued_at,
        "object": _object_claims(binding),
    }
    # Not in `object`, where earlier versions of Roadstead refuse unknown claims.
    claims |= {"server": binding.server_id} if binding.server_id else {}
    claims |= {"restorer": restorer} if restorer else {}
    kind = ACCOUNT_RECEIPT_TYPE if binding.requested_by else RECEIPT_TYPE
    headers = {"typ": kind, "kid": key_id}
    return jwt.encode(claims, key, algorithm=Algorithm.EDDSA, headers=headers)


def _object_claims(binding: Binding) -> dict[str, str]:
    """Without `server_id`, a claim of its own, and `requested_by` only if it is set.

    Earlier versions refuse claims that they don't know.
    """
    claims = {key: text for key, text in vars(binding).items() if key != "server_id"}
    if not binding.requested_by:
        del claims["requested_by"]
    return claims


class ReceiptVerifier:
    """Verifies receipts with the webhooks' public keys, by key id."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = {
            kid: Key(kid=kid, algorithm=Algorithm.EDDSA, material=key) for kid, key in keys.items()
        }

    @property
    def key_ids(self) -> frozenset[str]:
        """The ids of the keys that receipts are verified with."""
        return frozenset(self._keys)

    def verify(self, text: str, binding: Binding, *, now: int) -> Receipt:
        """Return the receipt if it was signed with our keys for the object and spec of `binding`.

        Raises only InvalidReceipt, whose message never quotes the receipt.
        """
        receipt = self._verify_receipt(text, now)
        _check_object(receipt.binding, binding)
        if receipt.binding.spec_digest != binding.spec_digest:
            message = "the receipt is for another spec: apply the change with a token"
            raise InvalidReceipt(message, reason="ReceiptOtherSpec")
        return receipt

    def verify_earlier(self, text: str, binding: Binding, *, now: int) -> Receipt:
        """Return the receipt of an object with this kind, place, name and server ID, from a backup.

        Its UID and its spec may be others, and an object whose name was generated may have its
        name alone. Raises InvalidReceipt, as `verify`.
        """
        receipt = self._verify_receipt(text, now)
        earlier = receipt.binding
        same_uid = dataclasses.replace(binding, uid=earlier.uid)
        if not same_uid.generate_name and not earlier.name:
            same_uid = dataclasses.replace(same_uid, generate_name=earlier.generate_name)
        _check_object(earlier, same_uid)
        return receipt

    def _verify_receipt(self, text: str, now: int) -> Receipt:
        if not text:
            message = "the receipt is missing: apply the object with a token"
            raise InvalidReceipt(message, reason="ReceiptMissing")
        receipt = self._verify_signature(text)
        if receipt.issued_at > now + LEEWAY_SECONDS:
            raise _forged("it was issued in the future")
        return receipt

    def _verify_signature(self, text: str) -> Receipt:
        try:
            untrusted = parse(text, types=RECEIPT_TYPES, limit=MAX_RECEIPT_BYTES)
        except InvalidToken:
            raise _forged("it is malformed") from None
        if untrusted.header["alg"] != Algorithm.EDDSA:
            raise _forged(f"it is not signed with {Algorithm.EDDSA}")
        key = self._keys.get(untrusted.key_id)
        if key is None:
            message = "the receipt's key is retired or unknown: apply the object with a token"
            raise InvalidReceipt(message, reason="ReceiptKeyUnknown")
        if not key.verifies(untrusted.signing_input, untrusted.signature):
            raise _forged("its signature does not match")
        receipt = _parse_receipt(untrusted)
        is_of_account = untrusted.header.get("typ") == ACCOUNT_RECEIPT_TYPE
        if receipt.binding.requested_by != (receipt.subject if is_of_account else ""):
            raise _forged("its type is not that of its subject")
        return receipt


def _parse_receipt(verified: UntrustedToken) -> Receipt:
    claims = verified.claims
    try:
        return Receipt(
            subject=claims["sub"],
            issuer=claims["origin"],
            groups=frozenset(claims["groups"]),
            scopes=frozenset(claims["scopes"]),
            contract=claims["contract"],
            binding=Binding(**claims["object"], server_id=claims.get("server", "")),
            issued_at=int(claims["iat"]),
            key_id=verified.key_id,
            restorer=claims.get("restorer", ""),
        )
    except (KeyError, TypeError, ValueError):
        # Signed with our key, but by another version with other claims.
        raise _forged("its version is not supported") from None


def _check_object(receipt: Binding, actual: Binding) -> None:
    same_place = receipt.kind == actual.kind and receipt.namespace == actual.namespace
    # A receipt from creation has no uid; a receipt with a uid never matches an object without.
    same_uid = receipt.uid in ("", actual.uid)
    same_server = receipt.server_id == actual.server_id
    if not (same_place and same_uid and same_server and _same_name(receipt, actual)):
        message = "the receipt is for another object: apply this one with a token"
        raise InvalidReceipt(message, reason="ReceiptOtherObject")
    if receipt.requested_by != actual.requested_by:
        message = "the receipt is for another author than the object names: apply it with a token"
        raise InvalidReceipt(message, reason="ReceiptOtherAuthor")


def _same_name(receipt: Binding, actual: Binding) -> bool:
    if receipt.name:
        return receipt.name == actual.name
    base = receipt.generate_name
    if not base or base != actual.generate_name:
        return False
    return not actual.name or actual.name.startswith(base[:_MAX_GENERATED_BASE])


def _forged(why: str) -> InvalidReceipt:
    message = f"the receipt is invalid ({why}): apply the object with a token"
    return InvalidReceipt(message, reason="ReceiptForged")
