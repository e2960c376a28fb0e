"""Admission records for the ledger: every denial, and every admission of an actual change."""

from __future__ import annotations

import time
import uuid
from typing import Final

from roadstead.clocks import Clock, Stopwatch
from roadstead.ledger.outbox import Outbox
from roadstead.ledger.records import AdmissionRecord
from roadstead.logs import redacted
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.rates import Rate, RateLimit
from roadstead_webhooks.admission.restoring import RESTORED
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest

_DECIDED: Final = frozenset({"Allowed", "Deleted", RESTORED})
"""Reasons of the validating webhook, which is called last; other admissions changed nothing."""
ADMITTED: Final = (Rate(per_second=20, burst=2_000), Rate(per_second=100, burst=10_000))
"""Rows of allowed requests: per namespace, and of this process."""
DENIED: Final = (Rate(per_second=2, burst=200), Rate(per_second=20, burst=2_000))
"""Rows of denied requests: limited apart, so that denials never displace admissions."""


class AdmissionRecords:
    """Appends records to an outbox at a bounded rate."""

    def __init__(
        self,
        outbox: Outbox,
        *,
        clock: Clock,
        operator: str,
        passing: Stopwatch = time.monotonic,
    ) -> None:
        self._rates = {
            allowed: RateLimit(*rates, clock=passing)
            for allowed, rates in ((True, ADMITTED), (False, DENIED))
        }
        self._outbox = outbox
        self._clock = clock
        self._operator = operator

    def note(self, webhook: str, request: AdmissionRequest, answer: AdmissionAnswer) -> None:
        """Record the answer; returns immediately.

        Dry runs are not recorded, nor requests that don't fit: the names in them may be false.
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
    """Return the row of one answer."""
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
    """Return the request's UID; a text that is not a UUID is hashed to one."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, text))
