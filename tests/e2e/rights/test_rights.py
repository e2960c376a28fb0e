"""What the parts are granted, and what they made use of while all these tests ran."""

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
    "operator: get nodes/metrics": "kubelets are asked for them; who may is a question of theirs",
    "operator: update modelserves/finalizers.model.example.com": "asked about by the API server "
    "itself, where an owner's deletion is to wait for a child",
}
"""Rights that were used, by whom no audit log tells."""

RARE = {
    "console: get namespaces": "a contract of the user selects namespaces by their labels",
    "webhooks: get resourcecontracts.model.example.com": "another replica reserved at that moment",
    "operator: list pods.metrics.k8s.io": "where a kubelet's certificate can't be checked",
    "operator: patch ingressroutes.traefik.io": "the gateway's host or certificates are others",
    "operator: get middlewares.traefik.io": "one of that name without our label is in the way",
    "operator: patch middlewares.traefik.io": "gateway.maxInFlight was changed",
    "operator: delete middlewares.traefik.io": "gateway.kind was set to none",
}
"""Rights that these tests do not come to, and when they are needed."""

TOO_LATE = {
    "operator: get ingressroutes.traefik.io roadstead-console",
    "operator: get httproutes.gateway.networking.k8s.io roadstead-console",
    "operator: list jobs.batch",
}
"""What an operator of before asks for after `gateway.kind` or `transfer.runner` was changed: the
routes in that moment, the Jobs where it comes to lead until it is replaced as well."""

pytestmark = pytest.mark.usefixtures("begun_anew")


def rights(cluster: Cluster) -> set[Right]:
    """Of the release's ServiceAccounts."""
    roles, bindings = (
        json.loads(cluster.run("get", kinds, "-A", "-o", "json"))["items"] for kinds in KINDS
    )
    return {each for each in granted(roles, bindings) if each.account.startswith(f"{NAMESPACE}/")}


def short(right: Right) -> str:
    """Without where it holds."""
    return str(right).removeprefix(f"{NAMESPACE}/roadstead-").partition(" in ")[0]


def test_no_right_is_granted_that_was_not_used(cluster: Cluster, audited: Audited) -> None:
    found = unused(rights(cluster), used(audited.events()))
    assert sorted({short(each) for each in found} - UNSEEN.keys() - RARE.keys()) == []


def test_every_exception_is_of_a_right_that_is_granted(cluster: Cluster) -> None:
    assert UNSEEN.keys() | RARE.keys() <= {short(each) for each in rights(cluster)}


def test_nothing_was_asked_for_without_the_right_to_it(audited: Audited) -> None:
    assert {short(each) for each in refused(audited.events())} <= TOO_LATE


def test_nobody_calls_the_api_but_the_parts_that_are_meant_to(audited: Audited) -> None:
    events = audited.events()
    assert {each.account for each in used(events) | refused(events)} == CALLERS
