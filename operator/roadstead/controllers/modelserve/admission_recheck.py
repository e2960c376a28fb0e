"""Checks the receipt and the contract of a ModelServe again before the operator acts."""

from __future__ import annotations

import dataclasses
import datetime

from roadstead.api.contract.demand import Demand
from roadstead.api.contract.granted import Granted
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import section
from roadstead.clocks import Clock
from roadstead.controllers.contract_usage import ContractUsage
from roadstead.controllers.modelserve.published_receipt_keys import ReceiptKeys
from roadstead.errors import InvalidReceipt
from roadstead.kube.admitted import binding_of, receipt_of
from roadstead.kube.resources import NAMESPACES
from roadstead.kube.watch_cache import WatchCache
from roadstead.policy.chain import Violation
from roadstead.policy.contract.contract_policy import Caller, ContractFacts
from roadstead.policy.recheck import RecheckFacts, RecheckVerdict, judge, unknown
from roadstead.tokens.receipts import Receipt


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdmissionRecheck:
    """Decides whether the operator may act on a ModelServe; `clock` is in UTC."""

    cache: WatchCache
    keys: ReceiptKeys
    usage: ContractUsage
    clock: Clock

    async def verdict(
        self, serve: ModelServe, *, runs: bool, uuid_model: str = ""
    ) -> RecheckVerdict:
        """The verdict; `runs` is as in RecheckFacts, `uuid_model` as in ContractFacts."""
        now = self.clock()
        try:
            receipt = await self._receipt(serve, now)
        except InvalidReceipt as error:
            refused = Violation(
                reason=error.reason, message=str(error), field="metadata.annotations"
            )
            return judge(RecheckFacts(contract=None, refused=refused))
        if receipt is None:
            return unknown("the webhooks have not published their receipt keys yet")
        facts = self._facts(serve, receipt, now, uuid_model)
        granted = Granted.parse(serve.status)
        demand = granted.demand if granted is not None else None
        verdict = judge(RecheckFacts(contract=facts, granted=demand, runs=runs))
        self.usage.set_verdict(serve, accepted=bool(verdict.accepted))
        return verdict

    async def _receipt(self, serve: ModelServe, now: datetime.datetime) -> Receipt | None:
        """The verified receipt, or None without keys; raises InvalidReceipt."""
        verifier = await self.keys.verifier()
        if verifier is None:
            return None
        text, binding = receipt_of(serve), binding_of(serve)
        seconds = int(now.timestamp())
        try:
            return verifier.verify(text, binding, now=seconds)
        except InvalidReceipt as error:
            if error.reason != "ReceiptKeyUnknown":
                raise
        verifier = await self.keys.verifier(refresh=True) or verifier
        return verifier.verify(text, binding, now=seconds)

    def _facts(
        self, serve: ModelServe, receipt: Receipt, now: datetime.datetime, uuid_model: str
    ) -> ContractFacts:
        meta = serve.meta
        namespace = self.cache.get(NAMESPACES, meta.namespace) or {}
        contract = self.cache.contract(serve.contract) if serve.contract else None
        key = f"{meta.namespace}/{meta.name}"
        others = self.usage.others(contract, key) if contract is not None else Demand()
        return ContractFacts(
            serve=serve,
            replicas=serve.replicas,
            caller=Caller(subject=receipt.subject, groups=receipt.groups, scopes=receipt.scopes),
            namespace_labels=section(namespace, "metadata", "labels"),
            contract=contract,
            now=now,
            uuid_model=uuid_model,
            others=others,
            devices=self.usage.devices,
        )
