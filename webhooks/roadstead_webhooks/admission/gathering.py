"""Gathers the facts of a request before it is decided, and refreshes the cache after a denial.

After the decision, `reserving.py` reads and writes the contract again.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Iterator
from typing import Final, Protocol

from roadstead.api.contract.demand import NO_DEMAND, Demand
from roadstead.api.group import ANNOTATION_DELETION, ANNOTATION_RECEIPT, ANNOTATION_TOKEN
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.api.raw import Raw, section
from roadstead.api.references import by_name, by_uuid
from roadstead.clocks import Clock
from roadstead.errors import (
    ClusterRestored,
    InvalidReceipt,
    InvalidToken,
    KubeError,
    KubeNotFound,
)
from roadstead.kube.lists import Lister, refresh
from roadstead.kube.resources import (
    MODELSERVES,
    NAMESPACES,
    RESOURCECONTRACTS,
    Resource,
)
from roadstead.kube.restores import require_complete
from roadstead.manifests.names import ANNOTATION_MADE_FOR
from roadstead.policy.contract.contract_choice import Offer
from roadstead.tokens.claims import Claims
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission import reviewed_objects
from roadstead_webhooks.admission.counting import CountingCache
from roadstead_webhooks.admission.facts import Facts
from roadstead_webhooks.admission.receipt_signing import Receipts
from roadstead_webhooks.admission.reserving import ContractClient
from roadstead_webhooks.admission.review import AdmissionRequest, Operation

logger = logging.getLogger(__name__)

_SERVE: Final = "ModelServe"
_USERS_READ: Final = 8
"""How many of a Model's users are read again: the cache may have some that were just deleted."""


class AuthorTokens(Protocol):
    """Verifies callers' tokens; raises nothing but InvalidToken."""

    async def verify(self, token: str, *, now: int) -> Claims:
        """Return the claims of a token that is valid at `now`, in seconds since 1970."""


class KubeReader(ContractClient, Lister, Protocol):
    """The methods of the API client that are used here."""


