"""The verdict on a caller with a valid token, from cached objects (pure)."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Final

from roadstead.api.contract.resource_contract import ResourceContract
from roadstead.api.modelserve import ModelServe
from roadstead.policy.contract.access_policy import AccessFacts, access_violation, is_outsider
from roadstead.policy.contract.contract_policy import Caller
from roadstead.tokens.claims import Claims


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuthVerdict:
    """A verdict; `status` is the HTTP status, and 200 allows the request.

    `reason` is CamelCase, for metrics and the log; `code` and `message` are for the caller. `until`
    is when the verdict expires, in seconds since 1970; 0 if it must not be cached.
    """

    status: int
    reason: str
    code: str = ""
    message: str = ""
    subject: str = ""
    groups: frozenset[str] = frozenset()
    server: str = ""
    """`<namespace>/<name>`, empty if unknown."""
    mode: str = ""
    """The server's mode, which decides which requests it serves."""
    until: int = 0

    @property
    def label(self) -> str:
        """The status as a label, for metrics and the log."""
        return _LABELS.get(self.status, "failed")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Served:
    """A server in the cache; its contract is None if it has none, or if the contract is missing."""

    serve: ModelServe
    namespace_labels: Mapping[str, str]
    contract: ResourceContract | None

    @property
    def title(self) -> str:
        """`<namespace>/<name>`."""
        return f"{self.serve.meta.namespace}/{self.serve.meta.name}"


_LABELS: Final[Mapping[int, str]] = {
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
    """Decide whether the caller with `claims` may use the server; never raises.

    Callers that the contract doesn't cover get the same answer as for a server that doesn't exist.
    Without `contracts` every caller with a valid token is allowed.
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
        return _deny_outsider(base, "ServerUnknown")
    if contracts and (refused := _check_access(base, claims, served, now)):
        return refused
    if served.serve.meta.deleting:
        message = "the server is being deleted"
        return _with_error(base, 404, "ServerDeleting", message)
    return dataclasses.replace(base, until=_expiry(base.until, served if contracts else None))


def _check_access(
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
        return _deny_outsider(base, violation.reason)
    return _with_error(base, 403, violation.reason, violation.message)


def _deny_outsider(base: AuthVerdict, reason: str) -> AuthVerdict:
    message = (
        "this token is not valid for a server at this address; ask its owner which subject, group "
        "and scope its contract requires"
    )
    return dataclasses.replace(
        base, status=403, reason=reason, code="AccessDenied", message=message
    )


def _with_error(base: AuthVerdict, status: int, reason: str, message: str) -> AuthVerdict:
    return dataclasses.replace(base, status=status, reason=reason, code=reason, message=message)


def _expiry(until: int, served: Served | None) -> int:
    """Return the earlier expiry of the token and the contract."""
    ends = served.contract.expires_at if served and served.contract else None
    return until if ends is None else min(until, int(ends.timestamp()))
