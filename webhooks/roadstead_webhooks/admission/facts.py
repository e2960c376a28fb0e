"""The facts that a request is decided by; all are gathered before."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Literal

from roadstead.api.contract.demand import NO_DEMAND, Demand
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.errors import InvalidReceipt, InvalidToken
from roadstead.policy.contract.contract_choice import Offer
from roadstead.tokens.claims import Claims
from roadstead.tokens.receipts import Receipt
from roadstead_webhooks.admission.restorers import Restorer
from roadstead_webhooks.admission.service_accounts import AccountGroups

MemoryFit = Literal["Off", "Warn", "Deny"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """Settings that apply to every request."""

    admin_groups: frozenset[str]
    """Whose members may change ResourceContracts, and any Model."""
    operator: str
    """The exact user name of the operator's ServiceAccount."""
    devices: DeviceNames = DEFAULT_DEVICES
    """The resources that count as devices."""
    memory_fit: MemoryFit = "Warn"
    """The effect of a memory limit below the estimate."""
    accounts: AccountGroups = dataclasses.field(default_factory=dict)
    """The ServiceAccounts that need no token, and the groups that they have."""
    restorers: tuple[Restorer, ...] = ()
    """Who may create objects from a backup."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts of one request; an invalid token or receipt is a fact, not an error."""

    now: datetime.datetime
    token: Claims | InvalidToken | None = None
    """The verified token, or why it is invalid; None without the annotation."""
    receipt: Receipt | InvalidReceipt | None = None
    """The receipt of the object; when an update is mutated, of the old object."""
    earlier: Receipt | InvalidReceipt | None = None
    """The receipt that an object has already at its creation, which may have another UID and
    another spec; None without one."""
    claimant: str = ""
    """Another ModelServe, as NAMESPACE/NAME, with the server ID that the object has."""
    deletion: Receipt | InvalidReceipt | None = None
    """The deletion permit of the object, or for a deletion of the old object."""
    offers: tuple[Offer, ...] = ()
    """The contracts, and how much of each is used."""
    running: Demand = NO_DEMAND
    """The demand of the ModelServe before the request, under any contract."""
    namespace_labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    live: ModelServe | None = None
    """The ModelServe that is being scaled."""
    users: tuple[str, ...] = ()
    """The ModelServes that use the Model, as NAMESPACE/NAME."""
    model: Model | None = None
    """The Model that the ModelServe names."""
    uuid_model: str = ""
    """The name of the Model whose UID is `spec.modelUuid`."""
