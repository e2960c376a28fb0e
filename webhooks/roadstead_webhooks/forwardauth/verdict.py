"""The verdict on a caller whose token holds, from what the watches have told (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Final

from roadstead.api.contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.policy.access_policy import AccessFacts, access_violation, is_outsider
from roadstead.policy.contract_policy import Caller
from roadstead.tokens.claims import Claims


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuthVerdict:
    """`status` is that of HTTP, 200 lets the request pass.

    `reason` is CamelCase, for metrics and the log; `code` and `message` are the caller's. `until`
    is when the verdict ends by itself, in seconds since 1970; 0 where it holds for this once.
    """

    status: int
    reason: str
    code: str = ""
    message: str = ""
    subject: str = ""
    groups: frozenset[str] = frozenset()
    server: str = ""
    """`<namespace>/<name>`, empty where it is not known."""
    mode: str = ""
    """The server's, by which requests pass where the status is 200."""
    until: int = 0

    @property
    def word(self) -> str:
        """The status in a word, for metrics and the log."""
        return _WORDS.get(self.status, "failed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
    """A server that is known: its contract is None where it has none, or one that isn't there."""

    serve: ModelServe
    namespace_labels: Mapping[str, str]
    contract: ResourceContract | None

    @property
    def title(self) -> str:
        """`<namespace>/<name>`."""
        return f"{self.serve.meta.namespace}/{self.serve.meta.name}"


_WORDS: Final[Mapping[int, str]] = {
    200: "allowed",
    400: "bad-request",
    401: "unauthenticated",
    403: "denied",
    404: "not-found",
    503: "unavailable",
}


def judge(
    claims: Claims, served: Served | None, *, now: datetime.datetime, contracts: bool
) -> AuthVerdict:
    """Whether the holder of `claims` may use the server; never raises.

    Somebody whom its contract is not for gets the same answer as for a server that isn't there.
    Without `contracts` every holder of a token may.
    """
    base = AuthVerdict(
        status=200,
        reason="Allowed",
        subject=claims.subject,
        groups=claims.groups,
        server=served.title if served else "",
        mode=served.serve.mode if served else "",
        until=claims.expires_at,
    )
    if served is None:
        return _outside(base, "ServerUnknown")
    if contracts and (refused := _refused(base, claims, served, now)):
        return refused
    if served.serve.meta.deleting:
        message = "the server is being deleted"
        return _changed(base, 404, "ServerDeleting", message)
    return dataclasses.replace(base, until=_end(base.until, served if contracts else None))


def _refused(
    base: AuthVerdict, claims: Claims, served: Served, now: datetime.datetime
) -> AuthVerdict | None:
    facts = AccessFacts(
        caller=Caller(subject=claims.subject, groups=claims.groups, scopes=claims.scopes),
        namespace=served.serve.meta.namespace,
        namespace_labels=served.namespace_labels,
        contract=served.contract,
        now=now,
    )
    violation = access_violation(facts)
    if violation is None:
        return None
    if is_outsider(violation):
        return _outside(base, violation.reason)
    return _changed(base, 403, violation.reason, violation.message)


def _outside(base: AuthVerdict, reason: str) -> AuthVerdict:
    message = (
        "this token opens no such server; whoever runs it can tell which subject, group and scope "
        "its contract asks for"
    )
    return dataclasses.replace(
        base, status=403, reason=reason, code="AccessDenied", message=message
    )


def _changed(base: AuthVerdict, status: int, reason: str, message: str) -> AuthVerdict:
    return dataclasses.replace(base, status=status, reason=reason, code=reason, message=message)


def _end(until: int, served: Served | None) -> int:
    """The earlier of the token's end and the contract's."""
    ends = served.contract.expires_at if served and served.contract else None
    return until if ends is None else min(until, int(ends.timestamp()))
