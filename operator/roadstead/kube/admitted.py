"""Which ModelServes the webhooks have admitted: those whose receipt verifies."""

from __future__ import annotations

import dataclasses
from typing import Final

from roadstead.api.group import ANNOTATION_RECEIPT
from roadstead.api.modelserve import KIND
from roadstead.api.raw import Raw, section
from roadstead.errors import InvalidReceipt
from roadstead.tokens.receipts import Binding, ReceiptVerifier, spec_digest

_ANY_TIME: Final = 2**62
"""A receipt of a clock that is ahead counts too: the object was admitted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Verdict:
    generation: int
    receipt: str
    binding: Binding
    key_id: str
    """Of the key that signed the receipt; empty where it does not verify."""


class AdmittedServes:
    """Verifies receipts, once for each spec and receipt: statuses change far more often.

    What a receipt has to be bound to is kept. So with other keys the specs are not read again, of
    which a cache may keep a part only.

    Without keys every ModelServe counts as admitted. Nothing is started as long as no receipt can
    be verified, and no Model that may be in use is deleted.
    """

    def __init__(self, verifier: ReceiptVerifier | None = None) -> None:
        self._verifier = verifier
        self._verdicts: dict[str, _Verdict] = {}

    def use(self, verifier: ReceiptVerifier) -> bool:
        """Verify with these keys from now on; whether they are others than before."""
        before, self._verifier = self._verifier, verifier
        if before is not None and before.key_ids == verifier.key_ids:
            return False
        for uid, each in self._verdicts.items():
            if each.key_id not in verifier.key_ids:
                key_id = _key_id(verifier, each.receipt, each.binding)
                self._verdicts[uid] = dataclasses.replace(each, key_id=key_id)
        return True

    def has(self, raw: Raw) -> bool:
        """Whether the stored ModelServe `raw` has a receipt for this object and this spec."""
        if self._verifier is None:
            return True
        meta = section(raw, "metadata")
        uid, generation = str(meta.get("uid", "")), int(meta.get("generation", 0))
        text = str(section(meta, "annotations").get(ANNOTATION_RECEIPT, ""))
        known = self._verdicts.get(uid)
        if known is None or (known.generation, known.receipt) != (generation, text):
            binding = binding_of(raw)
            key_id = _key_id(self._verifier, text, binding)
            known = _Verdict(generation=generation, receipt=text, binding=binding, key_id=key_id)
            self._verdicts[uid] = known
        return bool(known.key_id)

    def forget(self, uid: str) -> None:
        """Keep nothing of an object that is gone."""
        self._verdicts.pop(uid, None)


def binding_of(raw: Raw) -> Binding:
    """What the receipt of a stored ModelServe has to be bound to."""
    meta = section(raw, "metadata")
    return Binding(
        kind=KIND,
        namespace=meta.get("namespace", ""),
        name=meta.get("name", ""),
        generate_name=str(meta.get("generateName", "")),
        uid=meta.get("uid", ""),
        spec_digest=spec_digest(KIND, section(raw, "spec")),
    )


def _key_id(verifier: ReceiptVerifier, text: str, binding: Binding) -> str:
    try:
        return verifier.verify(text, binding, now=_ANY_TIME).key_id
    except InvalidReceipt:
        return ""
