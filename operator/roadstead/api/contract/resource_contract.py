"""ResourceContract: who may run which models where, and how much (cluster-scoped).

Parsing never fails, so that an invalid contract doesn't block the others: `faults` lists the
invalid fields, and an invalid limit allows nothing.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping
from typing import Literal, Self

from roadstead.api.contract.contract_config import ConfigBounds
from roadstead.api.contract.contract_limits import Authorization, Limits, RuntimeBounds, strings_in
from roadstead.api.contract.demand import Demand
from roadstead.api.object_names import matches_any
from roadstead.api.raw import Metadata, Raw, section
from roadstead.api.selector import LabelSelector

KIND = "ResourceContract"
Enforcement = Literal["Drain", "Report"]
_NO_UID = "-"
_PAST = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NamespaceScope:
    """Namespaces by globs or by an optional selector; a match of either is enough."""

    names: tuple[str, ...] = ()
    selector: LabelSelector | None = None

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From `spec.namespaces`; an empty selector selects all."""
        given = raw.get("selector")
        selector = LabelSelector.parse(given) if isinstance(given, Mapping) else None
        return cls(names=strings_in(raw.get("names")), selector=selector)

    def covers(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a namespace with these labels matches; an empty name never does."""
        if matches_any(self.names, namespace):
            return True
        return bool(namespace) and self.selector is not None and self.selector.selects(labels)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reservation:
    """What an admission reserved of the totals, until the operator has counted the server itself.

    `key` is `<namespace>/<name>`, `demand` the whole demand of the admitted server, `at` the time
    of admission (RFC 3339). `uid` is empty if the server didn't have one yet.
    """

    key: str
    demand: Demand
    at: str
    uid: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """From an item of `status.reservations`, which is always one server; never raises.

        Missing or invalid values count as zero.
        """
        key, uid, replicas, cpu, memory, gpu, at, more, *_ = [*text.split(" "), *[""] * 8]
        resources = dict(item.rpartition("=")[::2] for item in more.split(",") if "=" in item)
        counts = {"replicas": _count(replicas), "gpu": _count(gpu)}
        demand = Demand.parse({**counts, "cpu": cpu or 0, "memory": memory or 0})
        demand = dataclasses.replace(demand, resources=_counts(resources))
        return cls(
            key=key,
            demand=dataclasses.replace(demand, servers=1),
            at=at,
            uid="" if uid == _NO_UID else uid,
        )

    def to_json(self) -> str:
        """The inverse of `parse`.

        One string, since every admission writes them all: the API server validates 300 objects in
        120 ms, 300 strings in 8 ms.
        """
        demand = self.demand.to_json()
        parts = (
            self.uid or _NO_UID,
            *(demand[name] for name in ("replicas", "cpu", "memory", "gpu")),
        )
        more = ",".join(f"{name}={amount}" for name, amount in demand.get("resources", {}).items())
        return " ".join(map(str, (self.key, *parts, self.at, *((more,) if more else ()))))

    @property
    def reserved_at(self) -> datetime.datetime:
        """`at` as a time; the distant past if it is invalid, so that it is released."""
        return parse_time(self.at)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResourceContract:
    """A ResourceContract as the API server returns it; `raw` is the whole object.

    `used` is what the operator counted last; `reservations` are the admissions since then.
    """

    meta: Metadata
    raw: Raw
    namespaces: NamespaceScope
    authorization: Authorization
    models: tuple[str, ...]
    per_server: Limits
    total: Limits
    runtime: RuntimeBounds
    config: ConfigBounds
    enforcement: Enforcement
    expires_at: datetime.datetime | None
    used: Demand
    reservations: tuple[Reservation, ...]
    faults: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From a whole object; never raises."""
        spec, status = section(raw, "spec"), section(raw, "status")
        per_server, server_faults = Limits.parse(section(spec, "perServer"), "spec.perServer")
        total, total_faults = Limits.parse_total(section(spec, "total"))
        runtime, bound_faults = RuntimeBounds.parse(section(spec, "runtimeParams"))
        expires = spec.get("expiresAt")
        expires_at = None if expires is None else parse_time(str(expires))
        invalid_time = expires_at == _PAST
        return cls(
            meta=Metadata.parse(raw),
            raw=raw,
            namespaces=NamespaceScope.parse(section(spec, "namespaces")),
            authorization=Authorization.parse(section(spec, "authorization")),
            models=strings_in(spec.get("models")),
            per_server=per_server,
            total=total,
            runtime=runtime,
            config=ConfigBounds.parse(section(spec, "config")),
            enforcement="Drain" if spec.get("enforcement") == "Drain" else "Report",
            expires_at=expires_at,
            used=Demand.parse(section(status, "used")),
            reservations=_reservations(status.get("reservations")),
            faults=(
                *server_faults,
                *total_faults,
                *bound_faults,
                *(("spec.expiresAt: expected a time such as 2030-01-01T00:00:00Z",) * invalid_time),
            ),
        )

    @property
    def resources(self) -> frozenset[str]:
        """The resources that it limits by name; others are neither reserved nor shown."""
        return frozenset(self.per_server.resources) | frozenset(self.total.resources)

    @property
    def reserves(self) -> bool:
        """Whether its totals are reserved as servers are admitted.

        The default total alone isn't reserved: concurrent requests may exceed it.
        """
        return bool(section(self.raw, "spec", "total"))

    def expired(self, now: datetime.datetime) -> bool:
        """Whether it has expired at `now`, which has a time zone."""
        return self.expires_at is not None and self.expires_at <= now

    def in_force(self, now: datetime.datetime) -> bool:
        """Whether anything can be admitted under it."""
        return not (self.faults or self.meta.deleting or self.expired(now))


@functools.lru_cache(maxsize=20_000)
def parse_time(text: str) -> datetime.datetime:
    """An RFC 3339 time, in UTC if it has no zone; the distant past if it is invalid."""
    try:
        parsed = datetime.datetime.fromisoformat(text.upper())
        return (
            parsed.replace(tzinfo=datetime.UTC)
            if parsed.tzinfo is None
            else parsed.astimezone(datetime.UTC)
        )
    except (ValueError, OverflowError):
        return _PAST


def _reservations(items: object) -> tuple[Reservation, ...]:
    given = items if isinstance(items, list | tuple) else ()
    return tuple(_reservation(item) for item in given if isinstance(item, str))


@functools.lru_cache(maxsize=20_000)
def _reservation(text: str) -> Reservation:
    """Cached: every admission reads all outstanding reservations, mostly the same ones."""
    return Reservation.parse(text)


def _counts(given: Mapping[str, str]) -> dict[str, int]:
    found = {name: _count(text, digits=19) for name, text in given.items()}
    return {name: amount for name, amount in found.items() if name and amount}


def _count(text: str, *, digits: int = 10) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else 0
