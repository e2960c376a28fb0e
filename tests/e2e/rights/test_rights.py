"""The rights of the components, compared with those that were used during all tests."""

from __future__ import annotations

import json

import pytest

from dev.checks.rights import Right, granted, refused, unused, used
from dev.demo.installation import NAMESPACE
from dev.demo.kubectl import Cluster
from tests.e2e.rights.audited import Audited
from tests.e2e.rights.beginnings import PARTS

KINDS = ("clusterroles,roles", "clusterrolebindings,rolebindings")
CALLERS = {f"{NAMESPACE}/roadstead-{part}" for part in PARTS} | {"traefik/traefik"}

UNSEEN = {
    "operator: get nodes/metrics": "kubelets check this right themselves, at the API server",
    "operator: update modelserves/finalizers.model.example.com": "checked by the API server "
    "itself, if a child blocks its owner's deletion",
}
"""Rights in use that no audit log shows."""

RARE = {
    "console: get namespaces": "a contract of the user selects namespaces by their labels",
    "webhooks: get resourcecontracts.model.example.com": "another replica reserved meanwhile",
    "operator: list pods.metrics.k8s.io": "a kubelet's certificate can't be verified",
    "operator: patch ingressroutes.traefik.io": "the gateway's host or certificates were changed",
    "operator: get middlewares.traefik.io": "one of that name without our label exists",
    "operator: patch middlewares.traefik.io": "gateway.maxInFlight was changed",
    "operator: delete middlewares.traefik.io": "gateway.kind was set to none",
}
"""Rights that these tests don't use, and when they are needed."""

TOO_LATE = {
    "operator: get ingressroutes.traefik.io roadstead-console",
    "operator: get httproutes.gateway.networking.k8s.io roadstead-console",
    "operator: list jobs.batch",
}
"""Requests of an old operator after `gateway.kind` or `transfer.runner` was changed: the routes
at that moment, the Jobs if it leads until it is replaced."""

pytestmark = pytest.mark.usefixtures("first_start_repeated")


def rights(cluster: Cluster) -> set[Right]:
    """The rights of the release's ServiceAccounts."""
    roles, bindings = (
        json.loads(cluster.run("get", kinds, "-A", "-o", "json"))["items"] for kinds in KINDS
    )
    return {each for each in granted(roles, bindings) if each.account.startswith(f"{NAMESPACE}/")}


def short(right: Right) -> str:
    """The right without its namespace."""
    return str(right).removeprefix(f"{NAMESPACE}/roadstead-").partition(" in ")[0]


def test_every_granted_right_was_used(cluster: Cluster, audited: Audited) -> None:
    found = unused(rights(cluster), used(audited.events()))
    assert sorted({short(each) for each in found} - UNSEEN.keys() - RARE.keys()) == []


def test_every_exception_is_a_granted_right(cluster: Cluster) -> None:
    assert UNSEEN.keys() | RARE.keys() <= {short(each) for each in rights(cluster)}


def test_no_request_lacked_a_right(audited: Audited) -> None:
    assert {short(each) for each in refused(audited.events())} <= TOO_LATE


def test_only_known_accounts_use_the_api(audited: Audited) -> None:
    events = audited.events()
    assert {each.account for each in used(events) | refused(events)} == CALLERS
