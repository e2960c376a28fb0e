"""Keys of receipts: what the Secret is to hold at a given time (pure)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Final

from roadstead.tokens.receipt_keys import SigningKey
from roadstead_webhooks.admission.receipt_signing import ReceiptKeyring

LIFETIME: Final = datetime.timedelta(days=90)
"""How long a key signs; what it signed holds on."""
ANNOUNCED: Final = datetime.timedelta(minutes=5)
"""How long a key is known before it signs."""


def rotated(
    files: Mapping[str, bytes],
    now: datetime.datetime,
    *,
    lifetime: datetime.timedelta = LIFETIME,
    announced: datetime.timedelta = ANNOUNCED,
) -> dict[str, bytes]:
    """The files at `now`: those that are there, and one more where the newest has had its time.

    Old keys stay, or what they signed would have to be applied anew. InvalidKey if a file is no
    key: none is made in its place, since that would end all receipts without a word.
    """
    seconds = int(now.timestamp())
    if not files:
        return {f"{seconds}.pem": SigningKey.generate().private_pem}
    newest = max(activation for activation, _ in ReceiptKeyring.parse(files).keys)
    if newest + lifetime.total_seconds() > seconds:
        return dict(files)
    signs = int((now + announced).timestamp())
    return {**files, f"{signs}.pem": SigningKey.generate().private_pem}


def published(files: Mapping[str, bytes]) -> dict[str, str]:
    """The public halves by their id, as the operator reads them."""
    keys = [key for _, key in ReceiptKeyring.parse(files).keys]
    return {key.key_id: key.public_pem.decode() for key in keys}
