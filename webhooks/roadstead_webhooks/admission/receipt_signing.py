"""The keys of receipts: the newest active key signs, and every key verifies."""

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
from roadstead_webhooks.mounted import read_files

_ACTIVATION: Final = re.compile(r"([0-9]{1,12})\.pem")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReceiptKeyring:
    """Ed25519 keys, each with the time (seconds since 1970) from which it signs.

    Every replica has a new key before any replica signs with it.
    """

    keys: tuple[tuple[int, SigningKey], ...]

    @classmethod
    def parse(cls, files: Mapping[str, bytes]) -> ReceiptKeyring:
        """Parse a Secret's files: `<activation>.pem`, PKCS #8; other names sign from time 0.

        Raises InvalidKey with the name of the invalid file.
        """
        found = []
        for name, pem in sorted(files.items()):
            match = _ACTIVATION.fullmatch(name)
            try:
                found.append((int(match[1]) if match else 0, SigningKey.parse(pem)))
            except InvalidKey as error:
                raise InvalidKey(f"{name}: {error}") from None
        if not found:
            raise InvalidKey("no key to sign receipts with")
        return cls(keys=tuple(sorted(found, key=lambda pair: pair[0])))

    def verifier(self) -> ReceiptVerifier:
        """Return a verifier with all keys, including keys that don't sign yet."""
        return ReceiptVerifier({key.key_id: key.private.public_key() for _, key in self.keys})

    def signing_key(self, now: int) -> SigningKey:
        """Return the key that signs at `now`; the first key if none is active yet."""
        active = [key for activation, key in self.keys if activation <= now]
        return active[-1] if active else self.keys[0][1]


class Receipts:
    """Signs and verifies receipts; `reload` reads changed keys."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = read_files(folder)
        self._use(ReceiptKeyring.parse(self._files))

    @property
    def verifier(self) -> ReceiptVerifier:
        """A verifier with the keys as they were last read."""
        return self._verifier

    def reload(self) -> bool:
        """Return whether the keys changed. Raises InvalidKey or InvalidSettings; keeps the old."""
        files = read_files(self._folder)
        if files == self._files:
            return False
        self._use(ReceiptKeyring.parse(files))
        self._files = files
        return True

    def _use(self, keys: ReceiptKeyring) -> None:
        self._keys = keys
        self._verifier = keys.verifier()

    def sign(self, author: Author, binding: Binding, *, contract: str, now: int) -> str:
        """Return the text of a signed receipt for `binding`."""
        key = self._keys.signing_key(now)
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
            restorer=author.restorer,
        )

    def verify_earlier(
        self, text: object, binding: Binding, *, now: int
    ) -> Receipt | InvalidReceipt:
        """As `verify`, for a receipt from a backup: its UID and its spec may be others."""
        try:
            return self._verifier.verify_earlier(str(text or ""), binding, now=now)
        except InvalidReceipt as error:
            return error

    def verify(self, text: object, binding: Binding, *, now: int) -> Receipt | InvalidReceipt:
        """Return the receipt, or the error if it is invalid: both are facts."""
        try:
            return self._verifier.verify(str(text or ""), binding, now=now)
        except InvalidReceipt as error:
            return error
