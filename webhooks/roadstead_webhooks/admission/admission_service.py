"""Answers an admission request: gather facts, decide, sign or reserve."""

from __future__ import annotations

from roadstead.api.group import (
    ANNOTATION_DELETION,
    ANNOTATION_RECEIPT,
    ANNOTATION_REQUESTED_BY,
    ANNOTATION_STORED,
)
from roadstead.api.server_ids import new_server_id
from roadstead.api.stored_content import StoredContent
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.facts import Facts, Rules
from roadstead_webhooks.admission.gathering import Gatherer
from roadstead_webhooks.admission.mutating import Mutation, mutate
from roadstead_webhooks.admission.offload import Offload
from roadstead_webhooks.admission.patch import Changes, patch
from roadstead_webhooks.admission.receipt_signing import Receipts
from roadstead_webhooks.admission.reserving import Reservations
from roadstead_webhooks.admission.restoring import is_restoration
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest, Operation
from roadstead_webhooks.admission.validating import Validation, validate

_FINAL = frozenset(
    {
        "RequestMismatch",
        "TokenMissing",
        "TokenMisplaced",
        "TokenNotTaken",
        "MetadataTooLarge",
        "InvalidObject",
        "SubresourceUnknown",
        "ServerIdChanged",
        "ServerIdNotTaken",
        "RestorerExpired",
    }
)
"""Reasons of denials that don't depend on the cache, beside those of tokens and receipts."""


class Admission:
    """Both webhooks, without HTTP."""

    def __init__(
        self,
        gatherer: Gatherer,
        receipts: Receipts,
        reservations: Reservations,
        rules: Rules,
        offload: Offload,
    ) -> None:
        self._offload = offload
        self._gatherer = gatherer
        self._receipts = receipts
        self._reservations = reservations
        self._rules = rules

    async def mutate(self, request: AdmissionRequest) -> AdmissionAnswer:
        """Return the mutating webhook's answer. Raises KubeError if it can't be decided."""
        facts = await self._gatherer.for_mutation(request)
        mutation = await self._offload.run(request.effort, mutate, request, facts, self._rules)
        if mutation.denial and _may_be_stale(mutation.denial):
            await self._gatherer.refresh_cache(request)
            facts = await self._gatherer.for_mutation(request)
            mutation = await self._offload.run(request.effort, mutate, request, facts, self._rules)
        if mutation.denial:
            return mutation.denial
        return await self._offload.run(
            request.effort, self._answer_mutation, request, facts, mutation
        )

    async def validate(self, request: AdmissionRequest) -> AdmissionAnswer:
        """Return the validating webhook's answer. Raises KubeError if it can't be decided."""
        validation = await self._validate(request)
        if _may_be_stale(validation.answer):
            await self._gatherer.refresh_cache(request)
            validation = await self._validate(request)
        if validation.reserve is None or not validation.answer.allowed:
            return validation.answer
        denial = await self._reservations.take(validation.reserve, dry_run=request.dry_run)
        return denial or validation.answer

    async def _validate(self, request: AdmissionRequest) -> Validation:
        facts = await self._gatherer.for_validation(request)
        return validate(request, facts, self._rules)

    def _answer_mutation(
        self, request: AdmissionRequest, facts: Facts, mutation: Mutation
    ) -> AdmissionAnswer:
        if mutation.untouched:
            return AdmissionAnswer(allowed=True, reason="Allowed")
        now, server_id = int(facts.now.timestamp()), mutation.server_id
        if request.kind == "ModelServe" and request.operation == Operation.CREATE:
            server_id = server_id or new_server_id()
        receipt = request.old_annotations.get(ANNOTATION_RECEIPT)
        requested_by = request.old_annotations.get(ANNOTATION_REQUESTED_BY)
        permit = request.old_annotations.get(ANNOTATION_DELETION)
        if mutation.author:
            binding = reviewed_objects.binding(
                request,
                request.object,
                contract=mutation.contract,
                server_id=server_id,
                requested_by=mutation.author.account,
            )
            requested_by = mutation.author.account or None
            contract = mutation.contract or str(request.spec.get("contract") or "")
            receipt = self._receipts.sign(mutation.author, binding, contract=contract, now=now)
        if mutation.deletion:
            binding = reviewed_objects.deletion_binding(request, request.object)
            permit = self._receipts.sign(mutation.deletion, binding, contract="", now=now)
        if ANNOTATION_DELETION not in request.annotations:
            permit = None  # users may remove a deletion permit
        changes = Changes(
            receipt=receipt,
            requested_by=requested_by,
            deletion=permit,
            server_id=server_id,
            stored=_stored_content(request, mutation, self._rules),
            contract=mutation.contract,
        )
        author = mutation.author or mutation.deletion
        return AdmissionAnswer(
            allowed=True,
            reason="Signed" if author else "Unchanged",
            subject=author.caller.subject if author else "",
            warnings=mutation.warnings,
            patch=tuple(patch(request.object, changes)),
        )


def _stored_content(request: AdmissionRequest, mutation: Mutation, rules: Rules) -> str | None:
    """Return where a Model's content is, which only the operator writes, and which backups keep.

    A token of an administrator, who may choose any location, may state it too.
    """
    given = request.annotations.get(ANNOTATION_STORED)
    groups = mutation.author.caller.groups if mutation.author else frozenset()
    writes = request.username == rules.operator or is_restoration(request, rules)
    may_write = request.kind == "Model" and (writes or groups & rules.admin_groups)
    if may_write and StoredContent.parse(given) is not None:
        return str(given)
    return request.old_annotations.get(ANNOTATION_STORED)


def _may_be_stale(answer: AdmissionAnswer) -> bool:
    """Return whether a stale cache may be the cause of a denial."""
    final = answer.reason in _FINAL or answer.reason.startswith(("Token", "Receipt"))
    return not answer.allowed and not final
