"""Which servers fit in a contract's totals: the oldest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from roadstead.api.contract_limits import Limits
from roadstead.api.demand import Demand


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counted:
    """A server under a contract; `key` is `<namespace>/<name>`, `created` RFC 3339."""

    key: str
    uid: str
    created: str
    demand: Demand


def fits(demand: Demand, total: Limits) -> bool:
    """Whether no part of `demand` is over its limit."""
    limits = vars(total)
    return all(
        limits[name] is None or value <= limits[name] for name, value in vars(demand).items()
    )


def before_each(servers: Iterable[Counted], total: Limits) -> dict[str, Demand]:
    """What is taken of the totals before each server's turn, by its key.

    The oldest has the first turn. One that no longer fits takes nothing, so that a smaller one
    after it may still fit; created at the same second, the UID decides.
    """
    taken, before = Demand(), {}
    for server in sorted(servers, key=lambda server: (server.created, server.uid)):
        before[server.key] = taken
        if fits(taken + server.demand, total):
            taken += server.demand
    return before
