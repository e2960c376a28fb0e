"""The webhooks' own keys: receipts are signed with the newest, and verified with any of them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from roadstead.errors import InvalidKey, InvalidReceipt
from roadstead.tokens.receipt_keys import SigningKey
from roadstead.tokens.receipts import Binding, Receipt, ReceiptVerifier, sign
from roadstead_webhooks.admission.mutating import Author
from roadstead_webhooks.mounted import files_of

_ACTIVATION: Final = re.compile(r"([0-9]{1,12})\.pem")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReceiptKeyring:
    """Ed25519 keys by the time (seconds since 1970) from which they sign.

    A new key is made known to every webhook before it signs, so that none meets a receipt of a key
    that it doesn't have yet.
    """

    keys: tuple[tuple[int, SigningKey], ...]

    @classmethod
    def parse(cls, files: Mapping[str, bytes]) -> ReceiptKeyring:
        """Of a Secret's files: `<activation>.pem`, PKCS #8; any other name signs from the start.

        InvalidKey names the file at fault.
        """
        found = []
        for name, pem in sorted(files.items()):
            match = _ACTIVATION.fullmatch(name)
            try:
                found.append((int(match[1]) if match else 0, SigningKey.parse(pem)))
            except InvalidKey as error:
                raise InvalidKey(f"{name}: {error}") from None
        if not found:
            raise InvalidKey("there is no key to sign receipts with")
        return cls(keys=tuple(sorted(found, key=lambda pair: pair[0])))

    def verifier(self) -> ReceiptVerifier:
        """Of all keys, those that don't sign yet too."""
        return ReceiptVerifier({key.key_id: key.private.public_key() for _, key in self.keys})

    def signing(self, now: int) -> SigningKey:
        """The key that signs at `now`; the first where none does yet."""
        active = [key for activation, key in self.keys if activation <= now]
        return active[-1] if active else self.keys[0][1]


class Receipts:
    """Signs and verifies; its keys are read anew whenever `reload` finds that they changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = files_of(folder)
        self._use(ReceiptKeyring.parse(self._files))

    @property
    def verifier(self) -> ReceiptVerifier:
        """By the keys as they were read last."""
        return self._verifier

    def reload(self) -> bool:
        """Whether there were other keys; raises InvalidKey or InvalidSettings and keeps the old."""
        files = files_of(self._folder)
        if files == self._files:
            return False
        self._use(ReceiptKeyring.parse(files))
        self._files = files
        return True

    def _use(self, keys: ReceiptKeyring) -> None:
        self._keys = keys
        self._verifier = keys.verifier()

    def sign(self, author: Author, binding: Binding, *, contract: str, now: int) -> str:
        """The text of a receipt for `binding`."""
        key = self._keys.signing(now)
        caller = author.caller
        return sign(
            subject=caller.subject,
            issuer=author.issuer,
            groups=caller.groups,
            scopes=caller.scopes,
            contract=contract,
            binding=binding,
            issued_at=now,
            key=key.private,
            key_id=key.key_id,
        )

    def verified(self, text: object, binding: Binding, *, now: int) -> Receipt | InvalidReceipt:
        """The receipt, or why it is none: both are facts to decide by."""
        try:
            return self._verifier.verify(str(text or ""), binding, now=now)
        except InvalidReceipt as error:
            return error
