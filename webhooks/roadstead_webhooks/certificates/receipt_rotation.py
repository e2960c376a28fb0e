"""Rotation of the keys of receipts (pure)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Final

from roadstead.tokens.receipt_keys import SigningKey
from roadstead_webhooks.admission.receipt_signing import ReceiptKeyring

LIFETIME: Final = datetime.timedelta(days=90)
"""How long a key signs; its receipts stay valid afterwards."""
ANNOUNCED: Final = datetime.timedelta(minutes=5)
"""How long a key is published before it signs."""


def rotate(
    files: Mapping[str, bytes],
    now: datetime.datetime,
    *,
    lifetime: datetime.timedelta = LIFETIME,
    announced: datetime.timedelta = ANNOUNCED,
) -> dict[str, bytes]:
    """Return the files at `now`: the given files, and a new key if the newest is too old.

    Old keys are kept, so that their receipts stay valid. Raises InvalidKey if a file is not a key:
    replacing it would silently invalidate its receipts.
    """
    seconds = int(now.timestamp())
    if not files:
        return {f"{seconds}.pem": SigningKey.generate().private_pem}
    newest = max(activation for activation, _ in ReceiptKeyring.parse(files).keys)
    if newest + lifetime.total_seconds() > seconds:
        return dict(files)
    signs = int((now + announced).timestamp())
    return {**files, f"{signs}.pem": SigningKey.generate().private_pem}


def public_keys(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the public keys by id, as the operator reads them."""
    keys = [key for _, key in ReceiptKeyring.parse(files).keys]
    return {key.key_id: key.public_pem.decode() for key in keys}
