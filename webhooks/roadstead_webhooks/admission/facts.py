"""What is known when a request is decided on; all of it gathered before."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Literal

from roadstead.api.demand import NO_DEMAND, Demand
from roadstead.api.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.model import Model
from roadstead.api.modelserve import ModelServe
from roadstead.errors import InvalidReceipt, InvalidToken
from roadstead.policy.contract_choice import Offer
from roadstead.tokens.claims import Claims
from roadstead.tokens.receipts import Receipt

MemoryFit = Literal["Off", "Warn", "Deny"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rules:
    """What holds for every request: from the settings."""

    admin_groups: frozenset[str]
    """Whose members may change ResourceContracts, and any Model."""
    operator: str
    """The user name of the operator's ServiceAccount, exactly."""
    devices: DeviceNames = DEFAULT_DEVICES
    """Which resources count as devices."""
    memory_fit: MemoryFit = "Warn"
    """What a memory limit below the estimate does."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """About one request; a token or a receipt that does not hold is a fact like any other."""

    now: datetime.datetime
    token: Claims | InvalidToken | None = None
    """What the token annotation is worth; None without one."""
    receipt: Receipt | InvalidReceipt | None = None
    """The receipt of the object; of the old object where a change is being mutated."""
    deletion: Receipt | InvalidReceipt | None = None
    """The leave to delete that the object, or the old one, carries."""
    offers: tuple[Offer, ...] = ()
    """The contracts, and what is taken of them."""
    running: Demand = NO_DEMAND
    """What the ModelServe takes before the request, under whichever contract."""
    namespace_labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    live: ModelServe | None = None
    """The ModelServe that is to be scaled."""
    users: tuple[str, ...] = ()
    """The ModelServes of the Model, as NAMESPACE/NAME."""
    model: Model | None = None
    """The Model that the ModelServe names."""
    uuid_model: str = ""
    """The name of the Model whose UID is `spec.modelUuid`."""
