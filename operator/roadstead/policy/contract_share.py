"""Which servers fit in a contract's totals: the oldest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable

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
    taken = demand.parts
    return all(taken.get(name, 0) <= bound for name, bound in total.bounds.items())


def before_each(
    servers: Iterable[Counted], total: Limits, *, granted: Collection[str] = ()
) -> dict[str, Demand]:
    """What is taken of the totals before each server's turn, by its key.

    The oldest has the first turn. One that no longer fits takes nothing, so that a smaller one
    after it may still fit. Created at the same second, those have theirs first that it was granted
    to (their UIDs): they may run by now, and would not be stopped. Then the UID decides.
    """

    def turn(server: Counted) -> tuple[str, bool, str]:
        return server.created, server.uid not in granted, server.uid

    taken, before = Demand(), {}
    for server in sorted(servers, key=turn):
        before[server.key] = taken
        if fits(taken + server.demand, total):
            taken += server.demand
    return before
