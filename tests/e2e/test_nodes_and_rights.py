"""Nodes and the operator's rights are removed and restored."""

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
def without_right(cluster: Cluster, resource: str, verb: str) -> Iterator[None]:
    """Remove one verb from the operator's ClusterRole while the block runs."""
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
    """Cordon all nodes while the block runs."""
    nodes = cluster.run("get", "nodes", "-o", "name").split()
    try:
        cluster.run("cordon", *nodes)
        yield
    finally:
        cluster.run("uncordon", *nodes)


@pytest.mark.long
@pytest.mark.fault("R18", heals="a right that is granted again is used within a minute")
def test_revoked_right_is_named_and_used_once_granted_again(
    cluster: Cluster, serves: Serves, healing: Healing
) -> None:
    with without_right(cluster, "deployments", "create"):
        serves.apply(make_serve())
        message = serves.explanation("Rejected")
    assert "cannot create resource" in message
    assert "deployments" in message
    with healing():
        serves.until_ready()


@pytest.mark.fault("R18", heals="the server starts when a node accepts pods again")
def test_server_waits_for_a_cordoned_node(
    cluster: Cluster, serves: Serves, healing: Healing
) -> None:
    with cordoned(cluster):
        serves.apply(make_serve())
        assert "unschedulable" in serves.explanation("Unschedulable")
    with healing():
        serves.until_ready()
