"""Which servers fit into a contract's totals, the oldest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

from roadstead.api.contract.contract_limits import Limits
from roadstead.api.contract.demand import Demand


@dataclasses.dataclass(frozen=True, kw_only=True)
class Counted:
    """A server under a contract; `key` is `<namespace>/<name>`, `created` RFC 3339."""

    key: str
    uid: str
    created: str
    demand: Demand


def fits(demand: Demand, total: Limits) -> bool:
    """Whether no amount of `demand` exceeds its limit."""
    taken = demand.parts
    return all(taken.get(name, 0) <= bound for name, bound in total.bounds.items())


def before_each(
    servers: Iterable[Counted], total: Limits, *, granted: Collection[str] = ()
) -> dict[str, Demand]:
    """What the servers before each server use of the totals, by its key.

    The oldest is first. A server that no longer fits uses nothing, so that a smaller one after it
    may still fit. Of servers created in the same second, those in `granted` (UIDs) are first: they
    may already run, and would not be stopped. Then the UID decides.
    """

    def order(server: Counted) -> tuple[str, bool, str]:
        return server.created, server.uid not in granted, server.uid

    taken, before = Demand(), {}
    for server in sorted(servers, key=order):
        before[server.key] = taken
        if fits(taken + server.demand, total):
            taken += server.demand
    return before
