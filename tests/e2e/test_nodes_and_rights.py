"""The cluster's nodes and the operator's rights are taken away and given back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from dev.demo.kubectl import Cluster
from tests.e2e.serves import Serves, make_serve
from tests.support.faults_table import Healing

ROLE: Final = ("clusterrole", "roadstead-operator")


@contextmanager
def without_the_right(cluster: Cluster, resource: str, verb: str) -> Iterator[None]:
    """The operator's ClusterRole without one verb."""
    before = (cluster.get(*ROLE) or {})["rules"]
    rules = [
        {**rule, "verbs": [each for each in rule["verbs"] if each != verb]}
        if resource in rule["resources"]
        else rule
        for rule in before
    ]
    assert rules != before
    try:
        set_rules(cluster, rules)
        yield
    finally:
        set_rules(cluster, before)


def set_rules(cluster: Cluster, rules: list[dict[str, Any]]) -> None:
    cluster.run("patch", *ROLE, "--type=merge", "-p", json.dumps({"rules": rules}))


@contextmanager
def cordoned(cluster: Cluster) -> Iterator[None]:
    """No new pod on any node."""
    nodes = cluster.run("get", "nodes", "-o", "name").split()
    try:
        cluster.run("cordon", *nodes)
        yield
    finally:
        cluster.run("uncordon", *nodes)


@pytest.mark.long
@pytest.mark.fault("R18", heals="a right that is granted again is used within a minute")
def test_a_right_of_the_operator_that_is_revoked_is_named_and_used_again(
    cluster: Cluster, serves: Serves, healing: Healing
) -> None:
    with without_the_right(cluster, "deployments", "create"):
        serves.apply(make_serve())
        said = serves.explanation("Rejected")
    assert "cannot create resource" in said
    assert "deployments" in said
    with healing():
        serves.until_ready()


@pytest.mark.fault("R18", heals="the server starts when a node accepts pods again")
def test_a_cordoned_node_is_told_and_taken_when_it_is_free(
    cluster: Cluster, serves: Serves, healing: Healing
) -> None:
    with cordoned(cluster):
        serves.apply(make_serve())
        assert "unschedulable" in serves.explanation("Unschedulable")
    with healing():
        serves.until_ready()
