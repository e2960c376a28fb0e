"""What is used of a contract: by existing servers, and by admissions that aren't visible yet."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

from roadstead.api.contract.demand import NO_DEMAND, Demand, total
from roadstead.api.contract.devices import DEFAULT_DEVICES, DeviceNames
from roadstead.api.contract.granted import Granted
from roadstead.api.contract.resource_contract import Reservation
from roadstead.api.modelserve import ModelServe

SETTLE = datetime.timedelta(seconds=3)
"""How long a reservation is kept once its server exists: other processes may not see it yet."""
ABANDONED = datetime.timedelta(seconds=30)
"""When a reservation without a server is released."""


def taken_by(
    serve: ModelServe, *, admitted: bool, devices: DeviceNames = DEFAULT_DEVICES
) -> tuple[str, Demand]:
    """The contract that a server counts under, and what it uses of it; an empty name for none.

    An `admitted` server, whose receipt is valid, uses the larger, amount by amount, of its spec and
    of what may still run. A server that is not admitted uses what was granted.
    """
    granted = Granted.parse(serve.status)
    running = granted.demand if granted else NO_DEMAND
    if admitted and serve.contract:
        return serve.contract, Demand.of_serve(serve, devices=devices) | running
    return (granted.contract, running) if granted else ("", NO_DEMAND)


def load(
    counted: Mapping[str, Demand], reservations: Iterable[Reservation], *, without: str = ""
) -> Demand:
    """What all servers but `without` use; both are keyed by `<namespace>/<name>`.

    A server that exists and is reserved uses the larger of both, amount by amount: it grows at its
    admission, and shrinks only once its new spec is visible.
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

    A reservation is released SETTLE after its time if its server is counted with its demand, else
    ABANDONED after its time. The same applies to a time in the future, from a clock that is ahead.
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
    """With `reservation` in place of an earlier one of the same server."""
    kept = tuple(each for each in reservations if each.key != reservation.key)
    return (*kept, reservation)


def release(reservations: Iterable[Reservation], key: str) -> tuple[Reservation, ...]:
    """Without the reservation of the server `key`."""
    return tuple(each for each in reservations if each.key != key)


def _age(reservation: Reservation, now: datetime.datetime) -> datetime.timedelta:
    return abs(now - reservation.reserved_at)
