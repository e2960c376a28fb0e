"""Receipts as the webhooks would sign them, where no webhook is there."""

import datetime

from roadstead.tokens.receipt_keys import SigningKey
from roadstead.tokens.receipts import Binding, sign, spec_digest
from tests.support.builders.objects import Raw


def receipt_of(serve: Raw, key: SigningKey) -> str:
    """For a ModelServe, as the API server has it, of a user of group `demo-users`."""
    meta, spec = serve["metadata"], serve["spec"]
    return sign(
        subject="alice",
        issuer="test",
        groups=frozenset({"demo-users"}),
        scopes=frozenset(),
        contract=spec.get("contract", ""),
        binding=Binding(
            kind="ModelServe",
            namespace=meta["namespace"],
            name=meta["name"],
            spec_digest=spec_digest("ModelServe", spec),
        ),
        issued_at=int(datetime.datetime.now(datetime.UTC).timestamp()),
        key=key.private,
        key_id=key.key_id,
    )
