"""Receipts as the webhooks sign them, for tests without webhooks."""

import datetime
from collections.abc import Mapping
from typing import Any

from roadstead.api.group import ANNOTATION_RECEIPT
from roadstead.tokens.receipt_keys import SigningKey
from roadstead.tokens.receipts import Binding, ReceiptVerifier, sign, spec_digest
from tests.support.builders.objects import Raw


def verifier_of(*keys: SigningKey) -> ReceiptVerifier:
    """A verifier with the public keys."""
    return ReceiptVerifier({each.key_id: each.private.public_key() for each in keys})


def with_receipt(serve: Mapping[str, Any], key: SigningKey, *, account: str = "") -> Raw:
    """The ModelServe with a valid receipt, of a user or of a ServiceAccount."""
    meta = serve["metadata"]
    annotations = {
        **meta.get("annotations", {}),
        ANNOTATION_RECEIPT: receipt_of(serve, key, account=account),
    }
    return {**serve, "metadata": {**meta, "annotations": annotations}}


def receipt_of(serve: Mapping[str, Any], key: SigningKey, *, account: str = "") -> str:
    """A receipt for a stored ModelServe of a user, or an account, in group `demo-users`."""
    meta, spec = serve["metadata"], serve["spec"]
    return sign(
        subject=account or "alice",
        issuer="test",
        groups=frozenset({"demo-users"}),
        scopes=frozenset(),
        contract=spec.get("contract", ""),
        binding=Binding(
            kind="ModelServe",
            namespace=meta["namespace"],
            name=meta["name"],
            spec_digest=spec_digest("ModelServe", spec),
            requested_by=account,
        ),
        issued_at=int(datetime.datetime.now(datetime.UTC).timestamp()),
        key=key.private,
        key_id=key.key_id,
    )
