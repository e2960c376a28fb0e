"""Taking of a contract's totals: by compare-and-swap on its status, as ResourceQuota does.

Claims on one contract that wait while another is written are written together, so a burst costs a
few writes and not one each.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
import random
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from roadstead.api.contract import Reservation, ResourceContract
from roadstead.api.demand import Demand
from roadstead.api.raw import Raw, section, timestamp
from roadstead.errors import KubeConflict, KubeError, KubeNotFound
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import RESOURCECONTRACTS, Resource
from roadstead.policy.chain import Violation
from roadstead.policy.contract_load import reserve
from roadstead.policy.contract_policy import violations
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.counting import CountingCache
from roadstead_webhooks.admission.review import AdmissionAnswer
from roadstead_webhooks.admission.validating import Claim, denied, deny_for

logger = logging.getLogger(__name__)

RESERVATION_ATTEMPTS: Final = 30
"""Each is lost only to another writer, who got through."""
MOST_RESERVATIONS: Final = 10_000
"""As many as the CRD lets a status hold."""


class ContractClient(Protocol):
    """The part of the API client that is needed here."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """One object; KubeNotFound if it is not there."""

    async def replace_status(self, resource: Resource, body: Raw) -> Object:
        """Replace the status; KubeConflict if the object changed since it was read."""


@dataclasses.dataclass(kw_only=True)
class _Waiting:
    claim: Claim
    answer: asyncio.Future[AdmissionAnswer | None]


class Reservations:
    """Writes what is admitted into the contracts' statuses."""

    def __init__(
        self,
        client: ContractClient,
        cache: CountingCache,
        *,
        clock: Callable[[], datetime.datetime],
    ) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock
        self._waiting: dict[str, list[_Waiting]] = {}
        self._writers: dict[str, asyncio.Task[None]] = {}

    async def take(self, claim: Claim, *, dry_run: bool) -> AdmissionAnswer | None:
        """Reserve; the denial where the contract, as it is now, doesn't allow it. KubeError if it
        can't be told, and then nothing may be admitted. A dry run writes nothing."""
        contract = self._cache.contract(claim.contract)
        if dry_run or (contract is not None and not contract.reserves):
            return await self._look(claim)
        entry = _Waiting(claim=claim, answer=asyncio.get_running_loop().create_future())
        self._waiting.setdefault(claim.contract, []).append(entry)
        if claim.contract not in self._writers:
            writer = asyncio.create_task(self._write(claim.contract))
            self._writers[claim.contract] = writer
        return await entry.answer

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._writers.values(), return_exceptions=True)

    async def _look(self, claim: Claim) -> AdmissionAnswer | None:
        contract = self._cache.contract(claim.contract)
        if contract is None or self._refused(contract, self._kept(contract), claim):
            contract = await self._read(claim.contract)
        return self._refused(contract, self._kept(contract), claim)

    def _kept(self, contract: ResourceContract | None) -> tuple[Reservation, ...]:
        return self._cache.outstanding(contract, now=self._clock()) if contract else ()

    async def _write(self, name: str) -> None:
        """Until nobody waits for this contract any more."""
        try:
            while batch := self._waiting.pop(name, None):
                try:
                    await self._write_batch(name, batch)
                except Exception as error:
                    for entry in batch:
                        _resolve(entry, error)
                    if not isinstance(error, KubeError):
                        logger.exception("reserving of contract %s failed", name)
        finally:
            del self._writers[name]

    async def _write_batch(self, name: str, batch: Sequence[_Waiting]) -> None:
        contract = self._cache.contract(name)
        fresh = False
        for attempt in range(RESERVATION_ATTEMPTS):
            if contract is None and not fresh:
                contract, fresh = await self._read(name), True
            kept, answers = self._evaluate(contract, batch)
            if not fresh and any(answers):
                # What is cached may be behind: only the API server's own answer refuses.
                contract, fresh = await self._read(name), True
                kept, answers = self._evaluate(contract, batch)
            if contract is None or all(answers) or await self._stored(contract, kept):
                for entry, answer in zip(batch, answers, strict=True):
                    _resolve(entry, answer)
                return
            webhook_metrics.CONFLICTS.inc()
            await asyncio.sleep(random.random() * min(0.1, 0.005 * 2**attempt))  # noqa: S311 - spreads retries
            contract, fresh = await self._read(name), True
        busy = f"contract {name} is being changed by too many at once; try again"
        for entry in batch:
            _resolve(entry, denied("Conflict", busy, code=409))

    def _evaluate(
        self, contract: ResourceContract | None, batch: Sequence[_Waiting]
    ) -> tuple[tuple[Reservation, ...], list[AdmissionAnswer | None]]:
        """What the status is to hold, and who of the batch is refused, in their order."""
        now = self._clock()
        kept = self._kept(contract)
        answers: list[AdmissionAnswer | None] = []
        for entry in batch:
            claim = entry.claim
            refused = self._refused(contract, kept, claim)
            if refused is None and len(kept) >= MOST_RESERVATIONS:
                message = f"contract {claim.contract} has {len(kept)} reservations; try again"
                refused = denied("Conflict", message, code=409)
            answers.append(refused)
            if refused is None:
                kept = reserve(kept, _reservation(claim, kept, now, contract))
        return kept, answers

    def _refused(
        self, contract: ResourceContract | None, kept: Sequence[Reservation], claim: Claim
    ) -> AdmissionAnswer | None:
        if contract is None:
            return deny_for(
                (
                    Violation(
                        reason="ContractNotFound",
                        message=f"contract {claim.contract} is not there any more",
                        field="spec.contract",
                    ),
                )
            )
        others = self._cache.load(contract.meta.name, kept, without=claim.key)
        found = violations(dataclasses.replace(claim.facts, contract=contract, others=others))
        subject = claim.facts.caller.subject
        return dataclasses.replace(deny_for(found), subject=subject) if found else None

    async def _stored(self, contract: ResourceContract, kept: Sequence[Reservation]) -> bool:
        """Whether the status was written; False if another was faster."""
        status = {**section(contract.raw, "status"), "reservations": [r.to_json() for r in kept]}
        body = {**contract.raw, "status": status}
        try:
            answer = await self._client.replace_status(RESOURCECONTRACTS, body)
        except KubeConflict:
            return False
        except KubeNotFound:
            self._cache.remove(RESOURCECONTRACTS, ("", contract.meta.name))
            return False
        self._cache.put(RESOURCECONTRACTS, answer)
        return True

    async def _read(self, name: str) -> ResourceContract | None:
        try:
            raw = await self._client.get(RESOURCECONTRACTS, name)
        except KubeNotFound:
            return None
        self._cache.put(RESOURCECONTRACTS, raw)
        return ResourceContract.parse(raw)


def _reservation(
    claim: Claim,
    kept: Sequence[Reservation],
    now: datetime.datetime,
    contract: ResourceContract | None,
) -> Reservation:
    """What is written. Where an earlier one of that key has not settled, both may yet be stored:
    two creates of one name, of which the API server takes either."""
    before = next((each.demand for each in kept if each.key == claim.key), Demand())
    wanted = (before | claim.wanted).only(contract.resources if contract else ())
    return Reservation(key=claim.key, demand=wanted, at=timestamp(now), uid=claim.uid)


def _resolve(entry: _Waiting, result: AdmissionAnswer | Exception | None) -> None:
    if entry.answer.done():
        return
    if isinstance(result, Exception):
        entry.answer.set_exception(result)
    else:
        entry.answer.set_result(result)
