"""Reserves a contract's totals by compare-and-swap on its status, as ResourceQuota does.

Claims on a contract that wait for a write are written together, so a burst causes few writes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
import random
from collections.abc import Sequence
from typing import Final, Protocol

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.resource_contract import Reservation, ResourceContract
from roadstead.api.raw import Raw, section, timestamp
from roadstead.clocks import Clock
from roadstead.errors import KubeConflict, KubeError, KubeNotFound
from roadstead.kube.kube_client import Object
from roadstead.kube.resources import RESOURCECONTRACTS, Resource
from roadstead.policy.chain import Violation
from roadstead.policy.contract.contract_load import reserve
from roadstead.policy.contract.contract_policy import violations
from roadstead_webhooks import webhook_metrics
from roadstead_webhooks.admission.counting import CountingCache
from roadstead_webhooks.admission.review import AdmissionAnswer
from roadstead_webhooks.admission.validating import Claim, deny, deny_for

logger = logging.getLogger(__name__)

RESERVATION_ATTEMPTS: Final = 30
"""Each failed attempt means that another writer succeeded."""
MOST_RESERVATIONS: Final = 10_000
"""The maximum in the CRD."""


class ContractClient(Protocol):
    """The methods of the API client that are used here."""

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        """Return one object. Raises KubeNotFound if it does not exist."""

    async def replace_status(self, resource: Resource, body: Raw) -> Object:
        """Replace the status. Raises KubeConflict if the object changed since it was read."""


@dataclasses.dataclass(kw_only=True)
class _Waiting:
    claim: Claim
    answer: asyncio.Future[AdmissionAnswer | None]


class Reservations:
    """Writes reservations of admitted servers into the contracts' statuses."""

    def __init__(
        self,
        client: ContractClient,
        cache: CountingCache,
        *,
        clock: Clock,
    ) -> None:
        self._client = client
        self._cache = cache
        self._clock = clock
        self._waiting: dict[str, list[_Waiting]] = {}
        self._writers: dict[str, asyncio.Task[None]] = {}

    async def take(self, claim: Claim, *, dry_run: bool) -> AdmissionAnswer | None:
        """Reserve a claim; return a denial if the current contract doesn't allow it.

        A dry run writes nothing. Raises KubeError if the claim can't be decided.
        """
        contract = self._cache.contract(claim.contract)
        if dry_run or (contract is not None and not contract.reserves):
            return await self._check(claim)
        entry = _Waiting(claim=claim, answer=asyncio.get_running_loop().create_future())
        self._waiting.setdefault(claim.contract, []).append(entry)
        if claim.contract not in self._writers:
            writer = asyncio.create_task(self._write(claim.contract))
            self._writers[claim.contract] = writer
        return await entry.answer

    async def close(self) -> None:
        """Wait for writes in progress."""
        await asyncio.gather(*self._writers.values(), return_exceptions=True)

    async def _check(self, claim: Claim) -> AdmissionAnswer | None:
        contract = self._cache.contract(claim.contract)
        if contract is None or self._denial(contract, self._outstanding(contract), claim):
            contract = await self._read(claim.contract)
        return self._denial(contract, self._outstanding(contract), claim)

    def _outstanding(self, contract: ResourceContract | None) -> tuple[Reservation, ...]:
        return self._cache.outstanding(contract, now=self._clock()) if contract else ()

    async def _write(self, name: str) -> None:
        """Write batches until no claim waits for this contract."""
        try:
            while batch := self._waiting.pop(name, None):
                try:
                    await self._write_batch(name, batch)
                except Exception as error:
                    for entry in batch:
                        _resolve(entry, error)
                    if not isinstance(error, KubeError):
                        logger.exception("reserving contract %s failed", name)
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
                # The cache may be stale: deny only by the API server's state.
                contract, fresh = await self._read(name), True
                kept, answers = self._evaluate(contract, batch)
            if contract is None or all(answers) or await self._store(contract, kept):
                for entry, answer in zip(batch, answers, strict=True):
                    _resolve(entry, answer)
                return
            webhook_metrics.CONFLICTS.inc()
            await asyncio.sleep(random.random() * min(0.1, 0.005 * 2**attempt))  # noqa: S311 - spreads retries
            contract, fresh = await self._read(name), True
        busy = f"too many concurrent requests for contract {name}; retry"
        for entry in batch:
            _resolve(entry, deny("Conflict", busy, code=429))

    def _evaluate(
        self, contract: ResourceContract | None, batch: Sequence[_Waiting]
    ) -> tuple[tuple[Reservation, ...], list[AdmissionAnswer | None]]:
        """Return the reservations to write, and the denial or None of each claim in order."""
        now = self._clock()
        kept = self._outstanding(contract)
        answers: list[AdmissionAnswer | None] = []
        for entry in batch:
            claim = entry.claim
            denial = self._denial(contract, kept, claim)
            if denial is None and len(kept) >= MOST_RESERVATIONS:
                message = f"contract {claim.contract} has {len(kept)} reservations; retry"
                denial = deny("Conflict", message, code=429)
            answers.append(denial)
            if denial is None:
                kept = reserve(kept, _reservation(claim, kept, now, contract))
        return kept, answers

    def _denial(
        self, contract: ResourceContract | None, kept: Sequence[Reservation], claim: Claim
    ) -> AdmissionAnswer | None:
        if contract is None:
            return deny_for(
                (
                    Violation(
                        reason="ContractNotFound",
                        message=f"contract {claim.contract} does not exist any more",
                        field="spec.contract",
                    ),
                )
            )
        others = self._cache.load(contract.meta.name, kept, without=claim.key)
        found = violations(dataclasses.replace(claim.facts, contract=contract, others=others))
        subject = claim.facts.caller.subject
        return dataclasses.replace(deny_for(found), subject=subject) if found else None

    async def _store(self, contract: ResourceContract, kept: Sequence[Reservation]) -> bool:
        """Write the status; return False if another writer changed the contract first."""
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
    """Return the reservation to write. It covers an earlier one of the same key too: of two creates
    with one name, the API server may store either."""
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
