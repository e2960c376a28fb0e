"""Who requests a change: the holder of a token, or a ServiceAccount that needs none (pure)."""

from __future__ import annotations

import dataclasses
from typing import Final

from roadstead.errors import InvalidToken
from roadstead.policy.contract.contract_policy import Caller
from roadstead.tokens.claims import Claims, Remark
from roadstead_webhooks.admission.review import AdmissionRequest
from roadstead_webhooks.admission.service_accounts import AccountGroups

CLUSTER: Final = "kubernetes"
"""The origin in receipts of ServiceAccounts, in place of a token's issuer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Requester:
    """The caller with all groups and scopes, and why a token may have too few of them."""

    caller: Caller
    issuer: str
    account: str = ""
    """The ServiceAccount's user name; empty for the holder of a token."""
    remarks: tuple[Remark, ...] = ()


def requester_of(
    request: AdmissionRequest, token: Claims | InvalidToken | None, accounts: AccountGroups
) -> Requester | None:
    """Return who requests it; None without a valid token, unless the account needs none.

    A token takes precedence: its holder is the author, not the sender of the request.
    """
    if isinstance(token, Claims):
        caller = Caller(subject=token.subject, groups=token.groups, scopes=token.scopes)
        return Requester(caller=caller, issuer=token.issuer, remarks=token.remarks)
    return account_of(request, accounts) if token is None else None


def account_of(request: AdmissionRequest, accounts: AccountGroups) -> Requester | None:
    """Return the ServiceAccount that sends the request, if it needs no token."""
    name = request.username
    if name not in accounts:
        return None
    return Requester(
        caller=Caller(subject=name, groups=accounts[name]), issuer=CLUSTER, account=name
    )
