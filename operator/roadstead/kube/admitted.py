"""Which ModelServes the webhooks have admitted: those with a valid receipt."""

from __future__ import annotations

import dataclasses
from typing import Final

from roadstead.api.group import ANNOTATION_RECEIPT, ANNOTATION_REQUESTED_BY
from roadstead.api.modelserve import KIND, ModelServe
from roadstead.api.object_names import MAX_NAME
from roadstead.api.raw import section
from roadstead.api.server_ids import given_server_id
from roadstead.errors import InvalidReceipt
from roadstead.tokens.receipts import Binding, ReceiptVerifier, spec_digest

_ANY_TIME: Final = 2**62
"""A receipt from a clock that is ahead counts too: the object was admitted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Verdict:
    generation: int
    receipt: str
    binding: Binding
    key_id: str
    """The key that signed the receipt; empty if the receipt is invalid."""

    @property
    def key(self) -> tuple[int, str, str]:
        """What a change of makes a new verdict necessary."""
        return self.generation, self.receipt, self.binding.requested_by


class AdmittedServes:
    """Verifies receipts, once for each spec and receipt, since statuses change far more often.

    The binding of each receipt is kept, so that a change of keys needs no specs, which a cache may
    keep only partially.

    Without keys every ModelServe counts as admitted, so that no Model that may be in use is
    deleted. Nothing is started while no receipt can be verified.
    """

    def __init__(self, verifier: ReceiptVerifier | None = None) -> None:
        self._verifier = verifier
        self._verdicts: dict[str, _Verdict] = {}

    def use(self, verifier: ReceiptVerifier) -> bool:
        """Verify with these keys from now on; returns whether they differ from the last ones."""
        before, self._verifier = self._verifier, verifier
        if before is not None and before.key_ids == verifier.key_ids:
            return False
        for uid, each in self._verdicts.items():
            if each.key_id not in verifier.key_ids:
                key_id = _key_id(verifier, each.receipt, each.binding)
                self._verdicts[uid] = dataclasses.replace(each, key_id=key_id)
        return True

    def has(self, serve: ModelServe) -> bool:
        """Whether the stored ModelServe has a valid receipt for this object and this spec."""
        if self._verifier is None:
            return True
        uid, generation = serve.meta.uid, serve.meta.generation
        text, author = receipt_of(serve), requested_by(serve)
        known = self._verdicts.get(uid)
        if known is None or known.key != (generation, text, author):
            binding = binding_of(serve)
            key_id = _key_id(self._verifier, text, binding)
            known = _Verdict(generation=generation, receipt=text, binding=binding, key_id=key_id)
            self._verdicts[uid] = known
        return bool(known.key_id)

    def forget(self, uid: str) -> None:
        """Forget a deleted object."""
        self._verdicts.pop(uid, None)


def receipt_of(serve: ModelServe) -> str:
    """Its receipt, empty without one; the API server ensures that annotations are strings."""
    return str(serve.meta.annotations.get(ANNOTATION_RECEIPT, ""))


def requested_by(serve: ModelServe) -> str:
    """The ServiceAccount that the object names as its author; empty without one."""
    return str(serve.meta.annotations.get(ANNOTATION_REQUESTED_BY, ""))


def binding_of(serve: ModelServe) -> Binding:
    """The binding that the receipt of a stored ModelServe must have."""
    return Binding(
        kind=KIND,
        namespace=serve.meta.namespace,
        name=serve.meta.name,
        # A longer one, which only a bypass of the webhooks can store, fits no receipt.
        generate_name=str(section(serve.raw, "metadata").get("generateName", ""))[: MAX_NAME + 1],
        uid=serve.meta.uid,
        server_id=given_server_id(serve.meta),
        spec_digest=spec_digest(KIND, section(serve.raw, "spec")),
        requested_by=requested_by(serve),
    )


def _key_id(verifier: ReceiptVerifier, text: str, binding: Binding) -> str:
    try:
        return verifier.verify(text, binding, now=_ANY_TIME).key_id
    except InvalidReceipt:
        return ""