class Gatherer:
    """Reads facts from the watch cache, and from the API server if the cache may be stale."""

    def __init__(
        self,
        client: KubeReader,
        cache: CountingCache,
        tokens: AuthorTokens,
        receipts: Receipts,
        *,
        clock: Clock,
    ) -> None:
        self._client = client
        self._cache = cache
        self._tokens = tokens
        self._receipts = receipts
        self._clock = clock
        self._listing: asyncio.Task[None] | None = None

    async def for_mutation(self, request: AdmissionRequest) -> Facts:
        """Gather token, old receipt and contracts of an object that is created or updated."""
        require_complete(self._cache)
        now = self._clock()
        serve = self._serve(request)
        before = self._demand_before(request, serve)
        return Facts(
            now=now,
            token=await self._token(request, now),
            receipt=self._receipt(request, request.old, now) if request.old else None,
            earlier=(earlier := self._earlier(request, now)),
            claimant=next(self._claimants(request, earlier), ""),
            offers=tuple(self._offers(request, serve, before)),
            running=before[1],
            namespace_labels=self._labels(request.namespace),
            model=self._model(serve),
            uuid_model=self._uuid_model(serve),
        )

    async def for_validation(self, request: AdmissionRequest) -> Facts:
        """Gather receipt, contracts and users of an object. Raises KubeError if a read fails."""
        require_complete(self._cache)
        now = self._clock()
        live = await self._live(request) if request.subresource == "scale" else None
        serve = live or self._serve(request)
        before = self._demand_before(request, serve)
        raw = live.raw if live else request.object
        deleted = request.operation == Operation.DELETE
        return Facts(
            now=now,
            receipt=self._receipt(request, raw, now) if raw else None,
            claimant=next(self._claimants(request), ""),
            deletion=self._deletion_permit(
                request, request.old if deleted else request.object, now
            ),
            offers=tuple(self._offers(request, serve, before)),
            running=before[1],
            namespace_labels=self._labels(request.namespace),
            live=live,
            users=self._users(request),
            model=self._model(serve),
            uuid_model=self._uuid_model(serve),
        )

    async def refresh_cache(self, request: AdmissionRequest) -> None:
        """Read the objects whose stale state in the cache may be the cause of a denial."""
        if self._listing is None or self._listing.done():
            self._listing = asyncio.create_task(self._list_contracts())
        await asyncio.shield(self._listing)
        if request.namespace:
            await self._fetch(NAMESPACES, request.namespace)
        made_for = str(request.annotations.get(ANNOTATION_MADE_FOR, ""))
        namespace, _, name = made_for.partition("/")
        if request.kind == "Model" and namespace and name:
            await self._fetch(MODELSERVES, name, namespace)
        for user in (*self._claimants(request), *self._users(request))[:_USERS_READ]:
            namespace, _, name = user.partition("/")
            await self._fetch(MODELSERVES, name, namespace)

    async def _list_contracts(self) -> None:
        try:
            await refresh(self._client, self._cache, RESOURCECONTRACTS)
        except ClusterRestored as error:
            logger.warning("%s; the caches are dropped", error)
            self._cache.drop()
            require_complete(self._cache)

    async def _fetch(self, resource: Resource, name: str, namespace: str = "") -> None:
        try:
            raw = await self._client.get(resource, name, namespace)
        except KubeNotFound:
            self._cache.remove(resource, (namespace, name))
            return
        except KubeError as error:
            logger.warning("%s %s could not be read: %s", resource.plural, name, error)
            return
        self._cache.put(resource, raw)

    async def _token(
        self, request: AdmissionRequest, now: datetime.datetime
    ) -> Claims | InvalidToken | None:
        text = request.annotations.get(ANNOTATION_TOKEN)
        if text is None:
            return None
        try:
            return await self._tokens.verify(str(text), now=int(now.timestamp()))
        except InvalidToken as error:
            return error

    async def _live(self, request: AdmissionRequest) -> ModelServe | None:
        """Return the current ModelServe from the API server, for the demand of a scale request."""
        try:
            raw = await self._client.get(MODELSERVES, request.name, request.namespace)
        except KubeNotFound:
            return None
        return ModelServe.parse(raw) if reviewed_objects.is_readable(raw) else None

    def _serve(self, request: AdmissionRequest) -> ModelServe | None:
        if (
            request.kind != _SERVE
            or request.subresource
            or not reviewed_objects.is_readable(request.object)
        ):
            return None
        return ModelServe.parse(request.object)

    def _receipt(
        self, request: AdmissionRequest, raw: Raw, now: datetime.datetime
    ) -> Receipt | InvalidReceipt:
        text = section(raw, "metadata", "annotations").get(ANNOTATION_RECEIPT)
        binding = reviewed_objects.binding(request, raw)
        return self._receipts.verify(text, binding, now=int(now.timestamp()))

    def _earlier(
        self, request: AdmissionRequest, now: datetime.datetime
    ) -> Receipt | InvalidReceipt | None:
        """Return the receipt that an object has already at its creation."""
        text = request.annotations.get(ANNOTATION_RECEIPT)
        if text is None or request.operation != Operation.CREATE:
            return None
        binding = reviewed_objects.binding(request, request.object)
        return self._receipts.verify_earlier(text, binding, now=int(now.timestamp()))

    def _claimants(
        self, request: AdmissionRequest, earlier: Receipt | InvalidReceipt | None = None
    ) -> Iterator[str]:
        """Yield the other ModelServes, as NAMESPACE/NAME, with the object's server ID."""
        server_id = reviewed_objects.own_server_id(request, request.object)
        if not server_id and isinstance(earlier, Receipt):
            server_id = earlier.binding.uid
        for serve in self._cache.claimants(server_id) if server_id else ():
            key = f"{serve.meta.namespace}/{serve.meta.name}"
            if key != f"{request.namespace}/{request.name}":
                yield key

    def _deletion_permit(
        self, request: AdmissionRequest, raw: Raw, now: datetime.datetime
    ) -> Receipt | InvalidReceipt | None:
        text = section(raw, "metadata", "annotations").get(ANNOTATION_DELETION)
        if text is None:
            return None
        binding = reviewed_objects.deletion_binding(request, raw)
        return self._receipts.verify(text, binding, now=int(now.timestamp()))

    def _offers(
        self, request: AdmissionRequest, serve: ModelServe | None, before: tuple[str, Demand]
    ) -> Iterator[Offer]:
        if request.kind == _SERVE and serve is None:
            return
        labels = self._labels(request.namespace)
        for contract in self._cache.contracts():
            if serve is None:
                yield Offer(contract=contract)
            elif contract.namespaces.covers(request.namespace, labels):
                kept = self._cache.outstanding(contract, now=self._clock())
                others = self._cache.load(
                    contract.meta.name, kept, without=reviewed_objects.reservation_key(request)
                )
                own = before[1] if before[0] == contract.meta.name else NO_DEMAND
                yield Offer(contract=contract, others=others, own=own)

    def _demand_before(
        self, request: AdmissionRequest, serve: ModelServe | None
    ) -> tuple[str, Demand]:
        """Return the server's contract and demand before this request."""
        if request.subresource == "scale" and serve is not None:
            return self._cache.taken_by(serve, admitted=True)
        if request.kind != _SERVE or not reviewed_objects.is_readable(request.old):
            return "", NO_DEMAND
        receipt = self._receipt(request, request.old, self._clock())
        before = ModelServe.parse(request.old)
        return self._cache.taken_by(before, admitted=isinstance(receipt, Receipt))

    def _labels(self, namespace: str) -> dict[str, str]:
        raw = self._cache.get(NAMESPACES, namespace) if namespace else None
        return dict(section(raw, "metadata", "labels")) if raw else {}

    def _users(self, request: AdmissionRequest) -> tuple[str, ...]:
        if request.kind != "Model":
            return ()
        uid = section(request.old, "metadata").get("uid", "")
        found = self._cache.users(by_name(request.name), by_uuid(uid))
        names = {f"{serve.meta.namespace}/{serve.meta.name}" for serve in found}
        return tuple(sorted(names))

    def _model(self, serve: ModelServe | None) -> Model | None:
        name = (serve.model_name or self._uuid_model(serve)) if serve else ""
        return self._cache.model(name) if name else None

    def _uuid_model(self, serve: ModelServe | None) -> str:
        found = self._cache.model_by_uuid(serve.model_uuid) if serve else None
        return found.meta.name if found else ""
