"""What is taken of a contract: servers that are there, and admissions that aren't seen yet."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

from roadstead.api.contract import Reservation
from roadstead.api.demand import NO_DEMAND, Demand, total
from roadstead.api.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.granted import Granted
from roadstead.api.modelserve import ModelServe

SETTLE = datetime.timedelta(seconds=3)
"""How long a reservation stays although its server is there: another process may not see it yet."""
ABANDONED = datetime.timedelta(seconds=30)
"""When a reservation that no server followed is given back."""


def taken_by(
    serve: ModelServe, *, admitted: bool, devices: DeviceNames = DEFAULT_DEVICES
) -> tuple[str, Demand]:
    """The contract that a server counts under, and what it takes of it; an empty name for none.

    One that is `admitted`, whose receipt verifies, takes the larger, part by part, of its spec and
    of what may still run of it. Of one that is not, what runs counts as it was granted.
    """
    granted = Granted.parse(serve.status)
    running = granted.demand if granted else NO_DEMAND
    if admitted and serve.contract:
        return serve.contract, Demand.of_serve(serve, devices=devices) | running
    return (granted.contract, running) if granted else ("", NO_DEMAND)


def load(
    counted: Mapping[str, Demand], reservations: Iterable[Reservation], *, without: str = ""
) -> Demand:
    """What all servers but `without` take; both are keyed by `<namespace>/<name>`.

    A server that is there and reserved takes the larger of both, part by part: what it grows by is
    taken at its admission, what it shrinks by is free only once it is seen to have shrunk.
    """
    taken = dict(counted)
    for reservation in reservations:
        before = taken.get(reservation.key, NO_DEMAND)
        taken[reservation.key] = before | reservation.demand
    taken.pop(without, None)
    return total(taken.values())


def outstanding(
    counted: Mapping[str, Demand],
    reservations: Iterable[Reservation],
    *,
    now: datetime.datetime,
) -> tuple[Reservation, ...]:
    """The reservations to keep, in their order.

    One goes when its server has been counted at its demand and it has settled, or when it is
    abandoned: no server, or one of another demand, followed it in time. One from the future, by a
    clock that is ahead, counts as new for no longer than that.
    """
    return tuple(
        each
        for each in reservations
        if _age(each, now) < (SETTLE if _is_counted(counted, each) else ABANDONED)
    )


def _is_counted(counted: Mapping[str, Demand], reservation: Reservation) -> bool:
    return counted.get(reservation.key, NO_DEMAND).agrees(reservation.demand)


def reserve(
    reservations: Iterable[Reservation], reservation: Reservation
) -> tuple[Reservation, ...]:
    """With `reservation` in the place of an earlier one of the same server."""
    kept = tuple(each for each in reservations if each.key != reservation.key)
    return (*kept, reservation)


def release(reservations: Iterable[Reservation], key: str) -> tuple[Reservation, ...]:
    """Without that of the server `key`."""
    return tuple(each for each in reservations if each.key != key)


def _age(reservation: Reservation, now: datetime.datetime) -> datetime.timedelta:
    return abs(now - reservation.reserved_at)
