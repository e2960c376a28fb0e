"""What was answered, for the ledger: each denial, and each admission that decided something."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Final

from roadstead.ledger.outbox import Outbox
from roadstead.ledger.records import AdmissionRecord
from roadstead.logs import redacted
from roadstead_webhooks.admission.review import AdmissionRequest, Answer

_DECIDED: Final = frozenset({"Allowed", "Deleted"})
"""Of the validating webhook, the last to be asked; what else is allowed had nothing to decide."""
_MESSAGE_LIMIT: Final = 1024


class AdmissionRecords:
    """Puts records into an outbox, and returns at once."""

    def __init__(
        self, outbox: Outbox, *, clock: Callable[[], datetime.datetime], operator: str
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._operator = operator

    def note(self, webhook: str, request: AdmissionRequest, answer: Answer) -> None:
        """Record what counts; a dry run, which stores nothing, does not."""
        if request.dry_run or request.username == self._operator:
            return
        decided = webhook == "validating" and answer.reason in _DECIDED
        if decided or not answer.allowed:
            moment = self._clock().isoformat()
            self._outbox.append([record(request, answer, decided_at=moment)])


def record(request: AdmissionRequest, answer: Answer, *, decided_at: str) -> AdmissionRecord:
    """The row of one answer."""
    spec = request.spec or request.old.get("spec") or {}
    contract = spec.get("contract") if isinstance(spec, dict) else ""
    return AdmissionRecord(
        request_uid=_uuid(request.uid),
        decided_at=decided_at,
        allowed=answer.allowed,
        reason=answer.reason,
        message=redacted(answer.message)[:_MESSAGE_LIMIT],
        operation=request.operation,
        kind=request.kind or "unknown",
        namespace=request.namespace,
        name=request.name or f"{request.generate_name}?",
        subject=answer.subject,
        username=request.username,
        contract=contract if isinstance(contract, str) else "",
    )


def _uuid(text: str) -> str:
    """The API server's is a UUID; what else comes here is kept under one made from it."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, text))
