"""The status of a Model, as pure functions of the facts."""

from __future__ import annotations

import dataclasses
from typing import Any

from roadstead.api import conditions
from roadstead.api.conditions import Condition, condition
from roadstead.api.quantity import percent, seconds_text, size_text
from roadstead.api.raw import section
from roadstead.controllers.model.model_plan import ModelFacts, Plan, PlanStep, attempt
from roadstead.controllers.transfers.running_transfers import State, TransferView
from roadstead.errors import Retry
from roadstead.transfer.messages import Completed, Failed, Phase, Progress, Started

Status = dict[str, Any]

_ETAG_LIMIT = 256
"""A truncated etag matches no source, so the transfer restarts instead of failing."""
_VERIFIED_BY_CONTENT = ("DigestMismatch", "SizeMismatch", "InvalidGguf")


def status_of(facts: ModelFacts, plan: Plan, *, now: str) -> Status:
    """The whole status; `now` is an RFC 3339 time."""
    model = facts.model
    parts = _conditions(facts, plan)
    ready = conditions.summary(parts, ready="Ready")
    if ready.true:
        ready = dataclasses.replace(ready, message=f"stored and verified at {facts.target}")
    status: Status = {
        "observedGeneration": model.meta.generation,
        "modelUuid": model.meta.uid,
        "minioEndpoint": facts.target.endpoint,
        "minioBucket": facts.target.bucket,
        "minioPath": facts.target.path,
        "servers": len(facts.servers),
        "conditions": conditions.merged(model.raw, [*parts, ready], now=now),
        **_object(facts, plan),
    }
    transfer = _transfer(facts, plan, now)
    if transfer:
        status["transfer"] = transfer
    return status


def _object(facts: ModelFacts, plan: Plan) -> Status:
    """The fields of the object once it is verified, and the progress before."""
    if plan.completed is not None:
        return _completed(facts, plan.completed)
    if plan.step is PlanStep.KEEP:
        names = ("sizeBytes", "size", "sha256", "etag", "gguf", "quantization", "progress")
        return {name: facts.model.status[name] for name in names if name in facts.model.status}
    progress = facts.view.progress if facts.view else None
    if progress is not None and facts.view is not None and facts.view.state is State.RUNNING:
        return {"progress": f"{percent(progress.bytes_done, progress.bytes_total)}%"}
    return {"quantization": facts.model.quantization} if facts.model.quantization else {}


def _completed(facts: ModelFacts, outcome: Completed) -> Status:
    quantization = (
        outcome.gguf.quantization or outcome.quantization or facts.model.quantization or "unknown"
    )
    return {
        "sizeBytes": outcome.size_bytes,
        "size": size_text(outcome.size_bytes),
        "sha256": outcome.sha256,
        "etag": outcome.etag,
        "gguf": outcome.gguf.to_json(),
        "quantization": quantization,
        "progress": "100%",
    }


def _conditions(facts: ModelFacts, plan: Plan) -> list[Condition]:
    if plan.step in (PlanStep.KEEP, PlanStep.RECORD):
        where = f"at {facts.target}"
        digest = _digest(facts)
        return [
            condition("Stored", True, "Stored", where),
            condition("Verified", True, "Verified", f"sha256 {digest}, gguf header read"),
        ]
    stored = _not_stored(facts, plan)
    if plan.reason in _VERIFIED_BY_CONTENT:
        return [stored, condition("Verified", False, plan.reason, plan.message)]
    return [stored, condition("Verified", None, "NotStored", "verified after it is stored")]


def _digest(facts: ModelFacts) -> str:
    view = facts.view
    if view is not None and isinstance(view.outcome, Completed):
        return view.outcome.sha256
    return facts.model.digest


def _not_stored(facts: ModelFacts, plan: Plan) -> Condition:
    if plan.reason:
        return condition("Stored", False, plan.reason, plan.message)
    view = facts.view
    if view is None or view.state is State.QUEUED:
        return condition("Stored", False, "Queued", "waits in the queue of transfers")
    return _running(view)


def _running(view: TransferView) -> Condition:
    if view.blocked is not None:
        return condition("Stored", False, view.blocked.reason, view.blocked.message)
    if view.progress is None:
        return condition("Stored", False, "Transferring", "the transfer starts")
    done, total = view.progress.bytes_done, view.progress.bytes_total
    share = f"{percent(done, total)}% ({size_text(done)} of {size_text(total)})"
    if view.progress.phase is Phase.VERIFYING:
        return condition("Stored", False, "Verifying", f"verified {share}")
    rate = f"{size_text(view.progress.bytes_per_second)}/s"
    left = view.progress.remaining_seconds
    rest = f", {seconds_text(left)} left" if left is not None else ""
    return condition("Stored", False, "Transferring", f"transfer at {share}, {rate}{rest}")


def _transfer(facts: ModelFacts, plan: Plan, now: str) -> Status:
    """The fields that a later attempt needs, in this process or the next one."""
    if plan.step in (PlanStep.KEEP, PlanStep.RECORD):
        return {}
    view = facts.view
    kept = dict(section(facts.model.status, "transfer"))
    values: Status = {**kept, "attempt": attempt(facts), "inputs": facts.inputs}
    if "startedAt" not in kept or kept.get("attempt") != attempt(facts):
        values["startedAt"] = now
    values["retry"] = _retry(facts, plan)
    if view is not None and view.started is not None:
        values |= _upload(view.started)
    if view is not None and view.progress is not None:
        values |= _progress(view.progress)
    return values


def _retry(facts: ModelFacts, plan: Plan) -> str:
    """When the transfer is retried, for a later process.

    Without a view, the value of an earlier failure is kept if that failure still blocks the Model.
    Any other blocker, such as an unavailable store, is retried with backoff.
    """
    if facts.view is not None:
        outcome = facts.view.outcome
        return str(outcome.retry if isinstance(outcome, Failed) else Retry.BACKOFF)
    kept = section(facts.model.status, "transfer")
    stored = conditions.find(facts.model.raw, "Stored")
    same = stored is not None and stored.reason == plan.reason
    if same and kept.get("inputs") == facts.inputs:
        return str(kept.get("retry", Retry.BACKOFF))
    return str(Retry.BACKOFF)


def _upload(started: Started) -> Status:
    return {
        "uploadId": started.upload_id,
        "key": started.key,
        "partSizeBytes": started.part_size_bytes,
        "sourceEtag": started.source_etag[:_ETAG_LIMIT],
        "bytesTotal": started.bytes_total,
    }


def _progress(progress: Progress) -> Status:
    values: Status = {
        "phase": str(progress.phase),
        "bytesDone": progress.bytes_done,
        "bytesTotal": progress.bytes_total,
        "percent": percent(progress.bytes_done, progress.bytes_total),
        "bytesPerSecond": progress.bytes_per_second,
    }
    if progress.remaining_seconds is not None:
        values["remainingSeconds"] = progress.remaining_seconds
    return values
