"""Removes the chart's release and installs it again with everything that other tests require."""

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
    """Uninstall the release with Helm."""
    cluster.install("uninstall", RELEASE, *HELM)


def upgrade(cluster: Cluster) -> None:
    """Upgrade to this version with Helm; the source side is not changed."""
    install(cluster, with_source=True)


def rollback(cluster: Cluster) -> None:
    """Roll back to the previous revision with Helm."""
    cluster.install("rollback", RELEASE, *HELM)


def ensure_installed(cluster: Cluster) -> None:
    """Install this version if the release is missing."""
    labels = f"owner=helm,status=deployed,name={RELEASE}"
    found = cluster.get("-n", NAMESPACE, "secrets", "-l", labels)
    if not found or not found["items"]:
        reinstall(cluster)


def reinstall(cluster: Cluster, version: Version | None = None) -> None:
    """Install this version or another one, and connect it to the source side."""
    if version is None:
        install(cluster, with_source=True)
    else:
        load(version.archive)
        theirs = dataclasses.replace(cluster, build=version.archive.stem)
        install(theirs, with_source=True, checkout=version.checkout, image=version.image)
    source.start(cluster)
    # The Quant service has read the key of the previous release.
    where = ("-n", source.SOURCE_NAMESPACE, "rollout")
    cluster.run(*where, "restart", "deployment/quant")
    cluster.run(*where, "status", "deployment/quant", "--timeout=120s")
    as_admin(cluster, CONTRACT)
