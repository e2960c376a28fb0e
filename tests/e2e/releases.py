"""The chart's release, taken away and put back with all that the other tests count on."""

from __future__ import annotations

import dataclasses

from dev.cluster.images import load
from dev.demo import source
from dev.demo.installation import NAMESPACE, RELEASE, install
from dev.demo.kubectl import Cluster
from dev.images.previous import Version
from tests.e2e.conftest import CONTRACT, as_admin

HELM = ("--namespace", NAMESPACE, "--wait", "--timeout", "180s")


def uninstall(cluster: Cluster) -> None:
    """As a person does."""
    cluster.install("uninstall", RELEASE, *HELM)


def upgrade(cluster: Cluster) -> None:
    """To this version, as a person does: the source side is left as it is."""
    install(cluster, with_source=True)


def rollback(cluster: Cluster) -> None:
    """To the revision before, as a person does."""
    cluster.install("rollback", RELEASE, *HELM)


def ensure_installed(cluster: Cluster) -> None:
    """Install this version where the chart's release is not there."""
    labels = f"owner=helm,status=deployed,name={RELEASE}"
    found = cluster.get("-n", NAMESPACE, "secrets", "-l", labels)
    if not found or not found["items"]:
        installed(cluster)


def installed(cluster: Cluster, version: Version | None = None) -> None:
    """Install this version or another one, and acquaint it with the source side."""
    if version is None:
        install(cluster, with_source=True)
    else:
        load(version.archive)
        theirs = dataclasses.replace(cluster, build=version.archive.stem)
        install(theirs, with_source=True, checkout=version.checkout, image=version.image)
    source.start(cluster)
    # It read the key of the release before.
    where = ("-n", source.SOURCE_NAMESPACE, "rollout")
    cluster.run(*where, "restart", "deployment/quant")
    cluster.run(*where, "status", "deployment/quant", "--timeout=120s")
    as_admin(cluster, CONTRACT)
