"""What was answered, for the ledger: each denial, and each admission that decided something."""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Callable
from typing import Final

from roadstead.ledger.outbox import Outbox
from roadstead.ledger.records import AdmissionRecord
from roadstead.logs import redacted
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.rates import Rate, RateLimit
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest

_DECIDED: Final = frozenset({"Allowed", "Deleted"})
"""Of the validating webhook, the last to be asked; what else is allowed had nothing to decide."""
ADMITTED: Final = (Rate(per_second=20, burst=2_000), Rate(per_second=100, burst=10_000))
"""Rows of admissions: in one namespace, and of this process."""
DENIED: Final = (Rate(per_second=2, burst=200), Rate(per_second=20, burst=2_000))
"""Rows of denials, which cost their callers less; they leave no admission without its row."""


class AdmissionRecords:
    """Puts records into an outbox, and returns at once."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        clock: Callable[[], datetime.datetime],
        operator: str,
        passing: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = {
            allowed: RateLimit(*rates, clock=passing)
            for allowed, rates in ((True, ADMITTED), (False, DENIED))
        }
        self._outbox = outbox
        self._clock = clock
        self._operator = operator

    def note(self, webhook: str, request: AdmissionRequest, answer: AdmissionAnswer) -> None:
        """Record what counts; a dry run, which stores nothing, does not.

        Nor does a request that doesn't fit: it may name what it has nothing to do with.
        """
        if request.dry_run or not request.fits or request.username == self._operator:
            return
        decided = webhook == "validating" and answer.reason in _DECIDED
        if not decided and answer.allowed:
            return
        if self._rates[answer.allowed].allows(request.namespace):
            moment = self._clock().isoformat()
            self._outbox.append([record(request, answer, decided_at=moment)])
        else:
            webhook_metrics.RECORDS_DROPPED.inc()


def record(
    request: AdmissionRequest, answer: AdmissionAnswer, *, decided_at: str
) -> AdmissionRecord:
    """The row of one answer."""
    spec = request.spec or request.old.get("spec") or {}
    contract = spec.get("contract") if isinstance(spec, dict) else ""
    return AdmissionRecord(
        request_uid=_uuid(request.uid),
        decided_at=decided_at,
        allowed=answer.allowed,
        reason=answer.reason,
        message=redacted(answer.message),
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
